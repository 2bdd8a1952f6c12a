"""Pictures of data as inline SVG: a column beside the target, shares, and how strongly columns go together."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ciclo.components.core.charts import percent
from ciclo.components.core.svg import Svg, drawable, hint, nice, px, svg, text
from ciclo.components.core.wording import clean, counted, listed, number

TONES = ("accent", "second", "usual", "warn", "good", "past")  # of classes; the last for all others together
PANEL = 390
ROWS = 12  # categories of one picture
FEW = 5  # rows of a bin of which nothing is told about the target


@dataclass(frozen=True)
class Bin:
    """Rows of one value, or of values close together.

    Attributes:
        label: The value, or where the bin starts.
        rows: How many there are.
        target: The share of each class among them in the order of the tones; of two classes that of the positive one;
            of a number its mean. Empty where there are too few rows to tell.
    """

    label: str
    rows: int
    target: tuple[float, ...] = ()


@dataclass(frozen=True)
class Distribution:
    """A column beside the target.

    Attributes:
        name: The column.
        bins: Of a number from the least to the greatest, of a category the most frequent first.
        missing: Rows without a value, and what their target is.
        number: Whether the bins lie on a scale.
        usual: The target of all rows together; empty where the column is the target itself.
        end: Where the last bin of a number ends.
    """

    name: str
    bins: tuple[Bin, ...]
    missing: Bin
    number: bool
    usual: tuple[float, ...]
    end: str = ""

    def svg(self, target: str) -> Svg:
        """Draw it: how many rows there are, and below or beside what their target is.

        Args:
            target: What is told of the target, such as ``share of 'yes'``.
        """
        shown = [*self.bins, *([self.missing] if self.missing.rows else [])]
        if not shown:
            return Svg("")
        everything = max(sum(b.rows for b in shown), 1)
        words = [f"{b.label}: {percent(b.rows / everything)}{_mean_of(b, target)}" for b in shown[:12]]
        about = "; ".join(words)
        parts, height = (self._upright if self.number else self._lying)(shown, everything)
        return svg(f"{clean(self.name, 60)} beside the target", about, height, parts, PANEL, "chart")

    def _scale(self) -> tuple[float, float]:
        """The least and the greatest of what is drawn of the target; classes side by side fill the whole."""
        known = [b.target[0] for b in (*self.bins, self.missing) if len(b.target) == 1 and drawable(b.target[0])]
        known += [v for v in self.usual if len(self.usual) == 1 and drawable(v)]
        if not known:
            return 0.0, 1.0
        ticks = nice(min([*known, 0.0]) if min(known) >= 0 and max(known) <= 1 else min(known), max(known))
        return ticks[0], ticks[-1]

    def _upright(self, shown: Sequence[Bin], everything: int) -> tuple[list[str], int]:
        left, right, top, middle, low, bottom = 52, 10, 10, 110, 128, 190 if self.usual else 110
        gap = 1 if self.missing.rows else 0
        wide = (PANEL - left - right) / (len(shown) + gap * 0.6)
        most = max(1, *(b.rows for b in shown))
        least, greatest = self._scale()

        def x(index: int) -> float:
            return left + (index + 0.6 * (gap if index >= len(self.bins) else 0)) * wide

        def y(value: float) -> float:
            return bottom - (value - least) / (greatest - least) * (bottom - low)

        parts = [_grid(left, PANEL - right, at) for at in ((top, middle, low, bottom) if self.usual else (top, middle))]
        parts += [
            f'<text class="end" x="{left - 5}" y="{top + 8}">{html.escape(percent(most / everything))}</text>',
            f'<text class="end" x="{left - 5}" y="{middle}">0</text>',
        ]
        for index, one in enumerate(shown):
            high, rows = one.rows / most * (middle - top), counted(one.rows, "row")
            tone = "past" if one is self.missing else "accent"
            parts.append(
                f'<rect class="fill {tone}" x="{px(x(index))}" y="{px(middle - high)}" '
                f'width="{px(max(wide - 1, 0.5))}" height="{px(high)}">'
                f"{hint(f'{one.label}: {rows}')}</rect>"
            )
            if min(len(one.target), len(self.usual)) > 1:
                parts += _stacked(one.target, x(index), low, max(wide - 1, 0.5), bottom - low, upright=True)
        if len(self.usual) == 1:
            ends = (number(greatest), number(least))
            parts += [
                f'<text class="end" x="{left - 5}" y="{at + 8 if at == low else at}">{html.escape(end)}</text>'
                for at, end in zip((low, bottom), ends, strict=True)
            ]
            parts += _level(self.usual[0], left, PANEL - right, y)
            points = [(x(i) + wide / 2, b) for i, b in enumerate(shown) if b.target and drawable(b.target[0])]
            corners = "L".join(f"{px(at)},{px(y(b.target[0]))}" for at, b in points if b is not self.missing)
            parts += [f'<path class="line second" d="M{corners}"/>'] if corners else []
            parts += [
                f'<circle class="dot second" cx="{px(at)}" cy="{px(y(b.target[0]))}" r="3">'
                f"{hint(f'{b.label}: {number(b.target[0])}')}</circle>"
                for at, b in points
            ]
        elif self.usual:
            parts += [
                f'<text class="end" x="{left - 5}" y="{low + 8}">100 %</text>',
                f'<text class="end" x="{left - 5}" y="{bottom}">0</text>',
            ]
        if self.bins:
            last, end = x(len(self.bins) - 1) + wide, self.end or self.bins[-1].label
            parts += [
                f'<text x="{left}" y="{bottom + 16}">{text(self.bins[0].label, 16)}</text>',
                f'<text class="end" x="{px(last)}" y="{bottom + 16}">{text(end, 16)}</text>',
            ]
        if gap:
            at = min(x(len(self.bins)) + wide / 2, PANEL - right - 1)
            parts.append(f'<text class="end note" x="{PANEL - right}" y="{bottom + 31}">missing</text>')
            parts.append(
                f'<line class="across past" x1="{px(at)}" x2="{px(at)}" y1="{bottom + 4}" y2="{bottom + 20}"/>'
            )
        return parts, bottom + (36 if gap else 22)

    def _lying(self, shown: Sequence[Bin], everything: int) -> tuple[list[str], int]:
        left, pitch, bar, start, wide = 122, 20, 96, 272, 108
        most, (least, greatest) = max(1, *(b.rows for b in shown)), self._scale()
        bottom = 6 + pitch * len(shown)

        def x(value: float) -> float:
            return start + (value - least) / (greatest - least) * wide

        parts: list[str] = []
        if len(self.usual) == 1 and drawable(self.usual[0]):
            at = px(x(self.usual[0]))
            parts.append(f'<line class="line past dashed" x1="{at}" x2="{at}" y1="2" y2="{bottom}"/>')
        for index, one in enumerate(shown):
            y = 4 + index * pitch
            tone = "past" if one is self.missing else "accent"
            parts.append(
                f'<text class="end{" note" if one is self.missing else ""}" x="{left - 6}" y="{y + 13}">'
                f'{text(one.label, 17)}</text><rect class="fill {tone}" x="{left}" y="{y + 3}" '
                f'width="{px(one.rows / most * bar)}" height="12">{hint(counted(one.rows, "row"))}</rect>'
                f'<text class="note" x="{px(left + one.rows / most * bar + 4)}" y="{y + 13}">'
                f"{html.escape(percent(one.rows / everything))}</text>"
            )
            if len(one.target) > 1:
                parts += _stacked(one.target, start, y + 3, wide, 12, upright=False)
            elif one.target and drawable(one.target[0]):
                parts.append(_grid(start, start + wide, y + 9))
                parts.append(
                    f'<circle class="dot second" cx="{px(x(one.target[0]))}" cy="{y + 9}" r="4">'
                    f"{hint(f'{one.label}: {number(one.target[0])}')}</circle>"
                )
        if len(self.usual) == 1:
            ends = ((start, "", least), (start + wide, "end", greatest))
        else:
            ends = ((start, "", 0.0), (start + wide, "end", 1.0))
        parts += [
            f'<text class="{kind} note" x="{at}" y="{bottom + 14}">{html.escape(number(value))}</text>'
            for at, kind, value in ends
        ]
        return parts, bottom + 20


def class_key(classes: Sequence[str]) -> list[tuple[str, str]]:
    """The tone and the name of every class, the most frequent first; many of them share the last tone."""
    own = list(classes) if len(classes) <= len(TONES) else list(classes[: len(TONES) - 1])
    rest = [] if len(own) == len(classes) else [counted(len(classes) - len(own), "other class", "other classes")]
    return list(zip(TONES, [*own, *rest], strict=False))


def share_bars(
    title: str, shares: Mapping[str, float], tone: str = "accent", notes: Mapping[str, str] | None = None
) -> Svg:
    """Shares of one as bars under each other, on the scale from nothing to all.

    Args:
        title: What is drawn; read aloud, not drawn.
        shares: By name, from top to bottom.
        tone: ``accent``, ``second``, ``past``, ``good``, ``warn`` or ``bad``.
        notes: What stands at a bar in place of its share.
    """
    left, right, pitch = 132, 100, 22
    wide = PANEL - left - right
    parts = [f'<line class="axis" x1="{left}" x2="{left}" y1="2" y2="{pitch * len(shares) + 4}"/>'] if shares else []
    for index, (name, share) in enumerate(shares.items()):
        y = 4 + index * pitch
        long = wide * min(max(share if drawable(share) else 0.0, 0.0), 1.0)
        note = (notes or {}).get(name, percent(share))
        parts.append(
            f'<text class="end" x="{left - 6}" y="{y + 13}">{text(name, 19)}</text>'
            f'<rect class="fill {html.escape(tone)}" x="{left}" y="{y + 2}" width="{px(long)}" height="14"/>'
            f'<text class="note" x="{px(left + long + 6)}" y="{y + 13}">{text(note, 18)}</text>'
        )
    about = listed((f"{clean(name, 40)} {percent(share)}" for name, share in shares.items()), 20)
    return svg(title, about, 8 + pitch * len(shares), parts, PANEL, "chart")


def heatmap(title: str, names: Sequence[str], values: Sequence[Sequence[float]]) -> Svg:
    """How strongly columns go together: a square of cells, negative ones in another colour.

    Args:
        title: What is drawn; read aloud, not drawn.
        names: The columns; above the cells stand their numbers.
        values: From -1 to 1, shape ``(names, names)``; what is not known is left empty.
    """
    count = len(names)
    if not count:
        return Svg("")
    left, top = 170, 20
    side = min((600 - left - 6) / count, 34)
    parts = []
    for row, name in enumerate(names):
        y = top + row * side
        parts.append(
            f'<text class="end" x="{left - 6}" y="{px(y + side / 2 + 4)}">{text(name, 18)} {row + 1}</text>'
            f'<text class="middle note" x="{px(left + (row + 0.5) * side)}" y="{top - 5}">{row + 1}</text>'
        )
        for column, other in enumerate(names):
            value = values[row][column]
            if not drawable(value):
                continue
            tone = "accent" if value >= 0 else "bad"
            parts.append(
                f'<rect class="fill {tone}" x="{px(left + column * side)}" y="{px(y)}" width="{px(side - 1)}" '
                f'height="{px(side - 1)}" fill-opacity="{min(abs(value), 1):.2f}">'
                f"{hint(f'{clean(name, 24)}, {clean(other, 24)}: {value:.2f}')}</rect>"
            )
    strong = sorted(
        ((abs(values[i][j]), names[i], names[j]) for i in range(count) for j in range(i) if drawable(values[i][j])),
        key=lambda item: -item[0],
    )
    about = "; ".join(f"{clean(a, 40)} and {clean(b, 40)} {value:.2f}" for value, a, b in strong[:8])
    return svg(title, about, round(top + count * side + 4), parts)


def _mean_of(one: Bin, target: str) -> str:
    return f", {clean(target, 60)} {number(one.target[0])}" if len(one.target) == 1 else ""


def _grid(left: float, right: float, y: float) -> str:
    return f'<line class="grid" x1="{px(left)}" x2="{px(right)}" y1="{px(y)}" y2="{px(y)}"/>'


def _level(value: float, left: int, right: int, y: object) -> list[str]:
    if not drawable(value) or not callable(y):
        return []
    at = px(y(value))
    return [f'<line class="line past dashed" x1="{left}" x2="{right}" y1="{at}" y2="{at}"/>']


def _stacked(shares: Sequence[float], x: float, y: float, wide: float, high: float, *, upright: bool) -> list[str]:
    """Shares of classes as one bar, the first class at the bottom or at the left."""
    parts, done = [], 0.0
    for tone, share in zip(TONES, shares, strict=False):
        if not drawable(share) or share <= 0:
            continue
        if upright:
            place = (
                f'x="{px(x)}" y="{px(y + high * (1 - done - share))}" width="{px(wide)}" height="{px(high * share)}"'
            )
        else:
            place = f'x="{px(x + wide * done)}" y="{px(y)}" width="{px(wide * share)}" height="{px(high)}"'
        parts.append(f'<rect class="fill {tone}" {place}/>')
        done += share
    return parts
