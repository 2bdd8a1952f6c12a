"""People and things that have several rows: which column names them, and whether they stand on both sides of a split.

A model that knows a patient from training recognises him in the test, and its score says nothing of new ones (Kaufman
et al., Leakage in Data Mining, 2012; Roberts et al., Cross-Validation Strategies for Data with Temporal, Spatial,
Hierarchical, or Phylogenetic Structure, 2017).
"""

import re

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array

LEAST_VALUES = 20
_LEAST_ROWS_EACH = 3
_MOST_ROWS_EACH = 50
_NEGLIGIBLE = 1e-6
_EVEN = 0.5  # variance of the rows of a value over their mean; 1 where rows fall on values by chance
_THINGS = (
    "person|people|patient|customer|client|user|subject|member|employee|worker|student|pupil|teacher|participant|donor|"
    "patron|driver|player|household|family|account|device|machine|unit|engine|sensor|vehicle|car|animal|plant|site|store|"
    "shop|school|hospital|clinic|doctor|physician|owner|session|visitor|company|firm|vendor|supplier|merchant|card|group|"
    "entity|case|who|e[-_ ]?mail|phone|telephone|msisdn|mrn|ssn|iban|vin|imei|passport|ip|kunde|kunden|mitarbeiter|"
    "versicherte|fahrzeug|cliente|paciente|empleado|usuario"
)
_NAMES_A_THING = re.compile(
    rf"(^|[^a-z])({_THINGS})s?(?P<by>[_ ]?(address|id|no|nr|num|nummer|number|key|code))?$", re.IGNORECASE
)
_ID = re.compile(r"(^|[^a-z])(id|uuid|guid|key)$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Uuid)$")
_NO_THING = re.compile(
    r"(^|[^a-z])(n|num|number|count|total|sum|avg|mean|max|min|age|year|quarter|month|week|weekday|day|dayofyear|hour|"
    r"minute|second|time|date|amount|price|score|rate|share|size|code|zip|zipcode|postcode|postal|tract|fips|type|kind|"
    r"class|category|level|grade|bin|bucket)s?([^a-z]|$)",
    re.IGNORECASE,
)


def names_an_entity(name: str, sizes: Array) -> bool:
    """Whether a column of whole numbers or text names people or things that have several rows each.

    It does by its name, such as ``patient`` or ``customer_id``; or where every value has about as many rows as the
    next, which measured values do not have.

    Args:
        name: The name of the column.
        sizes: Rows of each of its values, shape ``(values,)``.
    """
    if sizes.size < LEAST_VALUES or not sizes.mean() >= 2:
        return False
    named = _NAMES_A_THING.search(name)
    if _ID.search(name) or _CAMEL_ID.search(name) or (named and named["by"]):
        return True
    if _NO_THING.search(name):
        return False
    if named:
        return True
    even = sizes.var() < _EVEN * sizes.mean()
    return bool(even and _LEAST_ROWS_EACH <= sizes.mean() <= _MOST_ROWS_EACH)


def sizes_of(values: pd.Series) -> Array:
    """Rows of each value; a missing one is none."""
    return values.value_counts().to_numpy()


def share_known(values: pd.Series, others: pd.Series) -> float:
    """Share of some rows whose value stands among other rows, missing ones left out; NaN where all are missing."""
    known = values.dropna()
    return float(known.isin(others.dropna().unique()).mean()) if len(known) else float("nan")


class SeenRows:
    """Whether the features of rows stand among other rows, column by column, so that no table is in memory whole.

    Rows that differ from all the others in some columns are not looked at in the next ones.

    Args:
        rows: How many rows there are.
        others: How many others.
    """

    def __init__(self, rows: int, others: int) -> None:
        self._sizes = rows, others
        self._left: list[Array | slice] = [slice(None), slice(None)]
        self._hashes = [np.zeros(rows, dtype="uint64"), np.zeros(others, dtype="uint64")]
        self._alike = 1.0

    def add(self, values: pd.Series, others: pd.Series) -> None:
        """Add a column."""
        for at, part in enumerate((values, others)):
            with np.errstate(over="ignore"):
                self._hashes[at] = self._hashes[at] * np.uint64(1_000_003) + _hashed(part.iloc[self._left[at]])
        if self.by_chance >= _NEGLIGIBLE:
            rows = others.value_counts(dropna=False).to_numpy()
            self._alike *= float((rows**2).sum()) / max(len(others), 1) ** 2
        if self.by_chance < _NEGLIGIBLE:
            self._narrow()

    def _narrow(self) -> None:
        """Let go of the rows that have no equal so far; first of the others, which are more."""
        for at in (1, 0):
            own = np.flatnonzero(pd.Series(self._hashes[at]).isin(self._hashes[1 - at]))
            left = self._left[at]
            self._left[at] = own if isinstance(left, slice) else left[own]
            self._hashes[at] = self._hashes[at][own]

    @property
    def is_settled(self) -> bool:
        """Whether more columns change nothing, as no row is left that has an equal."""
        return not len(self._hashes[0]) and self.by_chance < _NEGLIGIBLE

    @property
    def share(self) -> float:
        """Share of the rows whose features stand among the others."""
        self._narrow()
        return len(self._hashes[0]) / max(self._sizes[0], 1)

    @property
    def by_chance(self) -> float:
        """The share that would do so if the columns had nothing to do with one another, at most.

        More columns only make it smaller, so that it is no longer counted where it is as good as none.
        """
        return 1 - float(np.exp(-self._sizes[1] * self._alike))


def _hashed(values: pd.Series) -> Array:
    known = values.to_numpy(dtype=object) if values.dtype == object else values.to_numpy()
    return np.asarray(pd.util.hash_array(known))
