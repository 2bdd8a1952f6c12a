"""How a column is written: what its values decide, what they leave open, and what they do not say at all."""

import random
from datetime import date, timedelta

import pyarrow as pa
import pytest

from ciclo.components.core.dates import WrittenDate
from ciclo.components.core.rules import Plain
from ciclo.components.drafting.conventions import (
    MARKED,
    MARKED_NUMBER,
    Marks,
    Written,
    compact_date,
    counts,
    decide,
    more_counts,
    of_plain,
    plain_counts,
    settled,
    varieties,
    without_unit,
)
from ciclo.components.tables.datasets import collect, connect

ROWS = 200
N = range(ROWS)
DAYS = [date(2021, 3, 1) + timedelta(days=5 * i) for i in N]


def marks_of(texts: list[str]) -> Marks:
    """What is counted of values."""
    connection = connect()
    connection.con.register("texts", pa.table({"text": texts}))
    table = connection.table("texts")
    unit, bare = without_unit(table["text"])
    table = table.mutate(unit=unit, bare=bare)
    conditions = {n: c.fill_null(False).sum() for n, c in more_counts(table["text"], table["bare"]).items()}
    parts = {name: part.nunique() for name, part in varieties(table["text"]).items()}
    (found,) = collect(table.aggregate(**conditions, **parts)).to_pylist()
    units = collect(table.group_by("unit").aggregate(rows=table.count())).to_pylist()
    by_unit = {row["unit"]: row["rows"] for row in units}
    return Marks({n: int(v) for n, v in found.items()}, by_unit, len(texts), len({*texts}))


def written(texts: list[str], mark: str = "") -> Written | None:
    """How a column of these values is written, in a file whose other columns have a decimal mark."""
    marks = marks_of(texts)
    found = decide(marks)
    return None if found is None else settled(found, marks, mark)


def time_like(form: WrittenDate) -> Plain:
    return Plain("timestamp", dates=form)


def strayed(texts: list[str], stray: str, count: int) -> list[str]:
    return [stray if i < count else text for i, text in enumerate(texts)]


