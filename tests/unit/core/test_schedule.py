from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.schedule import check_schedule, next_due


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("7 * * * *", "7 * * * *"),
        ("  0   6 * *\tmon-fri ", "0 6 * * mon-fri"),
        ("*/15 0-6,20-23 1,15 JAN,jul 0", "*/15 0-6,20-23 1,15 JAN,jul 0"),
        ("5/20 * * * *", "5/20 * * * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 2,3 *", "0 0 31 2,3 *"),
        ("0 0 31 2 1", "0 0 31 2 1"),  # either the day or the weekday
    ],
)
def test_what_kubernetes_takes_is_taken(text: str, kept: str) -> None:
    assert check_schedule(text) == kept


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' has 0"),
        ("@hourly", "give five fields"),
        ("0 7 * * * *", "has 6"),
        ("60 * * * *", "minute '60' has to be from 0 to 59"),
        ("* 24 * * *", "hour '24' has to be from 0 to 23"),
        ("* * 0 * *", "day '0' has to be from 1 to 31"),
        ("* * * 13 *", "month '13' has to be from 1 to 12 or jan to dec"),
        ("* * * * 7", "weekday '7' has to be from 0 to 6 or sun to sat"),
        ("* * * * sunday", "weekday 'sunday'"),
        ("*/0 * * * *", "step has to be a number from 1 on"),
        ("*/x * * * *", "step has to be a number from 1 on"),
        ("30-10 * * * *", "runs backwards"),
        ("1,,2 * * * *", "is not one of"),
        ("*-5 * * * *", "is not one of"),
        ("-1 * * * *", "is not one of"),
        ("² * * * *", "is not one of"),
        ("TZ=UTC 0 * * *", "is not one of"),
        ("0 0 31 2 *", "is never due: no such month has a day 31"),
        ("0 0 31 4,6,sep,11 *", "is never due"),
    ],
)
def test_anything_else_is_refused_by_its_field(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        check_schedule(text)


@given(st.text(alphabet="*/-,0123456789 monjan", max_size=20))
def test_no_text_gives_anything_but_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert check_schedule(text).split() == text.split()


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("7 * * * *", "2026-01-01T10:06:59", "2026-01-01T10:07"),
        ("7 * * * *", "2026-01-01T10:07:00", "2026-01-01T11:07"),
        ("*/15 * * * *", "2026-12-31T23:59:00", "2027-01-01T00:00"),
        ("30 6 * * mon-fri", "2026-01-02T06:30:00", "2026-01-05T06:30"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00"),
        ("0 12 13 * fri", "2026-11-10T00:00:00", "2026-11-13T12:00"),
        ("0 12 1 * fri", "2026-11-03T00:00:00", "2026-11-06T12:00"),
        ("0 12 */2 * 1", "2026-11-03T00:00:00", "2026-11-09T12:00"),
    ],
)
def test_the_next_time_is_that_of_cron(schedule: str, after: str, due: str) -> None:
    found = next_due(schedule, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found is not None
    assert found.isoformat(timespec="minutes").removesuffix("+00:00") == due
