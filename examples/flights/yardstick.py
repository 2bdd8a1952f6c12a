"""What could be had: the first model's recipe, fitted anew at the start of every month on all labelled rows.

No gate, no watch, no service: a model is fitted when a month begins, and answers the flights of that month. The watch
is measured by how much of that gain it brings, and with how many runs.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sklearn.base import clone

from ciclo.components.core.metrics import Array, predictions
from ciclo.components.storage.bundle import Bundle


def refitted_monthly(
    first: Bundle, flights: pd.DataFrame, asked: pd.DataFrame, months: list[datetime], delay: timedelta
) -> Array:
    """The answers of the monthly models.

    Args:
        first: Gives the recipe: the fitted pipeline is cloned, its parameters stay.
        flights: All flights, with ``time`` and ``late``.
        asked: The flights that were asked about.
        months: Starts of the months in which they lie.
        delay: How long a label takes to come.

    Returns:
        What the metric needs, in the order of ``asked``; NaN before the first month.
    """
    needs, codes = "probability", first.contract.codes
    answers = np.full((len(asked), len(codes)), np.nan)
    for start, end in zip(months, [*months[1:], datetime.max.replace(tzinfo=months[0].tzinfo)], strict=True):
        known = flights[(flights["time"] < start - delay) & flights["late"].notna()]
        inside = ((asked["time"] >= start) & (asked["time"] < end)).to_numpy()
        model = clone(first.model()).fit(first.contract.frame(known), first.contract.encode(known["late"]))
        answers[inside] = predictions(needs, model, first.contract.frame(asked[inside]), codes)
    return answers
