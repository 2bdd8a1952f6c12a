"""The columns that Ciclo adds to tables: one prefix, which no column of a user may have."""

from typing import Final

PREFIX: Final = "_ciclo_"
LINE: Final = "_ciclo_line"  # number of the record in the source, from 1
MALFORMED: Final = "_ciclo_malformed"  # why a record cannot be laid under the header, with its text; or null
ROW_ID: Final = "_ciclo_row_id"  # who a row is
SPLIT: Final = "_ciclo_split"  # train, validation or test
REASONS: Final = "_ciclo_reasons"  # why a row is quarantined
KEY: Final = "_ciclo_key"  # what is the same in rows that are duplicates
PATTERN: Final = "_ciclo_pattern"  # what is the same in rows that are equal in all features
STAYED: Final = "_ciclo_stayed"  # the record that stayed, of those that are the same
OCCURRENCE: Final = "_ciclo_occurrence"  # how many of the rows that are the same have precedence


def is_own(name: str) -> bool:
    """Whether a name is among those that Ciclo keeps for itself; engines do not know case."""
    return name.casefold().startswith(PREFIX)
