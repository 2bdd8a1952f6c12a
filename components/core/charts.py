"""Small charts as inline SVG, drawn by hand: a report of thirty columns costs milliseconds, not seconds.

Colours are the variables of the report's style sheet, so that light and dark come by themselves. Each chart has a title
and a description for those who do not see it, and all text that comes from outside is escaped and cut.
"""

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ciclo.components.core.svg import WIDTH, Svg, drawable, hint, nice, px, svg, text
from ciclo.components.core.wording import clean, distinct, number

LEFT, RIGHT = 58, 10
POINTS = 180
LABEL = 20
TINY = 1e-290  # to divide by less may give infinity
HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336)  # between dates of the axis of time
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True)
class Point:
    """One value at one time, with the ends of its interval where it has one."""

    time: datetime
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A line over time.

    Attributes:
        name: For the key.
        points: In the order of time.
        tone: ``accent``, ``second`` or ``past``.
        dashed: Draw it dashed and in steps, as a reference.
    """

    name: str
    points: tuple[Point, ...]
    tone: str = "accent"
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that happened: a dot, or a line across the chart.

    Attributes:
        time: When.
        text: What, for those who point at it.
        tone: ``good``, ``warn``, ``bad``, ``accent`` or ``past``.
        across: A line with its label, as for a new version.
    """

    time: datetime
    text: str
    tone: str = "accent"
    across: bool = False


@dataclass(frozen=True)
class Span:
    """A state that lasted."""

    start: datetime
    end: datetime
    text: str
    tone: str = "accent"


@dataclass(frozen=True)
class Lane:
    """One row of a timeline."""

    name: str
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Bar:
    """One bin: its share then and now, and what it usually is."""

    label: str
    past: float
    now: float
    low: float | None = None
    high: float | None = None


def line_chart(title: str, lines: Sequence[Line], marks: Sequence[Mark] = (), height: int = 230) -> Svg:
    """Values over time, each with the band of its interval.

    Args:
        title: What is drawn; read aloud, not drawn.
        lines: What to draw; many points are thinned out.
        marks: What happened meanwhile.
        height: Of the drawing, which is 600 wide.
    """
    drawn = [line for line in (_finite(line) for line in lines) if line.points]
    times = [p.time for line in drawn for p in line.points] + [m.time for m in marks]
    values = [v for line in drawn for p in line.points for v in (p.value, p.low, p.high) if v is not None]
    if not values:
        return Svg("")
    clock, ticks = _Clock(min(times), max(times)), nice(min(values), max(values))
    bottom, top = height - 26, 24

    def y(value: float) -> str:
        return px(bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - top))

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t)}" y2="{y(t)}"/>'
        f'<text class="end" x="{LEFT - 6}" y="{float(y(t)) + 4:.0f}">{label}</text>'
        for t, label in zip(ticks, distinct(ticks), strict=True)
    ]
    parts += clock.axis(bottom)
    parts += [_across(m, clock, top, bottom) for m in _apart([m for m in marks if m.across], clock, 24)]
    for line in drawn:
        band = [p for p in line.points if p.low is not None and p.high is not None]
        if len(band) > 1:
            edge = [f"{clock.x(p.time)},{y(p.high or 0)}" for p in band]
            edge += [f"{clock.x(p.time)},{y(p.low or 0)}" for p in reversed(band)]
            parts.append(f'<polygon class="band {line.tone}" points="{" ".join(edge)}"/>')
        elif band:
            x = clock.x(band[0].time)
            parts.append(
                f'<line class="whisker {line.tone}" x1="{x}" x2="{x}" '
                f'y1="{y(band[0].low or 0)}" y2="{y(band[0].high or 0)}"/>'
            )
        parts.append(f'<path class="line {line.tone}{" dashed" * line.dashed}" d="{_path(line, clock, y)}"/>')
        if len(line.points) <= POINTS / 4 and not line.dashed:
            parts += [
                f'<circle class="dot {line.tone}" cx="{clock.x(p.time)}" cy="{y(p.value)}" r="2.5">'
                f"{hint(f'{p.time:%Y-%m-%d %H:%M}: {number(p.value)}{_ends(p)}')}</circle>"
                for p in line.points
            ]
    parts += [
        f'<circle class="dot {m.tone}" cx="{clock.x(m.time)}" cy="{bottom}" r="4">{hint(m.text)}</circle>'
        for m in _apart([m for m in marks if not m.across], clock)
    ]
    ends = [f"{line.name}: last {number(line.points[-1].value)}{_ends(line.points[-1])}" for line in drawn]
    return svg(title, "; ".join(ends), height, parts)


