"""Tables that leak, each in a way of its own, and tables that do not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array, Task
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.verdict import Check
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import validate

ROWS = 4_000
Rng = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A way to leak.

    Attributes:
        task: The task.
        make: Gives the features that leak and the target, for so many rows.
        rows: Rows of the table.
        level: What has to be found: ``error``, ``warning``, or ``either``.
        names: The columns that have to be named.
        seen: Whether the leak is in the rows, and not in the features.
    """

    task: Task
    make: Callable[[Rng, int], tuple[dict[str, object], object]]
    names: tuple[str, ...]
    level: str = "error"
    rows: int = ROWS
    seen: bool = False


def plain(rng: Rng, rows: int) -> tuple[pd.DataFrame, Array]:
    """Eight honest columns, and the log-odds of the target by them: AUC .77."""
    frame = pd.DataFrame(rng.normal(size=(rows, 6)), columns=[f"x{n}" for n in range(6)])
    frame["colour"] = rng.choice(["red", "green", "blue"], rows)
    frame["count"] = rng.poisson(4, rows)
    odds = 0.9 * frame["x0"] - 0.6 * frame["x1"] + 0.5 * (frame["colour"] == "red") + 0.4 * frame["x2"] * frame["x3"]
    return frame, odds.to_numpy()


def _two(rng: Rng, rows: int) -> Array:
    return rng.random(rows) < 0.4


def _copy(rng: Rng, rows: int, missing: float = 0.0, flipped: float = 0.0) -> tuple[dict[str, object], object]:
    y = _two(rng, rows)
    leak = np.where(rng.random(rows) < flipped, ~y, y).astype(float)
    return {"leak": np.where(rng.random(rows) < missing, np.nan, leak)}, y


