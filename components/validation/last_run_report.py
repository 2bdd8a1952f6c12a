"""The part of the validation report that shows the rows of this run beside those of the last accepted version."""

from collections.abc import Iterator

from ciclo.components.core.binned import binned_chart
from ciclo.components.core.charts import Bar, bars, key, percent
from ciclo.components.core.profile import Profile
from ciclo.components.core.report import Report
from ciclo.components.core.svg import Svg
from ciclo.components.core.wording import counted
from ciclo.components.validation.last_run import Beside

CHARTS = 80_000  # bytes of charts of columns, so that a report stays below a megabyte
DRAWN = 24  # bars of missing values
LISTED = 40


def show_last_run(report: Report, found: Beside) -> None:
    """Add rows, missing values and the distribution of every column, then and now; or why there are none."""
    past = found.past
    if found.accepted is None or past is None:
        report.section("Beside the last accepted version").text(f"Not compared: {found.reason}.")
        return
    then = found.accepted.name
    report.section(f"Beside {then}")
    facts: list[list[object]] = [["rows to learn from", past.rows, found.profile.rows]]
    if past.start or found.profile.start:
        facts += [["first", _day(past.start), _day(found.profile.start)]]
        facts += [["last", _day(past.end), _day(found.profile.end)]]
    report.table(["", f"version {found.accepted.version}", "this run"], facts)
    names = _order(found)
    entries = [("past", f"version {found.accepted.version}"), ("accent", "this run")]
    if found.features.days:
        entries.append(("usual", f"usual in {counted(found.features.days, 'day')} of it"))
    drawn = list(_drawn(found, past, names))
    report.text(_what(found, names, len(drawn))).chart(key(entries))
    target = [_target(found, past)] if found.target.columns else []
    report.charts([*target, *drawn, *_missing(found, past)])
    heads = ["missing then", "missing now", "different then", "different now", "mean then", "mean now"]
    report.table(["feature", "distance", "limit", *heads], [_row(found, past, name) for name in names[:LISTED]])


def _row(found: Beside, past: Profile, name: str) -> list[object]:
    one, then, now = found.features.columns[name], past.columns[name], found.profile.columns[name]
    missing = [percent(column.missing) for column in (then, now)]
    return [name, one.effect, one.limit, *missing, then.distinct, now.distinct, then.mean, now.mean]


def _order(found: Beside) -> list[str]:
    """The features that both have, the furthest beyond its limit first."""
    columns = found.features.columns
    return sorted(columns, key=lambda name: -columns[name].effect / max(columns[name].limit, 1e-9))


def _drawn(found: Beside, past: Profile, names: list[str]) -> Iterator[tuple[str, Svg]]:
    room = CHARTS
    for name in names:
        chart = _chart(found, past, name)
        room -= len(chart.encode())
        if room < 0:
            return
        yield _caption(found, name), chart


def _what(found: Beside, names: list[str], drawn: int) -> str:
    text = f"The share of each value or bin of {counted(len(names), 'feature')}, missing values aside"
    rest = f": the {drawn:,} that come nearest to their limit, or are furthest beyond it" if len(names) > drawn else ""
    moved = len(found.features.moved)
    return f"{text}{rest}. {'None has' if not moved else f'{moved:,} have' if moved > 1 else 'One has'} moved."


def _caption(found: Beside, name: str) -> str:
    one = found.features.columns[name]
    return f"{name}: {'moved by' if one.moved else 'distance'} {one.effect:.2f}"


def _chart(found: Beside, past: Profile, name: str) -> Svg:
    column, one = past.columns[name], found.features.columns[name]
    title = f"{name} then and now"
    return binned_chart(title, column.bin_names[:-1], column.counts[:-1], one.counts.tolist(), one.band, "then")


def _target(found: Beside, past: Profile) -> tuple[str, Svg]:
    (one,) = found.target.columns.values()
    names, counts = past.target.bin_names, one.counts.tolist()
    return f"Target: {found.contract.target}", binned_chart(
        "target then and now", names, past.target.counts, counts, then="then"
    )


def _missing(found: Beside, past: Profile) -> list[tuple[str, Svg]]:
    shares = {name: (past.columns[name].missing, found.profile.columns[name].missing) for name in found.counts}
    some = [name for name, both in shares.items() if max(both) > 0]
    if not some:
        return []
    worst = sorted(some, key=lambda name: (-abs(shares[name][0] - shares[name][1]), -max(shares[name])))[:DRAWN]
    return [("Missing values", bars("Share of missing values", [Bar(n, *shares[n]) for n in worst], "then"))]


def _day(time: str | None) -> str:
    return time[:16].replace("T", " ") if time else "not known"
