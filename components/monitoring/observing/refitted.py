"""Is the refitted model worse than the tested one, whose verdict it serves under?

Nobody has tested the refitted model; the first rows that it answers do, once their labels have come. The tested model
answers the same rows from the stored features, and the difference is told with the day as the piece of evidence. The
rows are those of the first labelled window alone, and the comparison is made once, as soon as their labels are due: one
that is made again and again as rows come in would find a difference by luck in the end.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ConfigDict

from ciclo.components.core.clusters import LEAST_GROUPS, gain_interval, groups_of
from ciclo.components.core.contract import Contract
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import Metric, predictions
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import counted
from ciclo.components.monitoring.observing.performance import MINIMUM_LABELS, answers, encoded
from ciclo.components.monitoring.observing.window import canonical, spoken
from ciclo.components.monitoring.records import Record


class RefitCheck(Record):
    """The refitted model beside the tested one, on the rows of the first labelled window.

    Attributes:
        rows: Rows that both answered and whose label is known.
        gain: Of the refitted model in units of the metric, positive where it is better; without bounds where that
            cannot be told from luck.
        metric: Name of the metric.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    rows: int
    gain: Interval
    metric: str

    @property
    def worse(self) -> bool:
        """Whether the refitted model is surely worse."""
        return self.gain.high < 0

    @property
    def reason(self) -> str:
        """The finding as a clause."""
        finding = "is worse than" if self.worse else "is not surely worse than"
        return (
            f"the refitted model {finding} the tested one by {self.metric}, on the "
            f"{counted(self.rows, 'labelled row')} it answered first: gain {self.gain}"
        )


def first_window(since: datetime, policy: Monitoring) -> tuple[datetime, datetime]:
    """The rows that are compared: of as many windows as performance takes together, from the first answer on."""
    length = max(policy.window_days * policy.performance_windows, LEAST_GROUPS)
    return since, since + timedelta(days=length)


def compare_refit(
    labelled: pd.DataFrame, tested: Callable[[], Any], contract: Contract, metric: Metric, policy: Monitoring
) -> RefitCheck | None:
    """Let the tested model answer what the refitted one did, and compare.

    Args:
        labelled: Rows of the window as ``PredictionWindows.labelled`` gives them, answered by the refitted model.
        tested: Loads the tested model.
        contract: Gives task, features and classes.
        metric: What the version was published on.
        policy: Gives the error of the bounds, ``false_alarm_rate``.

    Returns:
        None where there are too few rows.
    """
    truth = encoded(labelled["label"], contract)
    theirs = answers(spoken(labelled), contract, metric)
    finite = np.isfinite(theirs).all(axis=1) if theirs.ndim == 2 else np.isfinite(theirs)
    usable = ~np.isnan(truth) & finite
    rows = int(usable.sum())
    if rows < MINIMUM_LABELS:
        return None
    features = pd.DataFrame([json.loads(text) for text in labelled["features"][usable]])
    ours = predictions(metric.needs, tested(), canonical(features, contract), contract.codes)
    y = truth[usable] if contract.task == "regression" else truth[usable].astype("int64")
    gain = gain_interval(
        metric,
        y,
        theirs[usable] if metric.needs != "label" else theirs[usable].astype("int64"),
        ours,
        contract.codes,
        groups=groups_of(labelled["time"][usable].reset_index(drop=True), rows),
        confidence=1 - policy.false_alarm_rate,
    )
    return RefitCheck(rows=rows, gain=gain, metric=metric.name)