SHORT = [f"{d:%d/%m/%y}" for d in DAYS]
DOLLARS = [f"${i + 1}.50" for i in N]
OWED = [f"({i})" if i % 3 else f"{i}" for i in N]
BIRTHS = [f"{d.day}.{d.month}.{40 + i % 50}" for i, d in enumerate(DAYS)]
EITHER = [f"{i % 12 + 1}/{i * 5 % 12 + 1}/{40 + i % 50}" for i in N]
EARLY = [f"{d:%d/%m}/{1 + i % 11:02d}" for i, d in enumerate(DAYS)]
FEW = [f"{1 + i % 4:02d}/{1 + i // 4 % 12:02d}/{20 + i % 5}" for i in N]
ISO = [f"{d:%Y/%m/%d}" if i % 2 else f"{d}" for i, d in enumerate(DAYS)]
DEBTS = [f"-$1,{i + 100}" if i % 3 else f"($1,{i + 100}.25)" for i in N]
LONG = [f"{d.day}/{d.month}/{d.year}" for d in DAYS]
LONG_OF_EITHER = [f"{i % 12 + 1}.{i * 5 % 12 + 1}.2023" for i in N]
READ: dict[str, tuple[list[str], Plain]] = {
    "day first": (strayed(LONG, "4/17/2023", 1), Plain("timestamp", day_first=True)),
    "month first, long": ([f"{d.month}-{d.day}-{d.year}" for d in DAYS], Plain("timestamp", day_first=False)),
    "as few days and as many years": (
        [f"{i % 28 + 1:02d}/{i % 12 + 1:02d}/{i % 10 + 1:02d}" for i in N],
        time_like("31/12/26"),
    ),
    "as many years and as few days": (
        [f"{i % 10 + 13:02d}/{i % 12 + 1:02d}/{i % 28 + 1:02d}" for i in N],
        time_like("26/12/31"),
    ),
    "short dates": (SHORT, time_like("31/12/26")),
    "short dates of births": (BIRTHS, time_like("31/12/26")),
    "month first": ([f"{d:%m-%d-%y}" for d in DAYS], time_like("12/31/26")),
    "short years first": ([f"{d:%y/%m/%d}" for d in DAYS], time_like("26/12/31")),
    "short years first of births": ([f"{40 + i % 50}-{d:%m-%d}" for i, d in enumerate(DAYS)], time_like("26/12/31")),
    "years first beside ISO": (
        [f"{d:%Y/%m/%d}" if i % 2 else f"{d}" for i, d in enumerate(DAYS)],
        time_like("2026/12/31"),
    ),
    "a stray in a hundred": (strayed(SHORT, "soon", 2), time_like("31/12/26")),
    "one day beyond twelve": (strayed(EITHER, "13/1/50", 1), time_like("31/12/26")),
    "a point of either": ([f"{i % 9 + 1}.{100 + i}" for i in N], Plain("number")),
    "dollars": (DOLLARS, Plain("number", unit="$")),
    "dollars and a stray": (strayed(DOLLARS, "€1", 2), Plain("number", unit="$")),
    "a sign now and then": ([f"{i}.5" if i % 2 else f"{i} €" for i in N], Plain("number", unit="€")),
    "owed": (OWED, Plain("number", negative="(1)")),
    "owed nine times in ten": ([f"{i}" if i % 10 == 0 else f"({i})" for i in N], Plain("number", negative="(1)")),
    "owed at the end": ([f"{i}-" if i % 3 else f"{i}" for i in N], Plain("number", negative="1-")),
    "all below zero": ([f"\u2212{i}" for i in N], Plain("number", negative="\u22121")),
    "owed dollars": (
        [f"-$1,{i + 100}" if i % 3 else f"($1,{i + 100}.25)" for i in N],
        Plain("number", unit="$", thousands=",", negative="(1)"),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_the_values_decide(name: str) -> None:
    texts, rules = READ[name]
    random.Random(0).shuffle(texts)
    found = written(texts)
    assert found is not None
    assert (found.rules, found.question) == (rules, "")


ASKED: dict[str, tuple[list[str], str]] = {
    "either order": (EITHER, "dates to 31/12/26 or 12/31/26"),
    "days as few as years": (FEW, "dates to 31/12/26 or 12/31/26 or 26"),
    "either order, long": (LONG_OF_EITHER, "set day_first"),
    "too few days": (
        [f"{i % 27 + 1:02d}/{i % 12 + 1:02d}/{i % 10 + 1:02d}" for i in N],
        "dates to 31/12/26 or 26/12/31",
    ),
    "too few days at the end": (
        [f"{i % 10 + 13:02d}/{i % 12 + 1:02d}/{i % 27 + 1:02d}" for i in N],
        "dates to 31/12/26 or 26/12/31",
    ),
    "too many years": (
        [f"{i % 11 + 13:02d}/{i % 12 + 1:02d}/{i % 28 + 1:02d}" for i in N],
        "dates to 31/12/26 or 26/12/31",
    ),
    "years that could be days": (EARLY, "dates to 31/12/26 or 26"),
    "two currencies": (strayed(DOLLARS, "€1", 3), "'$' in 197 rows, '€' in 3 rows"),
    "per cent and not": (strayed([f"{i} %" for i in N], "0.5", 3), "197 of its numbers have a % and 3 have none"),
    "school marks": ([f"{i % 6 + 1}{'-' if i % 3 else ''}" for i in N], 'negative: "1-" or type: category'),
    "a comma of either": ([f"${i % 9 + 1},{100 + i}" for i in N], 'decimal: ","'),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_the_values_leave_open(name: str) -> None:
    texts, question = ASKED[name]
    found = written(texts)
    assert found is not None
    assert question in found.question


NOTHING: dict[str, list[str]] = {
    "both orders": [f"{13 + i % 9}/{1 + i % 9}/2023" if i % 2 else f"{1 + i % 9}/{13 + i % 9}/2023" for i in N],
    "strays": strayed(SHORT, "soon", 3),
    "few dates": [SHORT[i % 32] for i in N],
    "dollars and words": strayed(DOLLARS, "free", 3),
    "names in brackets": [f"({i})" for i in N],
    "nearly all in brackets": [f"{i}" if i % 11 == 0 else f"({i})" for i in N],
    "nearly all at the end": [f"{i}" if i % 11 == 0 else f"{i}-" for i in N],
    "telephones": [f"+41 {100 + i} {200 + i}" for i in N],
    "months without a year": [f"{i % 28 + 1}-Jan" for i in N],
    "days that are none": [f"{i % 28 + 1}/{i % 28 + 1}/{40 + i % 50}" for i in N],
    "units alone": ["$" for _ in N],
    "two units": [f"${i} USD" for i in N],
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_the_values_do_not_say(name: str) -> None:
    assert written(NOTHING[name]) is None


@pytest.mark.slow
def test_one_mark_decides_what_a_comma_is() -> None:
    (found, undecided) = written([*map(str, N[1:]), "1,55"]), written([f"{i % 9 + 1},{100 + i}" for i in N])
    assert found is not None
    assert (found.rules, found.decides) == (Plain("number", decimal=","), True)
    assert undecided is not None
    assert not undecided.decides


@pytest.mark.slow
def test_the_rest_of_the_file_decides_what_a_comma_is_and_the_unit_stays() -> None:
    found = written([f"{i % 9 + 1},{100 + i} €" for i in N], mark=",")
    assert found is not None
    assert (found.rules, found.question) == (Plain("number", decimal=",", unit="€"), "")


@pytest.mark.slow
def test_what_is_said_of_a_unit() -> None:
    assert [found.note for found in (written(DOLLARS), written([f"{i} %" for i in N])) if found] == [
        "in $",
        "in per cent: 12.5 % is 12.5",
    ]
    found = written(strayed(DOLLARS, "5", 20))
    assert found is not None
    assert found.note == "in $, which 20 values do not say"


@pytest.mark.parametrize(
    ("name", "valid", "different", "is_date"),
    [
        ("code", 200, 32, True),
        ("code", 200, 31, False),
        ("code", 197, 150, False),
        ("code", 198, 150, True),
        ("order_date", 200, 1, True),
        ("OrderDate", 200, 1, True),
        ("DAY", 200, 1, True),
        ("candidate", 200, 31, False),
        ("update", 200, 31, False),
        ("daytona", 200, 31, False),
        ("date", 197, 150, False),
    ],
)
def test_when_numbers_are_days(name: str, valid: int, different: int, is_date: bool) -> None:
    expected = Written(time_like("20261231")) if is_date else None
    assert compact_date(name, valid, different, ROWS) == expected


def test_plain_numbers_are_counted_by_fewer_patterns_with_the_same_answer() -> None:
    digits = [
        "0",
        "7",
        "12",
        "123",
        "1234",
        "1.5",
        "1.234",
        "12.345.678",
        "1234.",
        ".5",
        "0.000",
        "1e5",
        "1E-3",
        "1.5e+10",
    ]
    texts = [sign + text for sign in ("", "-", "+") for text in digits if text.count(".") < 2] + ["inf", "Infinity"]
    connection = connect()
    connection.con.register("texts", pa.table({"place": range(len(texts)), "raw": texts}))
    table = connection.table("texts")
    by_all = collect(table.select("place", **counts(table["raw"]))).to_pylist()
    by_few = collect(table.select("place", **plain_counts(table["raw"]))).to_pylist()
    for every, few in zip(by_all, by_few, strict=True):
        place = every.pop("place")
        assert {**of_plain(few)} == {name: bool(held) for name, held in every.items()}, texts[place]
    marked = table.filter(table["raw"].try_cast("float64").abs() < 1e300)
    marked = marked.select(all=marked["raw"].re_search(MARKED), few=marked["raw"].re_search(MARKED_NUMBER))
    assert collect(marked.filter(marked["all"] != marked["few"])).num_rows == 0
