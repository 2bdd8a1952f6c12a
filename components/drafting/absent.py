"""What people and programs write where there is no value: words everywhere, marks and days only in some columns."""

from typing import Any, Final

import ibis

# In any case. None of them means anything until the project file lists it.
WORDS: Final = ("na", "n/a", "nan", "null", "none", "?")
# What a column of words may well mean: it is proposed only where all else is numbers or dates.
_MARKS: Final = (
    *("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", ":", "#", "\\n", "nil", "nat", "-nan"),
    *("(null)", "<null>", "[null]", "<na>", "(blank)", "n.a.", "n.a", "n/d", "n.d.", "unknown", "missing"),
    *("#n/a", "#n/a n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
)
_NO_DAY: Final = r"^0+[./-]0+[./-]0+(?:[T ][0:.]+Z?)?$"
_LONGEST: Final = len("0000-00-00 00:00:00.000000")
# Numbers that stand for no day among those such as 20230105, with or without a time.
NO_DAYS: Final = (0, 99991231, 99999999, 99991231000000, 99991231235959, 99999999999999)


def word_of(text: Any) -> Any:
    """A trimmed text where it is likely to stand for no value, else null."""
    likely = text.lower().isin((*WORDS, *_MARKS)) | (text.startswith("0") & text.re_search(_NO_DAY))
    # What is long or begins with another digit is none, which is most of a table and costs nothing to see.
    worth = (text.length() <= _LONGEST) & ((text < "1") | (text >= ":"))
    return (worth & likely).ifelse(text, ibis.null("string"))


def is_mark(word: str) -> bool:
    """Whether a word stands for no value only beside numbers or dates."""
    return word.lower() not in WORDS


def is_no_day(time: Any) -> Any:
    """Whether a time is on the last day that can be written, 31 December 9999."""
    return (time >= ibis.literal("9999-12-31", time.type())).fill_null(False)
