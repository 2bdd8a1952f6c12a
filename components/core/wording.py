"""How messages put names and values: a likely misspelling, a list that is cut, a value that is cut."""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import SupportsIndex


def did_you_mean(name: str, known: Iterable[object]) -> str:
    """The known name that is most like another one, as a clause in brackets; empty if none is."""
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def listed(items: Iterable[object], most: int = 10) -> str:
    """Items with commas between them; of many, the first and how many more there are."""
    texts = [str(item) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def apart(name: str, own: Collection[str]) -> str:
    """What to call a value beside parts that we name: as it is, or in quotes where one of those is called so.

    Different values have different names, and none has that of a part.

    Args:
        name: The value.
        own: Names of the parts.
    """
    return f"'{name}'" if name.strip("'") in own else name


def counted(count: float, one: str, many: str = "") -> str:
    """How many there are of something: ``1 version``, ``1,200 versions``; ``many`` where it is no ``s`` alone."""
    return f"{number(count)} {one if count == 1 else many or f'{one}s'}"


def shown(value: object, most: int = 60) -> str:
    """A value as a person would have to type it, cut if it is long."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def clean(text: object, most: int) -> str:
    """Text of others on one line: without characters that no page can show, and cut if it is long."""
    start = str(text)[: 4 * most + 4]
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in start).split())
    return line if len(line) <= most and len(start) == len(str(text)) else line[: most - 1] + "…"


def number(value: float, digits: int = 4) -> str:
    """A number as people write it, to four digits or as many: ``167,400``, ``0.7312``, ``1.2·10⁻⁷``."""
    if isinstance(value, SupportsIndex):  # whole numbers, those of numpy too
        return f"{value.__index__():,}"
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "-∞" if value < 0 else "∞"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    if value and not -5 <= int(power) < 15:
        return f"{float(mantissa):.{digits}g}·10{_raised(int(power))}"
    return f"{Decimal(f'{value:.{digits}g}') + 0:,f}"


def distinct(values: Sequence[float], write: Callable[[float, int], str] = number) -> list[str]:
    """Different numbers, with as many digits as it takes to see that they are."""
    texts: list[str] = []
    for digits in range(4, 18):  # of which a float has 17 at most
        texts = [write(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def exact(value: float) -> str:
    """A number as it has to be typed, to 15 digits: ``1000000``, ``0.7312``, ``1e+300``."""
    text = f"{value:.15g}"
    return f"{Decimal(text):f}" if "e" in text and 1e-7 <= abs(value) < 1e18 else text


def figure(value: float) -> str:
    """A number of a file as people write it, to six digits, whole ones to the last; with commas from 10,000 on."""
    if value and not 1e-6 <= abs(value) < 2**53:
        return number(value)
    text = f"{value:.0f}" if value % 1 == 0 else f"{Decimal(f'{value:.6g}'):f}"
    return text if abs(value) < 10_000 else f"{Decimal(text):,f}"


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
