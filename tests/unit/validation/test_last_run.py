"""Rows beside those of the last accepted version: what changed is named, what did not is not."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import reference_profile
from ciclo.components.validation.last_run import Beside, Counting, beside, last_run_checks
from ciclo.components.validation.last_run_report import show_last_run
from tests.tables import COLUMNS, TARGETS, project, table

CLASSES = ("false", "true")
MANY = {f"x{i}": {"type": "number"} for i in range(6)}


def charter(columns: dict, **sections: dict) -> Project:
    return project(data={"source": "t.csv", "target": "y", "columns": columns}, **sections)


def rows_of(asked: Project, frame: pd.DataFrame, classes: tuple[str, ...] = CLASSES) -> Dataset:
    frame = frame.copy()
    frame[SPLIT] = "train"
    return Dataset(Contract.of(asked, classes), frame)


def accepted(rows: Dataset, window_days: float = 7.0) -> Accepted:
    return Accepted(3, True, rows.contract, reference_profile(rows, window_days=window_days))


def compared(then: Accepted | None, rows: Dataset) -> Beside:
    counting = Counting(rows.features, then)
    return beside(then, rows, reference_profile(rows, features=counting), counting.counts, 0.1)


def findings(then: Accepted | None, rows: Dataset) -> list[str]:
    checks = last_run_checks(compared(then, rows), "warning")
    assert all(check.name == "last_run" and (";" in check.message) is not check.passed for check in checks)
    return [check.message for check in checks if not check.passed]


PLAIN = charter({"y": TARGETS["binary"], **COLUMNS})


@pytest.mark.slow
@pytest.mark.parametrize("rows", [150, 600])
def test_rows_of_one_distribution_are_alike(rows):
    found = [
        findings(accepted(rows_of(PLAIN, table(400, seed=seed))), rows_of(PLAIN, table(rows, seed=seed + 100)))
        for seed in range(10)
    ]
    assert sum(map(bool, found)) <= (10 if rows < 200 else 1)
    assert all("rows to learn from" in text for texts in found for text in texts) or rows > 200
    assert all(len(texts) == (rows < 200) for texts in found) or rows > 200


def timed(days: int, seed: int, a_day: int = 40) -> pd.DataFrame:
    """Six numbers, each of a day's own mean, one of them often missing on some days."""
    rng = np.random.default_rng(seed)
    rows = days * a_day
    frame = pd.DataFrame({n: np.repeat(rng.normal(0, 0.5, days), a_day) + rng.normal(size=rows) for n in MANY})
    frame.loc[rng.random(rows) < np.repeat(rng.uniform(0, 0.5, days), a_day), "x5"] = np.nan
    frame["at"] = pd.date_range("2026-01-05", periods=rows, freq=f"{1440 // a_day}min", tz="UTC")
    return frame.assign(y=rng.random(rows) < 0.4)


@pytest.mark.slow
def test_days_that_differ_by_themselves_are_no_finding_and_a_column_that_moved_is():
    asked = project(
        data={
            "source": "t.csv",
            "target": "y",
            "time_column": "at",
            "columns": {**MANY, "at": {"type": "timestamp"}, "y": TARGETS["binary"]},
        }
    )
    clean, moved = [], []
    for seed in range(12):
        then = accepted(rows_of(asked, timed(100, seed)))
        frame = timed(30, seed + 100)
        clean += findings(then, rows_of(asked, frame.iloc[:]))
        moved += findings(then, rows_of(asked, frame.assign(x0=frame["x0"] + 1.0)))
    others = [text for text in clean if "rows to learn from" not in text]
    assert len(others) <= 1, others
    assert all("over 100 days, and these are of 30 days" in text for text in clean if text not in others)
    named = [text for text in moved if "'x0'" in text]
    assert len(named) >= 10
    assert "days of it differ by at most" in named[0]


def test_rows_beside_themselves_lie_nowhere_and_only_what_lacks_values_has_windows_that_differ_in_that():
    asked = charter({**MANY, "at": {"type": "timestamp"}, "y": TARGETS["binary"]})
    asked = asked.model_copy(update={"data": asked.data.model_copy(update={"time_column": "at"})})
    rows = rows_of(asked, timed(100, 0))
    found = compared(accepted(rows), rows)
    assert not found.features.moved
    assert not found.missing.moved
    assert not found.target.moved
    for name in MANY:
        assert found.features.columns[name].effect == found.missing.columns[name].effect == 0
        assert max(found.features.columns[name].windows) > 0
        assert (max(found.missing.columns[name].windows) > 0) == (name == "x5")


