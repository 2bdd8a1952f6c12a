"""Curves and points over two axes of numbers, as data and as inline SVG drawn by hand."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from ciclo.components.core.svg import Svg, drawable, hint, nice, px, svg, text
from ciclo.components.core.wording import clean, distinct, number

WIDTH, HEIGHT = 390, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 44
DRAWN = 400  # points of one curve that can be told apart
SIDE = 46


class Curve(BaseModel):
    """One line, or a cloud of points.

    Attributes:
        name: For the key, and for those who do not see it.
        points: Pairs of x and y.
        tone: ``accent``, ``second`` or ``past``.
        dashed: A reference, such as what a guess would reach.
        dots: Draw the points and no line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    points: tuple[tuple[float, float], ...]
    tone: str = "accent"
    dashed: bool = False
    dots: bool = False


class Plot(BaseModel):
    """Curves over the same two axes.

    Attributes:
        title: What is shown.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        curves: What is drawn, the last on top.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]

    def svg(self) -> Svg:
        """Draw it; empty where nothing can be drawn."""
        drawn = [(curve, _finite(curve.points)) for curve in self.curves]
        points = [point for _, found in drawn for point in found]
        if not points:
            return Svg("")
        across, up = (nice(min(p[i] for p in points), max(p[i] for p in points)) for i in (0, 1))
        scale = _Scale(across, up)
        parts = [*scale.grid(), *scale.names(self.x, self.y)]
        for curve, found in drawn:
            parts += _dots(curve, found, scale) if curve.dots else _line(curve, found, scale)
        about = "; ".join(f"{clean(c.name, 60)}: {len(found)} points" for c, found in drawn)
        return svg(self.title, f"{self.y} over {self.x}. {about}", HEIGHT, parts, WIDTH, "chart")


class _Scale:
    """Where a pair of numbers lies on the drawing."""

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self.across, self.up = across, up

    def x(self, value: float) -> str:
        share = (value - self.across[0]) / (self.across[-1] - self.across[0])
        return px(LEFT + share * (WIDTH - LEFT - RIGHT))

    def y(self, value: float) -> str:
        share = (value - self.up[0]) / (self.up[-1] - self.up[0])
        return px(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP))

    def grid(self) -> list[str]:
        low, high = HEIGHT - BOTTOM, TOP
        lines = [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self.y(t)}" y2="{self.y(t)}"/>'
            f'<text class="end" x="{LEFT - 6}" y="{float(self.y(t)) + 4:.0f}">{label}</text>'
            for t, label in zip(self.up, distinct(self.up), strict=True)
        ]
        return lines + [
            f'<line class="grid" x1="{self.x(t)}" x2="{self.x(t)}" y1="{high}" y2="{low}"/>'
            f'<text class="middle" x="{self.x(t)}" y="{low + 16}">{label}</text>'
            for t, label in zip(self.across, distinct(self.across), strict=True)
        ]

    def names(self, x: str, y: str) -> list[str]:
        middle = (LEFT + WIDTH - RIGHT) // 2
        return [
            f'<text class="middle note" x="{middle}" y="{HEIGHT - 6}">{text(x, SIDE)}</text>',
            f'<text class="middle note" transform="rotate(-90 12 {HEIGHT // 2 - 16})" x="12" y="{HEIGHT // 2 - 16}">'
            f"{text(y, SIDE)}</text>",
        ]


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that can be drawn, no more of them than can be told apart, the first and the last always."""
    known = [p for p in points if all(map(drawable, p))]
    every = math.ceil(len(known) / DRAWN)
    return known[:: every or 1] + (known[-1:] if known and (len(known) - 1) % (every or 1) else [])


def _line(curve: Curve, points: Sequence[tuple[float, float]], scale: _Scale) -> list[str]:
    if not points:
        return []
    path = "L".join(f"{scale.x(x)},{scale.y(y)}" for x, y in points)
    kind = f"line {curve.tone}{' dashed' * curve.dashed}"
    return [f'<path class="{kind}" d="M{path}">{hint(curve.name)}</path>']


def _dots(curve: Curve, points: Sequence[tuple[float, float]], scale: _Scale) -> list[str]:
    return [
        f'<circle class="dot {curve.tone}" cx="{scale.x(x)}" cy="{scale.y(y)}" r="3">'
        f"{hint(f'{curve.name}: {number(x)}, {number(y)}')}</circle>"
        for x, y in points
    ]