def _noisy(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    y = _two(rng, rows)
    return {"leak": y + 0.45 * rng.normal(size=rows)}, y


def _difference(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    a = 100 * rng.random(rows)
    b = a - rng.normal(size=rows) * 20
    return {"a": a, "b": b}, a - b > 5


def _xor(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    a, b = rng.random(rows) < 0.35, rng.random(rows) < 0.6
    return {"a": a, "b": b}, a ^ b


def _id_in_blocks(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    number = rng.permutation(rows)
    return {"record": number * 3 + 7}, (rng.random(rows // 50 + 1) < 0.4)[number // 50]


def _sum(rng: Rng, rows: int, count: int = 2) -> tuple[dict[str, object], object]:
    parts = {name: rng.normal(size=rows) for name in "abc"[:count]}
    return dict(parts), sum(parts.values()) > 0.3


def _product(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    a, b = rng.normal(size=(2, rows))
    return {"a": a, "b": b}, a * b > 0.1


def _gap(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    y = _two(rng, rows)
    return {"leak": np.where(y, 30 * rng.random(rows), np.nan)}, y


def _reasons(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    y = _two(rng, rows)
    words = np.where(y, rng.choice(["moved", "price", "service"], rows), rng.choice(["none", "asked"], rows))
    return {"leak": words}, y


def _people(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    person = np.arange(rows) % (rows // 10)
    y = _two(rng, rows // 10)[person]
    mark = rng.normal(size=(rows // 10, 3))[person]
    return {"person": person + 1000, **{f"mark{n}": mark[:, n] for n in range(3)}}, y


def _again(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    return {}, np.zeros(rows, dtype=bool)  # the rows themselves are repeated, in ``table``


def _heavy(rng: Rng, rows: int) -> Array:
    return np.exp(rng.normal(5, 2, rows))


def _numbers(kind: str) -> Callable[[Rng, int], tuple[dict[str, object], object]]:
    def make(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
        y = _heavy(rng, rows)
        if kind == "rank":
            return {"leak": y.argsort().argsort()}, y
        if kind == "linear":
            return {"leak": 1.8 * y + 32}, y
        a, b, c = rng.lognormal(2, 0.8, rows), rng.lognormal(1, 0.8, rows), rng.lognormal(1, 0.8, rows)
        made = {"sum": a + b, "product": a * b, "ratio": a / b, "threes": a - b + c}
        if kind == "copy":
            return {"leak": y}, y
        return {"a": a, "b": b} | ({"c": c} if kind == "threes" else {}), made[kind]

    return make


def _codes(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    code = rng.integers(0, 4, rows)
    return {"leak": code * 10 + 1}, np.array(["low", "mid", "high", "top"])[code]


def _threes(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    flags = rng.random((3, rows)) < 0.45
    return dict(zip("abc", flags, strict=True)), flags.sum(axis=0) % 2 == 1


def _noisy_sum(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    columns, y = _sum(rng, rows)
    return columns, np.where(rng.random(rows) < 0.03, ~np.asarray(y), y)


def _ratio(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    a, b = rng.normal(size=(2, rows))
    return {"a": a, "b": b}, a / b > 0.4


def _circle(rng: Rng, rows: int) -> tuple[dict[str, object], object]:
    a, b = rng.normal(size=(2, rows))
    return {"a": a, "b": b}, np.hypot(a, b) > 1.2


LEAK, PAIR = ("leak",), ("a", "b")
KINDS: dict[str, Kind] = {
    "copy of the target": Kind("binary", _copy, LEAK),
    "copy, 30 % missing": Kind("binary", lambda g, n: _copy(g, n, missing=0.3), LEAK),
    "copy, 5 % flipped": Kind("binary", lambda g, n: _copy(g, n, flipped=0.05), LEAK, "warning"),
    "target + noise (AUC .94)": Kind("binary", _noisy, LEAK, "warning"),
    "known for one class alone": Kind("binary", _gap, LEAK),
    "a word for each outcome": Kind("binary", _reasons, LEAK),
    "code of one of four classes": Kind("multiclass", _codes, LEAK),
    "difference of two columns": Kind("binary", _difference, PAIR, "either"),
    "xor of two flags": Kind("binary", _xor, PAIR, "either"),
    "a + b over a limit": Kind("binary", _sum, PAIR, "either"),
    "a + b over a limit, 600 rows": Kind("binary", _sum, PAIR, "either", rows=600),
    "a * b over a limit": Kind("binary", _product, PAIR, "either"),
    "a + b + c over a limit": Kind("binary", lambda g, n: _sum(g, n, 3), ("a", "b", "c"), "either"),
    "id in blocks of 50": Kind("binary", _id_in_blocks, ("record",), "warning"),
    "people on both sides": Kind("binary", _people, ("person",), "warning", seen=True),
    "test rows from training": Kind("binary", _again, (), "warning", seen=True),
    "copy of exp(normal(5, 2))": Kind("regression", _numbers("copy"), LEAK),
    "the same, its ranks": Kind("regression", _numbers("rank"), LEAK),
    "the same in another unit": Kind("regression", _numbers("linear"), LEAK),
    "value = a + b, 600 rows": Kind("regression", _numbers("sum"), PAIR, rows=600),
    "value = a * b, 600 rows": Kind("regression", _numbers("product"), PAIR, rows=600),
    "value = a / b": Kind("regression", _numbers("ratio"), PAIR),
    "value = a - b + c": Kind("regression", _numbers("threes"), ("a", "b", "c")),
}


# Made after the search was finished, to see where it ends.
HARDER: dict[str, Kind] = {
    "copy, 12 % flipped (AUC .88)": Kind("binary", lambda g, n: _copy(g, n, flipped=0.12), LEAK, "either"),
    "copy, 90 % missing": Kind("binary", lambda g, n: _copy(g, n, missing=0.9), LEAK, "either"),
    "a + b over a limit, 3 % flipped": Kind("binary", _noisy_sum, PAIR, "either"),
    "a / b of any sign over a limit": Kind("binary", _ratio, PAIR, "either"),
    "within a circle of a and b": Kind("binary", _circle, PAIR, "either"),
    "xor of three flags": Kind("binary", _threes, ("a", "b", "c"), "either"),
    "a + b over a limit, 200 rows": Kind("binary", _sum, PAIR, "either", rows=200),
}


def table(kind: Kind, seed: int) -> pd.DataFrame:
    """A table that leaks; the target is ``y``."""
    rng = np.random.default_rng(seed)
    frame, odds = plain(rng, kind.rows)
    columns, y = kind.make(rng, kind.rows)
    frame = frame.assign(**columns, y=y)
    if kind.make is _again:
        frame["y"] = rng.random(kind.rows) < 1 / (1 + np.exp(-odds))
        half = kind.rows // 2
        frame.iloc[half : half + kind.rows // 10] = frame.iloc[: kind.rows // 10].to_numpy()
        frame = frame.infer_objects()
        frame["entry"] = [f"E{n:05d}" for n in rng.permutation(kind.rows)]
    return frame.iloc[rng.permutation(kind.rows)].reset_index(drop=True)


def clean_table(
    task: Task, seed: int, rows: int = 2_000, noise: int = 0, strong: tuple[float, ...] = ()
) -> pd.DataFrame:
    """A table without a leak, with so many columns of noise, and ``x0``, ``x1`` ... of such strength; target ``y``."""
    rng = np.random.default_rng(seed)
    frame, odds = plain(rng, rows)
    odds = odds + sum(weight * frame[f"x{n}"].to_numpy() for n, weight in enumerate(strong))
    if task == "regression":
        frame["y"] = odds + rng.normal(size=rows)
    elif task == "binary":
        frame["y"] = rng.random(rows) < 1 / (1 + np.exp(-odds))
    else:
        cut = pd.cut(odds + rng.logistic(size=rows), [-np.inf, -0.5, 0.7, np.inf], labels=["a", "b", "c"])
        frame["y"] = cut.astype(str)
    more = {f"noise{n}": values for n, values in enumerate(rng.normal(size=(noise, rows)))}
    return pd.concat([frame, pd.DataFrame(more)], axis=1)


def prepared(frame: pd.DataFrame, task: Task, ignored: tuple[str, ...] = ()) -> tuple[Project, Dataset]:
    """A project over a table, and its rows as cleaning leaves them, split by chance."""
    kinds = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}
    columns: dict[str, dict[str, Any]] = {
        str(name): {"type": kinds.get(frame[name].dtype.kind, "category")} for name in frame.columns
    }
    for name in ignored:
        columns[name]["role"] = "ignored"
    classes: tuple[str, ...] = ()
    if task == "binary":
        classes = ("false", "true")
    elif task == "multiclass":
        classes = tuple(sorted(frame["y"].astype(str).unique()))
        columns["y"] = {"type": "category", "categories": list(classes)}
    data = {"source": "t.csv", "target": "y", "columns": columns}
    project = project_from_mapping({"name": "unit", "data": data, "training": {"task": task}}, origin="benchmark")
    place = np.arange(len(frame)) / len(frame)
    sides = np.select([place < 0.7, place < 0.85], ["train", "validation"], "test")
    rows = frame.assign(**{ROW_ID: [f"{n:032x}" for n in range(len(frame))], SPLIT: sides})
    if task == "multiclass":
        rows["y"] = rows["y"].astype(str)
    return project, Dataset(Contract.of(project, classes), rows)


CHECKS = ("leakage", "near_leakage", "seen_rows", "shared_entities")


def leak_findings(project: Project, rows: Dataset) -> list[Check]:
    """The failed checks of validation that have to do with leaks."""
    verdict = validate(project, rows, "").verdict
    return [check for check in verdict.checks if check.name in CHECKS and not check.passed]


def finds(kind: Kind, checks: list[Check]) -> bool:
    """Whether a leak is found at its level and its columns are named."""
    levels = {"error": ("error",), "warning": ("warning",), "either": ("error", "warning")}[kind.level]
    of_rows = [check for check in checks if kind.seen == (check.name in ("seen_rows", "shared_entities"))]
    return any(check.level in levels and all(f"'{name}'" in check.message for name in kind.names) for check in of_rows)


BUNDLED = ("breast_cancer", "wine", "iris", "digits", "diabetes")


def bundled(name: str) -> tuple[pd.DataFrame, Task]:
    """A table that comes with scikit-learn, in an order of chance; the target is ``y``."""
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})
    task: Task = {"breast_cancer": "binary", "diabetes": "regression"}.get(name, "multiclass")  # type: ignore[assignment]
    if task == "binary":
        frame["y"] = frame["y"] == 1
    return frame.sample(frac=1, random_state=0).reset_index(drop=True), task
