"""How text stands for a number or a category where its column says so: ``1.622,15 €``, ``(12.50)``, ``YES``.

Every rule turns text into the one form that ``core.values`` reads. The patterns mean the same to Python and to the
engines' RE2, so that ``tables.reading`` says the same as an expression.
"""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

DecimalMark = Literal[".", ","]
ThousandsMark = Literal["", ",", ".", " ", "'"]
NegativeForm = Literal["-1", "\u22121", "1-", "(1)"]

# What is written for a mark: a space may be one that does not break, an apostrophe the typographer's.
MARKS: Final = {".": r"\.", ",": ",", " ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
BLANK: Final = string.whitespace
SPACES: Final = "[ \\t\\r\\n\\x0b\\x0c\u00a0\u2000-\u200a\u202f\u205f\u3000]+"  # between words, and of any kind
GAP: Final = "[ \u00a0\u2009\u202f]*"  # between a number and its unit
MINUS: Final = "\u2013\u2212"  # what else stands for a minus sign
_SPACES = re.compile(SPACES)


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written.

    Attributes:
        decimal: What stands before the decimals.
        thousands: What may stand between groups of digits.
        lakhs: Whether the groups are those of India: three digits at the end, and two in each other.
        unit: What may stand before or after a number, such as a currency or ``%``.
        negative: How 1 is written below zero; a minus sign in front says so in any case.
    """

    decimal: DecimalMark = "."
    thousands: ThousandsMark = ""
    lakhs: bool = False
    unit: str = ""
    negative: NegativeForm = "-1"

    @property
    def is_plain(self) -> bool:
        """Whether it is how numbers are written by default."""
        return self == NumberForm()

    def example(self, *, whole: bool) -> str:
        """A number, written like that."""
        digits = f"1{self.thousands}23{self.thousands}456" if self.lakhs else f"1{self.thousands}234"
        number = digits if whole else f"{digits}{self.decimal}5"
        number += f" {self.unit}" if self.unit else ""
        return number if self.negative == "-1" else f"{number} or {self.negative.replace('1', number)}"

    @property
    def pattern(self) -> str:
        """What a number looks like; a mark of thousands stands between groups of digits or nowhere."""
        mark, between = MARKS[self.decimal], MARKS.get(self.thousands, "")
        groups = f"[1-9][0-9]?(?:{between}[0-9]{{2}})*" if self.lakhs else f"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})*"
        decimals, exponent = f"(?:{mark}[0-9]*)?", "(?:[eE][+-]?[0-9]+)?"
        grouped = f"|{groups}{between}[0-9]{{3}}{decimals}" if between else ""  # and no exponent: 1,234E3 is 1.234E3
        digits = f"(?:(?:[0-9]+{decimals}|{mark}[0-9]+){exponent}{grouped})"
        sign = f"[+{MINUS}-]?" if self.negative == "\u22121" else "[+-]?"
        unit = re.escape(self.unit)
        before, after = (f"(?:{unit}{GAP})?", f"(?:{GAP}{unit})?") if unit else ("", "")
        whole = f"(?:{before}{digits}|{digits}{after})" if unit else digits
        forms = [f"{sign}{whole}", *([f"{before}{sign}{digits}"] if unit else [])]
        if self.negative == "1-":
            forms += [f"{whole}-", *([f"{digits}-{after}"] if unit else [])]
        if self.negative == "(1)":
            forms += [rf"\({whole}\)", *([rf"{before}\({digits}\)", rf"\({digits}\){after}"] if unit else [])]
        return rf"^(?:{'|'.join(forms)})$"

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """What is replaced, one after the other, to make a plain number of text that is like the pattern."""
        unit = re.escape(self.unit)
        steps = [(rf"^([+({MINUS}-]?){unit}{GAP}", r"\1"), (rf"{GAP}{unit}([)-]?)$", r"\1")] if self.unit else []
        steps += {
            "-1": [],
            "\u22121": [(f"^[{MINUS}]", "-")],
            "1-": [(r"^(.*)-$", r"-\1")],
            "(1)": [(r"^\((.*)\)$", r"-\1")],
        }[self.negative]
        steps += [(MARKS[self.thousands], "")] if self.thousands else []
        return (*steps, *([(MARKS[self.decimal], ".")] if self.decimal != "." else []))


def plain_number(form: NumberForm) -> Callable[[str], str] | None:
    """What turns the text of a number into that of a plain one, and other text into none; None if nothing is to do."""
    if form.is_plain:
        return None
    pattern = re.compile(form.pattern)
    steps = [(re.compile(old), new) for old, new in form.steps]

    def plain(text: str) -> str:
        if not pattern.fullmatch(text):
            return ""
        for old, new in steps:
            text = old.sub(new, text)
        return text

    return plain


def same_label(text: str) -> str:
    """What two labels have in common that differ only in case or in spaces, at their ends too.

    Case letter by letter, as engines have it: ``str.lower`` knows where in a word a letter stands.
    """
    return _SPACES.sub(" ", "".join(map(_lower, text))).strip(" ")


@cache
def _lower(letter: str) -> str:
    return letter.lower()[0] if letter == "\u0130" else letter.lower()


def labels(categories: Sequence[str]) -> dict[str, str]:
    """The category that each label in common stands for."""
    return {same_label(category): category for category in reversed(categories)}