def bars(title: str, rows: Sequence[Bar], then: str = "in training") -> Svg:
    """Shares of bins, then and now, each on the band that is usual.

    Args:
        title: What is drawn; read aloud, not drawn.
        rows: The bins, from top to bottom.
        then: When the other share was, for those who have it read to them.
    """
    left, right, pitch, width = 132, 54, 22, 390
    scale = _scale(width - left - right, max([v for r in rows for v in (r.past, r.now, r.high or 0)], default=0))
    parts = []
    for index, row in enumerate(rows):
        y = 4 + index * pitch
        outside = row.low is not None and row.high is not None and not row.low - 1e-9 <= row.now <= row.high + 1e-9
        if row.low is not None and row.high is not None:
            wide = max((row.high - row.low) * scale, 2)
            parts.append(
                f'<rect class="usual" x="{px(left + row.low * scale)}" y="{y}" width="{px(wide)}" height="18"/>'
            )
        parts.append(
            f'<rect class="fill past" x="{left}" y="{y + 2}" width="{px(row.past * scale)}" height="6"/>'
            f'<rect class="fill accent" x="{left}" y="{y + 9}" width="{px(row.now * scale)}" height="7"/>'
            f'<text class="end" x="{left - 6}" y="{y + 13}">{text(row.label, LABEL)}</text>'
            f'<text class="{"strong" if outside else "note"}" x="{width - right + 4}" y="{y + 13}">'
            f"{html.escape(percent(row.now))}</text>"
        )
    known = [f"{row.label} {percent(row.now)}, {then} {percent(row.past)}" for row in rows]
    return svg(title, "; ".join(clean(k, 80) for k in known), 8 + len(rows) * pitch, parts, width, "chart")


def strip(title: str, value: float, usual: Sequence[float], most: float) -> Svg:
    """One value on the range of those that are usual, small enough for a cell of a table.

    Args:
        title: What is drawn; read aloud, not drawn.
        value: Drawn as a dot.
        usual: Drawn as a bar from the least to the greatest; may be empty.
        most: The value at the right end.
    """
    scale = _scale(150, most)
    parts = ['<line class="grid" x1="4" x2="156" y1="9" y2="9"/>']
    known = sorted(v for v in usual if math.isfinite(v))
    if known:
        low, wide = 4 + known[0] * scale, max((known[-1] - known[0]) * scale, 2)
        parts.append(f'<rect class="usual" x="{px(low)}" y="3" width="{px(min(wide, 152))}" height="12"/>')
    tone = "bad" if known and value > known[-1] else "accent"
    parts.append(f'<circle class="dot {tone}" cx="{px(4 + min(max(value, 0) * scale, 150))}" cy="9" r="4"/>')
    usually = f"usually {number(known[0])} to {number(known[-1])}" if known else "what is usual is not known"
    return svg(title, f"{number(value)}, {usually}", 18, parts, 160, "strip")


def timeline(title: str, lanes: Sequence[Lane]) -> Svg:
    """States and events on lanes over one axis of time.

    Args:
        title: What is drawn; read aloud, not drawn.
        lanes: From top to bottom; empty ones are left out.
    """
    shown = [lane for lane in lanes if lane.spans or lane.marks]
    times = [t for lane in shown for s in lane.spans for t in (s.start, s.end)]
    times += [m.time for lane in shown for m in lane.marks]
    if not times:
        return Svg("")
    clock, pitch, top = _Clock(min(times), max(times), 92), 30, 6
    bottom = top + pitch * len(shown)
    parts = clock.axis(bottom, top)
    for index, lane in enumerate(shown):
        y = top + index * pitch
        parts.append(f'<text class="end" x="86" y="{y + 18}">{text(lane.name, 14)}</text>')
        for span in _wide(lane.spans, clock):
            start, end = float(clock.x(span.start)), float(clock.x(span.end))
            wide = max(end - start, 2)
            parts.append(
                f'<rect class="fill {span.tone}" x="{px(start)}" y="{y + 6}" width="{px(wide)}" height="16" rx="2">'
                f"{hint(span.text)}</rect>"
            )
        parts += [
            f'<circle class="dot {m.tone}" cx="{clock.x(m.time)}" cy="{y + 14}" r="5">{hint(m.text)}</circle>'
            for m in _apart(lane.marks, clock)
        ]
    about = "; ".join(f"{lane.name}: {len(lane.spans) + len(lane.marks)}" for lane in shown)
    return svg(title, about, bottom + 26, parts)


def key(entries: Iterable[tuple[str, str]]) -> Svg:
    """What the colours mean: pairs of tone and name; the tone ``usual`` is the band of what is usual."""
    items = "".join(
        f'<span><i class="{html.escape(tone)}"></i>{html.escape(clean(name, 60))}</span>' for tone, name in entries
    )
    return Svg(f'<p class="key">{items}</p>')


