"""Whose rows they are: people and things are told from measured numbers and codes."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.tables.entities import SeenRows, names_an_entity, share_known, sizes_of

RNG = np.random.default_rng(0)
EVEN, CHANCE = np.full(300, 8), RNG.poisson(8, 300)


@pytest.mark.parametrize(
    ("name", "sizes", "is_one"),
    [
        ("person", EVEN, True),
        ("person", CHANCE, True),
        ("customer_id", np.full(250, 2), True),
        ("customerId", CHANCE, True),
        ("store nr", CHANCE, True),
        ("email", CHANCE, True),
        ("Phone Number", CHANCE, True),
        ("mrn", CHANCE, True),
        ("Kundennr", CHANCE, True),
        ("emails", CHANCE, True),
        ("number of emails", CHANCE, False),
        ("k7", EVEN, True),  # nothing but an id has as many rows of every value
        ("k7", CHANCE, False),
        ("k7", np.full(250, 2), False),
        ("age", EVEN, False),
        ("hour", np.full(24, 100), False),
        ("zip_code", EVEN, False),
        ("number of patients", EVEN, False),
        ("person", np.full(19, 8), False),
        ("person", np.ones(300), False),
        ("temperature", np.full(60, 60), False),
    ],
)
def test_what_names_people_or_things(name: str, sizes: np.ndarray, is_one: bool) -> None:
    assert names_an_entity(name, sizes) is is_one


def test_sizes_leave_missing_values_out() -> None:
    assert sorted(sizes_of(pd.Series([1, 1, 2, None]))) == [1, 2]
    assert share_known(pd.Series(["a", "b", None]), pd.Series(["a", None])) == 0.5


def test_rows_that_were_seen_are_counted_and_chance_is_known() -> None:
    known = pd.DataFrame({"n": RNG.normal(size=500), "c": RNG.choice(["a", "b"], 500).astype(object)})
    test = pd.concat([known.iloc[:30], known.iloc[30:100].assign(n=0.5)])
    seen = SeenRows(100, 500)
    for name in known:
        seen.add(test[name].reset_index(drop=True), known[name])
    assert seen.share == 0.3
    assert seen.by_chance == pytest.approx(1 - np.exp(-500 * 0.5 / 500), abs=0.01)
    gaps = SeenRows(10, 10)
    gaps.add(pd.Series([np.nan] * 10), pd.Series([np.nan] * 5 + [1.0] * 5))
    assert (gaps.share, gaps.by_chance) == (1.0, pytest.approx(1 - np.exp(-10 * 0.5)))
    few = SeenRows(100, 500)
    few.add(test["c"].reset_index(drop=True), known["c"])
    assert (few.share, round(few.by_chance, 3)) == (1.0, 1.0)


@pytest.mark.parametrize("equal", [0, 40])
def test_rows_that_differ_in_the_first_columns_are_let_go_of_and_the_others_counted(equal: int) -> None:
    known = pd.DataFrame(RNG.normal(size=(2_000, 6)), columns=[f"n{n}" for n in range(6)]).assign(c="x")
    test = pd.DataFrame(RNG.normal(size=(300, 6)), columns=known.columns[:6]).assign(c="x")
    test.iloc[:equal] = known.iloc[5 : 5 + equal]
    test.iloc[equal : equal + 20, :5] = known.iloc[100:120, :5]  # equal up to the last number
    seen, looked_at = SeenRows(300, 2_000), 0
    for name in known:
        if not seen.is_settled:
            seen.add(test[name], known[name])
            looked_at += 1
    assert seen.share == equal / 300
    assert looked_at == (7 if equal else 6)
    assert seen.by_chance < 1e-6


def test_columns_that_change_places_are_other_rows() -> None:
    seen = SeenRows(1, 1)
    seen.add(pd.Series([1.0]), pd.Series([2.0]))
    seen.add(pd.Series([2.0]), pd.Series([1.0]))
    assert seen.share == 0.0
