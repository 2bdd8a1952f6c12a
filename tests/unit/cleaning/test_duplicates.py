"""Which of several rows that are the same stays, and that the others say which."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.core.errors import ProjectError, QuarantineError
from ciclo.components.core.own_columns import LINE, REASONS, ROW_ID, STAYED
from tests.unit.cleaning.test_clean import project, run

COLUMNS = {
    "id": {"type": "integer", "role": "ignored"},
    "mail": {"type": "category", "role": "ignored"},
    "t": {"type": "timestamp"},
    "n": {"type": "number"},
    "y": {"type": "boolean"},
}
# id, mail, t, n: what is the same in the first six of 200 rows
FIRST = [
    ("1", "a", "2026-01-03", "1"),
    ("1", "a", "2026-01-09", "2"),
    ("1", "a", "2026-01-09", "3"),
    ("1", "a", "2026-01-05", "junk"),
    ("2", "a", "2026-01-02", "5"),
    ("2", "", "2026-01-02", "5"),
]


def frame() -> pd.DataFrame:
    rows = [*FIRST, *((str(n), f"m{n}", "2026-02-01", str(n)) for n in range(100, 294))]
    return pd.DataFrame(rows, columns=["id", "mail", "t", "n"]).assign(y=[str(n % 2) for n in range(200)])


JUNK = (4, "type: column 'n' is not a finite number up to 3.4e38", None)
CASES = {
    "the first of an id": (
        {"id_columns": ["id"]},
        "first",
        [
            *((n, "duplicate: the same id as an earlier row", 1) for n in (2, 3)),
            JUNK,
            (6, "duplicate: the same id as an earlier row", 5),
        ],
    ),
    "the old word for it": (
        {"id_columns": ["id"]},
        "quarantine",
        [
            *((n, "duplicate: the same id as an earlier row", 1) for n in (2, 3)),
            JUNK,
            (6, "duplicate: the same id as an earlier row", 5),
        ],
    ),
    "the latest of an id, by time and then by line": (
        {"id_columns": ["id"], "time_column": "t"},
        "latest",
        [
            *((n, "duplicate: the same id as a later row", 3) for n in (1, 2)),
            JUNK,
            (5, "duplicate: the same id as a later row", 6),
        ],
    ),
    "the latest without a time is the last line": (
        {"id_columns": ["id"]},
        "latest",
        [
            *((n, "duplicate: the same id as a later row", 3) for n in (1, 2)),
            JUNK,
            (5, "duplicate: the same id as a later row", 6),
        ],
    ),
    "by a key of its own, which a row may lack": (
        {"id_columns": ["id"]},
        {"by": ["mail"], "keep": "first"},
        [
            *((n, "duplicate: the same 'mail' as an earlier row", 1) for n in (2, 3)),
            JUNK,
            (5, "duplicate: the same 'mail' as an earlier row", 1),
        ],
    ),
    "by a key, where nothing is an id": (
        {"time_column": "t"},
        {"by": ["mail"], "keep": "latest"},
        [
            *((n, "duplicate: the same 'mail' as a later row", 3) for n in (1, 2)),
            JUNK,
            (5, "duplicate: the same 'mail' as a later row", 3),
        ],
    ),
    "all of them": ({"id_columns": ["id"]}, "all", [JUNK]),
    "the old word for all": ({"id_columns": ["id"]}, "keep", [JUNK]),
    "equal in everything": ({}, "first", [JUNK]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_is_thrown_out_and_which_line_stayed(tmp_path: Path, case: str) -> None:
    data, duplicates, expected = CASES[case]
    cleaning = {"duplicates": duplicates, "split": {"method": "hash"}}
    report = run(tmp_path, frame(), project(COLUMNS, data, cleaning=cleaning))
    gone = [(r[LINE], r[REASONS][0], r[STAYED]) for r in pq.read_table(tmp_path / "quarantine").to_pylist()]
    assert gone == sorted(expected)
    kept = pq.read_table(tmp_path / "dataset").to_pandas()
    assert sorted([*kept[LINE], *(line for line, *_ in gone)]) == list(range(1, 201))
    assert kept[ROW_ID].is_unique
    replaced = sum("a later row" in reason for _, reason, _ in gone)
    assert report.counted == len(gone) - replaced


@pytest.mark.slow
def test_rows_that_a_later_one_replaces_break_no_budget(tmp_path: Path) -> None:
    rows = pd.concat([frame(), frame(), frame()])
    by_id = {"id_columns": ["id"]}
    assert run(tmp_path, rows, project(COLUMNS, by_id, cleaning={"duplicates": "latest"})).kept == 196
    with pytest.raises(QuarantineError, match="the same id as an earlier row"):
        run(tmp_path, rows, project(COLUMNS, by_id))


@pytest.mark.parametrize(
    ("duplicates", "message"),
    [
        ({"by": ["mial"]}, "cleaning.duplicates.by: there is no column 'mial' .did you mean 'mail'"),
        ({"by": ["mail"], "keep": "all"}, "by says which rows are the same"),
        ("newest", "cleaning.duplicates: .*'first', 'latest' or 'all'"),
    ],
)
def test_a_policy_that_cannot_be(duplicates: object, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        project(COLUMNS, cleaning={"duplicates": duplicates})