def percent(share: float) -> str:
    """A share as people write it: ``12 %``, ``3.4 %``, ``<0.1 %``."""
    if not math.isfinite(share):
        return "unknown"
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def _scale(pixels: int, most: float) -> float:
    """Pixels for a unit, so that the greatest value fills them; what is next to nothing fills nothing."""
    return pixels / most if most > TINY else pixels


class _Clock:
    """The axis of time."""

    def __init__(self, first: datetime, last: datetime, left: int = LEFT) -> None:
        if last - first < timedelta(hours=1):
            first, last = first - timedelta(hours=12), last + timedelta(hours=12)
        self.first, self.last, self.left = first.astimezone(UTC), last.astimezone(UTC), left
        self._scale = (WIDTH - RIGHT - 6 - left) / (last - first).total_seconds()

    def x(self, time: datetime) -> str:
        return px(self.left + max((time - self.first).total_seconds(), 0) * self._scale)

    def axis(self, bottom: int, top: int = 0) -> list[str]:
        parts = [f'<line class="axis" x1="{self.left}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>']
        dates, form = self._dates()
        for date in dates:
            x = self.x(date)
            if date < self.first or float(x) > WIDTH - 24:
                continue
            if top:
                parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
            parts.append(f'<text class="middle" x="{x}" y="{bottom + 17}">{date.strftime(form)}</text>')
        return parts

    def _dates(self) -> tuple[list[datetime], str]:
        """At most seven round dates, and how to write them."""
        hours = (self.last - self.first).total_seconds() / 3600
        origin = self.first.replace(hour=0, minute=0, second=0, microsecond=0)
        for step in HOURS:
            if hours / step <= 6:
                count = int((self.last - origin) / timedelta(hours=step)) + 1
                return [origin + timedelta(hours=step) * i for i in range(count)], "%H:%M" if hours <= 36 else "%d %b"
        months = next((m for m in MONTHS if hours / (m * 730) <= 6), MONTHS[-1])
        first = self.first.year * 12
        numbers = range(first, self.last.year * 12 + 12, months)
        return [origin.replace(year=n // 12, month=n % 12 + 1, day=1) for n in numbers], "%b %Y"


def _apart(marks: Sequence[Mark], clock: _Clock, pixels: int = 4) -> list[Mark]:
    """Marks that can be told apart: of those that would hide each other the gravest, and of these the last."""
    kept: dict[int, Mark] = {}
    for mark in marks:
        place = int(float(clock.x(mark.time))) // pixels
        if place not in kept or _grave(mark.tone) >= _grave(kept[place].tone):
            kept[place] = mark
    return list(kept.values())


def _wide(spans: Sequence[Span], clock: _Clock) -> list[Span]:
    """Spans that can be told apart: of those narrower than two pixels at one place the gravest."""
    kept: dict[tuple[int, int], Span] = {}
    for index, span in enumerate(spans):
        start, end = float(clock.x(span.start)), float(clock.x(span.end))
        place = (int(start) // 2, -1 if end - start < 2 else index)
        if place not in kept or _grave(span.tone) >= _grave(kept[place].tone):
            kept[place] = span
    return list(kept.values())


def _grave(tone: str) -> int:
    return ("good", "past", "accent", "second", "warn", "bad").index(tone)


def _finite(line: Line) -> Line:
    """A line without points that cannot be drawn, and with no more of them than can be told apart."""
    points = [p for p in line.points if drawable(p.value)]
    every = math.ceil(len(points) / POINTS)
    kept = points[(len(points) - 1) % every :: every] if points else []  # the last one always
    known = [p if drawable(p.low) and drawable(p.high) else Point(p.time, p.value) for p in kept]
    return Line(line.name, tuple(known), line.tone, line.dashed)


def _path(line: Line, clock: _Clock, y: Callable[[float], str]) -> str:
    corners = [f"M{clock.x(line.points[0].time)},{y(line.points[0].value)}"]
    for point in line.points[1:]:
        if line.dashed:
            corners.append(f"H{clock.x(point.time)}V{y(point.value)}")
        else:
            corners.append(f"L{clock.x(point.time)},{y(point.value)}")
    return "".join(corners)


def _across(mark: Mark, clock: _Clock, top: int, bottom: int) -> str:
    x = float(clock.x(mark.time))
    side = ' class="note end"' if x > WIDTH - 90 else ' class="note"'
    return (
        f'<line class="across {mark.tone}" x1="{px(x)}" x2="{px(x)}" y1="{top - 8}" y2="{bottom}"/>'
        f'<text{side} x="{px(x + (-4 if x > WIDTH - 90 else 4))}" y="{top - 8}">{text(mark.text, 18)}</text>'
    )


def _ends(point: Point) -> str:
    if point.low is None or point.high is None:
        return ""
    return f" ({number(point.low)} to {number(point.high)})"
