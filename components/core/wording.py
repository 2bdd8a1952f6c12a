"""How messages put names and values: a likely misspelling, a list that is cut, a value that is cut."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[object]) -> str:
    """The known name that is most like another one, as a clause in brackets; empty if none is."""
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def listed(items: Iterable[object], most: int = 10) -> str:
    """Items with commas between them; of many, the first and how many more there are."""
    texts = [str(item) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def shown(value: object, most: int = 60) -> str:
    """A value as a person would have to type it, cut if it is long."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."
