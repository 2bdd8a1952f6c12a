"""What the policy of missing values and outliers comes to in cleaning: columns dropped, rows set aside, and counts."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.cleaning_policy import MOST_ROWS
from ciclo.components.core.errors import DataError, ProjectError, QuarantineError, RequestError
from ciclo.components.core.own_columns import LINE, REASONS, SPLIT
from ciclo.components.core.project_file import project_from_json, project_to_json
from ciclo.components.tables.datasets import Dataset, read_treatments
from tests.unit.cleaning.test_clean import project, run, write_raw

COLUMNS = {
    "id": {"type": "integer"},
    "x": {"type": "number"},
    "gap": {"type": "number"},
    "w": {"type": "category"},
    "t": {"type": "timestamp"},
    "must": {"type": "number", "nullable": False},
    "on": {"type": "boolean"},
    "y": {"type": "boolean"},
}
DATA = {"time_column": "t", "id_columns": ["id"]}


def frame(rows: int = 200, gaps: int = 60) -> pd.DataFrame:
    """By time the first 140 rows train; that many of them have a gap, and no other row has."""
    n = np.arange(rows)
    return pd.DataFrame(
        {
            "id": n,
            "x": [-1_000.0, *n[1:139], 1_000, *n[140:]],
            "gap": np.where(n < gaps, "", "1"),
            "w": np.where(n % 10 == 0, "", "a"),
            "t": pd.date_range("2026-01-01", periods=rows).astype(str),
            "must": 1,
            "on": n % 3 == 0,
            "y": n % 2,
        }
    ).astype(str)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gaps", "limit", "gone"),
    [(56, 0.4, False), (57, 0.4, True), (0, 0, False), (1, 0, True)],
    ids=["at the limit", "above it", "none", "one above none"],
)
def test_a_column_is_dropped_above_its_share_of_the_training_rows(
    tmp_path: Path, gaps: int, limit: float, gone: bool
) -> None:
    policy = {"missing": {"columns": {"gap": {"drop_above": limit}}}}
    report = run(tmp_path, frame(gaps=gaps), project(COLUMNS, DATA, cleaning=policy))
    dataset = Dataset.open(tmp_path / "dataset")
    assert ("gap" in dataset.contract.names) == (not gone)
    assert ("gap" in dataset.X) == (not gone)
    assert list(report.dropped) == list(dataset.contract.dropped) == (["gap"] if gone else [])
    assert "gap" in pq.read_schema(tmp_path / "dataset").names, "a champion of before may ask for it"
    (line,) = (t for t in read_treatments(tmp_path / "dataset") if t.column == "gap")
    assert line.values == gaps
    assert line.effect.startswith("dropped: missing in " if gone else "kept")
    assert ("'gap' dropped: missing in 40.7% of the training rows" in report.summary) == (gaps == 57)


@pytest.mark.slow
def test_a_request_may_go_on_to_send_a_dropped_column_or_leave_it_out(tmp_path: Path) -> None:
    policy = {"missing": {"columns": {"gap": {"drop_above": 0.4}}}}
    run(tmp_path, frame(), project(COLUMNS, DATA, cleaning=policy))
    contract = Dataset.open(tmp_path / "dataset").contract
    row = {"x": 1, "w": "a", "must": 1, "on": True}
    with_it = contract.parse([{**row, "gap": "whatever it holds"}])
    pd.testing.assert_frame_equal(with_it, contract.parse([row]))
    assert list(with_it) == ["x", "w", "must", "on"]
    with pytest.raises(RequestError, match="column 'gaps' is not known"):
        contract.parse([{**row, "gaps": 1}])


@pytest.mark.slow
def test_outliers_are_quarantined_by_stated_limits_on_every_side_and_a_request_is_answered(tmp_path: Path) -> None:
    policy = {"outliers": {"x": {"action": "quarantine", "low": 0, "high": 198}}}
    report = run(tmp_path, frame(), project(COLUMNS, DATA, cleaning=policy))
    gone = {row[LINE]: row[REASONS] for row in pq.read_table(tmp_path / "quarantine").to_pylist()}
    assert gone == {
        1: ["outlier: column 'x' is below 0"],
        140: ["outlier: column 'x' is above 198"],
        200: ["outlier: column 'x' is above 198"],
    }
    (line,) = (t for t in report.treatments if t.column == "x")
    assert (line.values, line.effect) == (3, "rows quarantined; a request is answered")
    contract = Dataset.open(tmp_path / "dataset").contract
    assert contract.parse([{"x": 10**6, "gap": None, "w": "a", "must": 1, "on": True}])["x"].tolist() == [1e6]
    with pytest.raises(QuarantineError, match="outlier: column 'x' is above 20"):
        run(
            tmp_path,
            frame(),
            project(COLUMNS, DATA, cleaning={"outliers": {"x": {**policy["outliers"]["x"], "high": 20}}}),
        )


@pytest.mark.slow
def test_where_the_quartiles_are_one_number_nothing_is_beyond_them(tmp_path: Path) -> None:
    report = run(
        tmp_path, frame().assign(x="7"), project(COLUMNS, DATA, cleaning={"outliers": {"x": {"action": "clip"}}})
    )
    assert [(t.values, t.effect) for t in report.treatments if t.column == "x"] == [
        (0, "clipped in the model, about no limits")
    ]


@pytest.mark.slow
def test_the_report_counts_what_the_policy_comes_to(tmp_path: Path) -> None:
    policy = {
        "missing": {"columns": {"w": "most_frequent", "gap": {"indicator": True, "drop_above": 0.9}}, "delete": ["on"]},
        "outliers": {"x": {"action": "clip", "fences": 3}, "gap": {"action": "flag", "low": 1}},
    }
    rows = frame()
    rows.loc[3, "on"] = ""
    write_raw(tmp_path / "raw", rows)
    report = clean(
        project(COLUMNS, DATA, cleaning=policy),
        tmp_path / "raw", tmp_path / "dataset", tmp_path / "quarantine", tmp_path / "report",
    )  # fmt: skip
    told = {(t.column, t.policy): (t.values, t.effect) for t in report.treatments}
    assert told == {
        ("(rows)", "duplicates: the first stays"): (
            0,
            "rows quarantined as duplicate: the same id as an earlier row",
        ),
        ("w", "missing: impute most_frequent, with an indicator"): (20, "imputed in the model"),
        ("gap", "missing: with an indicator, dropped above 0.9 of the training rows"): (59, "kept as they are"),
        ("on", "missing: delete"): (1, "rows quarantined"),
        ("x", "outliers: clip beyond 3 IQR of the quartiles"): (2, told["x", report.treatments[-2].policy][1]),
        ("gap", "outliers: flag below 1"): (0, "flagged in the model, about 1 to ∞"),
    }
    train = Dataset.open(tmp_path / "dataset", "train").X["x"]
    shares = {(t.column, t.policy): t.share for t in report.treatments}
    assert shares["w", "missing: impute most_frequent, with an indicator"] == pytest.approx(20 / 199)
    assert shares["on", "missing: delete"] == pytest.approx(1 / 200), "of all rows, those set aside too"
    first, third = train.quantile([0.25, 0.75])
    low, high = first - 3 * (third - first), third + 3 * (third - first)
    ends = re.search(r"about (-?[\d.]+) to ([\d.]+)", told["x", "outliers: clip beyond 3 IQR of the quartiles"][1])
    assert ends is not None
    assert [float(end) for end in ends.groups()] == pytest.approx([low, high], abs=0.06)
    html = (tmp_path / "report").read_text()
    assert "What is done to values" in html
    assert "impute most_frequent, with an indicator" in html


@pytest.mark.slow
def test_more_rows_than_an_imputer_bears_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {"missing": {"columns": {"w": "most_frequent", "x": "knn"}}}
    wanted = project(COLUMNS, DATA, cleaning=policy)
    kept = run(tmp_path, frame(), wanted).splits
    monkeypatch.setitem(MOST_ROWS, "knn", kept["train"] + kept["validation"])  # type: ignore[arg-type]
    run(tmp_path, frame(), wanted)
    monkeypatch.setitem(MOST_ROWS, "knn", kept["train"] + kept["validation"] - 1)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"columns.x: knn is for at most 169 rows .* there are 170.*Impute the median"):
        run(tmp_path, frame(), wanted)


BAD: dict[str, tuple[dict, str]] = {
    "no such column": ({"missing": {"columns": {"gop": "mean"}}}, "no column 'gop' .did you mean 'gap'"),
    "no feature": ({"missing": {"columns": {"id": "mean"}}}, "missing.columns.id: it is no feature"),
    "the target": ({"outliers": {"y": "clip"}}, "outliers.y: it is no feature"),
    "a mean of words": ({"missing": {"columns": {"w": "mean"}}}, "a category has no mean"),
    "neighbours of words": ({"missing": {"columns": {"w": "knn"}}}, "a category has no knn"),
    "a constant without": ({"missing": {"columns": {"x": "constant"}}}, "a value is given with impute: constant"),
    "a value alone": ({"missing": {"columns": {"x": {"impute": "mean", "value": 1}}}}, "and with nothing else"),
    "nothing": ({"missing": {"columns": {"x": {}}}}, "say what becomes of its missing values"),
    "another way": ({"missing": {"columns": {"x": "magic"}}}, "cleaning.missing.columns.x: should be 'median'"),
    "a word for a number": (
        {"missing": {"columns": {"x": {"impute": "constant", "value": "a"}}}},
        "has to be a number",
    ),
    "a number for a word": ({"missing": {"columns": {"w": {"impute": "constant", "value": 3}}}}, "text in quotes"),
    "a number for a flag": ({"missing": {"columns": {"on": {"impute": "constant", "value": 3}}}}, "true or false"),
    "never missing": ({"missing": {"columns": {"must": "mean"}}}, "is not nullable"),
    "twice": ({"missing": {"columns": {"x": "mean"}, "delete": ["x"]}}, "'x' is in delete and in columns"),
    "all may be dropped": (
        {"missing": {"columns": {n: {"drop_above": 0.5} for n in ("x", "gap", "w", "must", "on")}}},
        "every feature may be dropped",
    ),
    "quarantine by what is learnt": ({"outliers": {"x": "quarantine"}}, "quarantine needs low or high"),
    "two kinds of limits": ({"outliers": {"x": {"action": "clip", "fences": 2, "low": 1}}}, "not both"),
    "limits the wrong way": ({"outliers": {"x": {"action": "clip", "low": 2, "high": 1}}}, "low 2 has to be below"),
    "an unlikely word": ({"outliers": {"w": "clip"}}, "a category has no outliers"),
}


@pytest.mark.parametrize(("cleaning", "message"), BAD.values(), ids=BAD)
def test_a_policy_that_cannot_be_is_refused_with_its_field(cleaning: dict, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        project(COLUMNS, DATA, cleaning=cleaning)


def test_what_may_be_dropped_decides_nothing_else() -> None:
    cleaning = {"missing": {"columns": {"x": {"drop_above": 0.5}}}}
    for section, field in (
        ({"monitoring": {"segments": ["x"]}}, "monitoring.segments"),
        ({"evaluation": {"rises_with": ["x"]}}, "evaluation.rises_with"),
        ({"design": {"simple_rule": {"column": "x", "at_least": 1}}}, "design.simple_rule.column"),
    ):
        with pytest.raises(ProjectError, match=f"{field}: 'x' may be dropped"):
            project(COLUMNS, DATA, cleaning=cleaning, **section)


def test_a_policy_travels_with_the_run() -> None:
    policy = {
        "missing": {"columns": {"x": "knn", "w": {"impute": "constant", "value": "none"}, "gap": {"drop_above": 0.5}}},
        "outliers": {"x": {"action": "clip", "fences": 3}, "gap": {"action": "quarantine", "low": 0}},
        "duplicates": {"by": ["w", "t"], "keep": "latest"},
        "split": {"method": "hash", "equal_rows": "apart"},
    }
    wanted = project(COLUMNS, DATA, cleaning=policy)
    assert project_from_json(project_to_json(wanted)) == wanted
    assert SPLIT not in wanted.data.columns
