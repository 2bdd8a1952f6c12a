"""Tables that leak, each in a way of its own, and tables that do not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array, Task

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


def clean_table(task: Task, seed: int, rows: int = 2_000, noise: int = 0) -> pd.DataFrame:
    """A table without a leak; the target is ``y``."""
    rng = np.random.default_rng(seed)
    frame, odds = plain(rng, rows)
    if task == "regression":
        frame["y"] = odds + rng.normal(size=rows)
    elif task == "binary":
        frame["y"] = rng.random(rows) < 1 / (1 + np.exp(-odds))
    else:
        cut = pd.cut(odds + rng.logistic(size=rows), [-np.inf, -0.5, 0.7, np.inf], labels=["a", "b", "c"])
        frame["y"] = cut.astype(str)
    more = {f"noise{n}": values for n, values in enumerate(rng.normal(size=(noise, rows)))}
    return pd.concat([frame, pd.DataFrame(more)], axis=1)