@pytest.mark.parametrize(("then", "now", "named"), [(10, 25, False), (10, 35, True), (35, 10, True), (25, 10, False)])
def test_other_numbers_of_different_values_are_named_where_they_are_no_chance(then, now, named):
    rng = np.random.default_rng(0)
    before, after = (table(1_000).assign(count=rng.permutation(np.arange(1_000) % kinds)) for kinds in (then, now))
    found = findings(accepted(rows_of(PLAIN, before)), rows_of(PLAIN, after))
    text = f"'count' has {now} different values, where it had {then}"
    assert any(text in message for message in found) == named


@pytest.mark.parametrize(("rare", "share", "named"), [(0.0, 0.03, True), (0.02, 0.05, True), (0.04, 0.03, False)])
def test_a_category_that_was_not_known_is_named_where_it_is_more_than_all_that_were_not_kept_apart(rare, share, named):
    rows = np.arange(1_000)
    past = table(1_000)["colour"].mask(rows < 1_000 * rare, pd.Series(rows.astype(str)))
    now = table(1_000)["colour"].mask(rows < 1_000 * share, "violet").mask(rows >= 1_000 * (1 - rare), "teal")
    then = accepted(rows_of(PLAIN, table(1_000).assign(colour=past)))
    found = findings(then, rows_of(PLAIN, table(1_000).assign(colour=now)))
    assert any(f"it had not: 'violet' ({100 * share:g} %" in text for text in found) == named, found


BEFORE = table(1_000)


def changed(**columns: object) -> pd.DataFrame:
    return table(1_000, seed=1).assign(**columns)


