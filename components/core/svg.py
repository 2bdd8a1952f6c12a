"""What charts are drawn with: escaped text, round numbers, coordinates, and the frame with its words."""

import html
import itertools
import math
from collections.abc import Iterable

from ciclo.components.core.wording import clean

WIDTH = 600
HUGE = 1e100  # not finite, for a drawing


class Svg(str):
    """Markup that this module made, the only one a report takes as it is."""

    __slots__ = ()


def nice(low: float, high: float) -> list[float]:
    """Four to seven round numbers that hold a range."""
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-300):
        pad = abs(low) * 0.05 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]
    return ticks if len(set(ticks)) > 1 and all(b > a for a, b in itertools.pairwise(ticks)) else [low, high]


def drawable(value: float | None) -> bool:
    """Whether a value has a place on a drawing."""
    return value is not None and abs(value) < HUGE  # which NaN is not


def px(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".removesuffix(".0")


def text(text: str, most: int) -> str:
    """Escaped text, cut, with the whole of it for those who point at it."""
    short = clean(text, most)
    full = hint(text) if short != text else ""
    return html.escape(short) + full


def hint(text: str) -> str:
    """What those see who point at a thing."""
    return f"<title>{html.escape(clean(text, 200))}</title>"


def svg(title: str, about: str, height: int, parts: Iterable[str], width: int = WIDTH, kind: str = "chart wide") -> Svg:
    """A chart with its title and description, which is read aloud."""
    name = html.escape(clean(title, 200))
    return Svg(
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{name}"><title>{name}</title>'
        f"<desc>{html.escape(clean(about, 1_000))}</desc>{''.join(parts)}</svg>"
    )
