"""When something is due: a cron expression as the CronJob of Kubernetes reads it.

Other programs take Sunday as 7, six fields or words such as ``@hourly``; Kubernetes refuses the first two when the
object is applied, so all that is not five plain fields is refused where the project is read.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

FIELDS = ("minute", "hour", "day", "month", "weekday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\w+))?", re.ASCII)


@dataclass(frozen=True)
class _Field:
    low: int
    high: int
    names: dict[str, int]


_KNOWN = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field(0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


def check_schedule(text: str) -> str:
    """Let a cron expression through that Kubernetes takes and that is due some day.

    Args:
        text: Minute, hour, day of the month, month and day of the week.

    Returns:
        The expression with single spaces.

    Raises:
        ValueError: Saying which field is wrong.
    """
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise ValueError(
            "give five fields, minute hour day month weekday, such as '7 * * * *' for hourly; "
            f"{text!r} has {len(fields)}"
        )
    due = [_values(name, field, known) for name, field, known in zip(FIELDS, fields, _KNOWN, strict=True)]
    days, months = due[2], due[3]
    if fields[4].startswith("*") and all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError(f"{text!r} is never due: no such month has a day {min(days)}")
    return " ".join(fields)


def _values(name: str, text: str, known: _Field) -> set[int]:
    """The numbers that a field stands for."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match["first"] == "*" and match["last"]):
            raise ValueError(f"{name} {text!r} is not one of '*', '5', '1-5', '*/15' or a list of these")
        first, last = known.low, known.high
        if match["first"] != "*":
            first = _number(name, match["first"], known)
            last = _number(name, match["last"], known) if match["last"] else known.high if match["step"] else first
        if last < first:
            raise ValueError(f"{name} {text!r} runs backwards")
        step = match["step"] or "1"
        if not step.isdigit() or int(step) == 0:
            raise ValueError(f"{name} {text!r}: the step has to be a number from 1 on")
        found |= set(range(first, last + 1, int(step)))
    return found


def _number(name: str, text: str, known: _Field) -> int:
    number = int(text) if text.isdigit() and len(text) < 4 else known.names.get(text.lower(), -1)
    if not known.low <= number <= known.high:
        words = f" or {next(iter(known.names))} to {list(known.names)[-1]}" if known.names else ""
        raise ValueError(f"{name} {text!r} has to be from {known.low} to {known.high}{words}")
    return number


def next_due(schedule: str, after: datetime) -> datetime | None:
    """When a schedule is due next, to the minute and in UTC, as the CronJob counts; None if not within five years.

    Args:
        schedule: A checked cron expression.
        after: A time with its zone.
    """
    fields = schedule.split()
    minutes, hours, days, months, weekdays = (
        _values(name, field, known) for name, field, known in zip(FIELDS, fields, _KNOWN, strict=True)
    )
    start = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    for ahead in range(5 * 366):
        day = start.date() + timedelta(days=ahead)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month not in months or not (any(fits) if either else all(fits)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if due >= start:
                    return due
    return None


def check_hours(text: str) -> str:
    """Let a span of the day through.

    Args:
        text: Such as ``22:00-06:00``, which is over at six the next morning; empty for none.

    Raises:
        ValueError: Saying what is wrong.
    """
    stripped = text.strip()
    if stripped and not _HOURS.fullmatch(stripped):
        raise ValueError(f"give two times of the day in UTC, such as '22:00-06:00'; {text!r} is not such a span")
    if stripped and len({*_hours(stripped)}) == 1:
        raise ValueError(f"{text!r} begins when it ends; leave the field empty, or set monitoring.mode to recommend")
    return stripped


def quiet_until(span: str, now: datetime) -> datetime | None:
    """When a checked span of the day is over, or None if it is not the time for it.

    Args:
        span: See ``check_hours``.
        now: A time with its zone.
    """
    if not span:
        return None
    moment = now.astimezone(UTC)
    first, last = _hours(span)
    wraps, clock = last < first, moment.time()
    inside = (clock >= first or clock < last) if wraps else first <= clock < last
    if not inside:
        return None
    day = moment.date() + timedelta(days=1 if wraps and clock >= first else 0)
    return datetime.combine(day, last, UTC)


def _hours(span: str) -> tuple[time, time]:
    first, last = (time.fromisoformat(part) for part in span.split("-"))
    return first, last