NOW = changed()
CHANGES = {
    "fewer rows": (NOW.head(450), "450 rows to learn from, where they were 1,000"),
    "more missing": (
        changed(size=NOW["size"].mask(np.arange(1_000) % 4 == 0)),
        "'size' lacks 33.4 % of its values, where it lacked 10.9 %",
    ),
    "none missing": (
        changed(colour=NOW["colour"].fillna("red")),
        "'colour' lacks 0 % of its values, where it lacked 10.6 %",
    ),
    "moved": (changed(noise=NOW["noise"] + 1.0), "'noise' is distributed otherwise: its 10, 50 and 90 % quantiles"),
    "rounded": (changed(noise=NOW["noise"].round(1)), "different values, where it had 1,000"),
    "written otherwise": (
        changed(colour=NOW["colour"].str.upper()),
        "'colour' is distributed otherwise: values that it had not are 100 %, '",
    ),
    "a new category": (
        changed(colour=NOW["colour"].mask(np.arange(1_000) % 30 == 0, "violet")),
        "'colour' has values that it had not: 'violet' (3.4 %)",
    ),
    "another mix": (
        changed(colour=NOW["colour"].mask(np.arange(1_000) % 3 == 0, "red")),
        "'colour' is distributed otherwise: 'red' was 33.2 % and is",
    ),
    "another share": (changed(open=np.arange(1_000) % 10 > 0), "'open' is distributed otherwise: '"),
    "another balance": (
        changed(y=NOW["noise"] > -1.0),
        "the target 'y' is distributed otherwise: 'false' was 53.5 % and is 14.9 %",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_named_with_what_it_was_and_is(change):
    frame, words = CHANGES[change]
    found = findings(accepted(rows_of(PLAIN, BEFORE)), rows_of(PLAIN, frame))
    assert any(words in text for text in found), found
    assert len(found) <= 2
    for check in last_run_checks(compared(accepted(rows_of(PLAIN, BEFORE)), rows_of(PLAIN, frame)), "warning"):
        fewer = change in ("fewer rows", "none missing", "rounded")
        assert check.value < check.limit if fewer else check.value > check.limit
        if change.endswith("missing"):
            assert check.limit == pytest.approx(
                accepted(rows_of(PLAIN, BEFORE))
                .profile.columns["size" if change == "more missing" else "colour"]
                .missing
                + (0.1 if change == "more missing" else -0.1)
            )
    assert not findings(accepted(rows_of(PLAIN, BEFORE)), rows_of(PLAIN, NOW))


def test_a_category_that_was_renamed_is_named_by_both_names():
    frame = table(600)
    other = frame.assign(colour=frame["colour"].replace("red", "Red 2"))
    (found,) = findings(accepted(rows_of(PLAIN, frame)), rows_of(PLAIN, other))
    assert "values that it had not are" in found
    assert "'Red 2' (" in found
    assert "'red' was" in found
    assert "and is 0" in found


@pytest.mark.parametrize(
    ("usual", "lacking", "named"),
    [
        ([0.05, 0.4, 0.02, 0.3, 0.01, 0.05, 0.02, 0.03], 0.6, True),
        ([0.05, 0.4, 0.02, 0.3, 0.01, 0.05, 0.02, 0.03], 0.3, False),
        ([0.05, 0.4, 0.4, 0.3, 0.4, 0.05, 0.4, 0.4], 0.08, False),
    ],
)
def test_other_gaps_than_any_time_had_are_named_though_windows_differ_much(usual, lacking, named):
    columns = {**MANY, "at": {"type": "timestamp"}, "y": TARGETS["binary"]}
    asked = project(data={"source": "t.csv", "target": "y", "time_column": "at", "columns": columns})
    rng = np.random.default_rng(5)

    def lacks(seed: int, weeks: list[float]) -> Dataset:
        frame = timed(56, seed)
        frame["x4"] = frame["x4"].mask(rng.random(len(frame)) < np.repeat(weeks, len(frame) // 8))
        return rows_of(asked, frame)

    found = findings(accepted(lacks(1, usual)), lacks(2, [lacking] * 8))
    assert any("'x4' lacks" in text for text in found) is named, found


def test_columns_and_classes_that_come_and_go_are_named():
    before, now = table(1_000, "multiclass"), table(1_000, "multiclass", seed=1)
    classes = {"y": {"type": "category"}}
    then = accepted(rows_of(charter(classes | COLUMNS), before, ("low", "mid", "high")))
    columns = {n: c for n, c in COLUMNS.items() if n != "open"}
    asked = charter({**classes, **columns, "count": {"type": "category"}, "new": {"type": "number"}})
    frame = now.assign(count=now["count"].astype(str), new=now["noise"], y=now["y"].replace("high", "top"))
    found = findings(then, rows_of(asked, frame, ("low", "mid", "top")))
    for words in (
        "column 'open' is gone, which version 3, the champion, was trained on",
        "column 'new' is new",
        "column 'count' was of type integer and is of type category",
        "the target 'y' has new classes: top and has lost high",
    ):
        assert any(words in text for text in found), found


def test_of_several_new_categories_those_with_most_rows_are_named_first():
    rows = np.arange(1_000)
    colours = NOW["colour"].mask(rows % 30 == 0, "teal").mask(rows % 15 == 1, "violet")
    (found,) = findings(accepted(rows_of(PLAIN, BEFORE)), rows_of(PLAIN, changed(colour=colours)))
    assert found.index("'violet'") < found.index("'teal'")


@pytest.mark.parametrize(
    ("then", "passed", "words"),
    [
        (None, True, "nothing was published yet"),
        (
            Accepted(4, problem="its signature is not trusted"),
            False,
            "version 4, the champion, cannot be compared with",
        ),
        (Accepted(None, problem="the store does not answer"), False, "the last accepted version, cannot be"),
        ("another target", True, "version 3, the champion, predicts 'noise' (regression), and this run 'y' (binary)"),
    ],
)
@pytest.mark.parametrize("level", ["warning", "error"])
def test_a_version_that_cannot_be_compared_with_stops_nothing(then, passed, words, level):
    if then == "another target":
        asked = project(data={"source": "t.csv", "target": "noise", "columns": {"y": TARGETS["binary"], **COLUMNS}})
        then = accepted(rows_of(asked, BEFORE, ()))
    (check,) = last_run_checks(compared(then, rows_of(PLAIN, NOW)), level)
    assert (check.passed, words in check.message) == (passed, True), check
    assert check.passed or check.level == "warning"


def test_columns_without_values_and_profiles_of_earlier_releases_are_compared_as_far_as_they_go():
    empty = BEFORE.assign(size=np.nan, colour=None)
    then = accepted(rows_of(PLAIN, empty.assign(colour=empty["colour"].astype(object))))
    assert findings(then, rows_of(PLAIN, NOW))
    past = then.profile.model_dump() | {"joint": None}
    for column in past["columns"].values():
        del column["distinct"], column["top"]
    old = Accepted(1, False, then.contract, type(then.profile).model_validate(past))
    assert findings(old, rows_of(PLAIN, NOW))


@pytest.mark.slow
def test_both_runs_are_drawn_beside_each_other():
    then, rows = accepted(rows_of(PLAIN, BEFORE)), rows_of(PLAIN, CHANGES["a new category"][0])
    report = Report("both")
    show_last_run(report, compared(then, rows))
    html = report.html()
    for name in (*COLUMNS, "target"):
        drawn = html.partition(f'aria-label="{name} then and now"')[2].partition("</svg>")[0]
        assert drawn.count('class="fill past"') == drawn.count('class="fill accent"') > 1, name
    colours = html.partition('aria-label="colour then and now"')[2].partition("</svg>")[0]
    assert "red 3" in colours
    assert ", then 3" in colours
    assert 'aria-label="Share of missing values"' in html
    assert ("version 3" in html, ">1,000<" in html, "None has moved" in html) == (True, True, True)
    nothing = Report("none")
    show_last_run(nothing, compared(None, rows))
    assert "Not compared: nothing was published yet" in nothing.html()
