"""The engine: how a model answers. Evaluation writes golden answers with it, serving gives them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array, labels_of, predictions
from ciclo.components.core.wording import counted, listed

TOLERANCE = 1e-6

Answer = dict[str, Any]


class Engine:
    """A fitted model behind its data contract.

    The model is set to one thread: requests are small, and sums come out the same every time.

    Args:
        model: A fitted estimator whose classes are positions in ``contract.classes``.
        contract: The data contract.
    """

    def __init__(self, model: Any, contract: Contract) -> None:
        self.contract = contract
        self._model = model
        for part in parts(model):
            if hasattr(part, "n_jobs"):
                part.n_jobs = 1

    def predict(self, frame: pd.DataFrame) -> list[Answer]:
        """Answer rows.

        Args:
            frame: Features as ``contract.frame`` or ``contract.parse`` give them, shape ``(rows, features)``.

        Returns:
            For each row ``prediction`` (a label, a boolean or a float) and ``probability``: of the positive class for a
            binary task, of the predicted class for a multiclass one, None for regression. For a multiclass task
            ``probabilities`` as well: of every class by its label, in the order of the contract. JSON values.

        Raises:
            ArithmeticError: If the model answers with something that is not a finite number.
        """
        if self.contract.task == "regression":
            values = _finite(predictions("value", self._model, frame, []))
            return [{"prediction": value, "probability": None} for value in values.tolist()]
        probability = _finite(predictions("probability", self._model, frame, self.contract.codes))
        codes = labels_of(self._model, probability)
        shown = probability[:, 1] if self.contract.task == "binary" else probability[np.arange(len(codes)), codes]
        labels = [spoken(label, self.contract) for label in self.contract.classes]
        answers: list[Answer] = [
            {"prediction": labels[code], "probability": value}
            for code, value in zip(codes.tolist(), shown.tolist(), strict=True)
        ]
        if self.contract.task == "multiclass":
            for answer, of_each in zip(answers, probability.tolist(), strict=True):
                answer["probabilities"] = dict(zip(self.contract.classes, of_each, strict=True))
        return answers


def parts(model: Any) -> Iterator[Any]:
    """A fitted model and the fitted estimators in it: of a threshold, of a calibration, the steps of a pipeline."""
    yield model
    inside = [step for _, step in getattr(model, "steps", [])]
    inside += [calibrated.estimator for calibrated in getattr(model, "calibrated_classifiers_", [])]
    inside += [model.estimator_] if hasattr(model, "estimator_") else []
    for part in inside:
        yield from parts(part)


def first_difference(expected: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> str | None:
    """Where answers differ from golden ones.

    Labels have to be equal, probabilities within 1e-6, regression values within 1e-6 of their size. A version of a
    release that published no probability of every class is not asked for them.

    Returns:
        The first difference as a sentence, or None if there is none.
    """
    if len(expected) != len(given):
        return f"{counted(len(given), 'answer')} for {counted(len(expected), 'row')}"
    for number, (wanted, found) in enumerate(zip(expected, given, strict=True)):
        for field, relative in (("prediction", TOLERANCE), ("probability", 0.0)):
            if not _same(wanted.get(field), found.get(field), relative):
                return f"row {number}: {field} {found.get(field)} instead of {wanted.get(field)}"
        each, given_each = wanted.get("probabilities") or {}, found.get("probabilities") or {}
        if each and set(each) != set(given_each):
            return f"row {number}: probabilities of {listed(given_each) or 'no class'} instead of {listed(each)}"
        for label, probability in each.items():
            if not _same(probability, given_each[label], 0.0):
                return f"row {number}: probability of '{label}' {given_each[label]} instead of {probability}"
    return None


def _same(wanted: Any, found: Any, relative: float) -> bool:
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        number = isinstance(found, int | float) and not isinstance(found, bool)
        return number and math.isclose(wanted, found, rel_tol=relative, abs_tol=TOLERANCE)
    return type(wanted) is type(found) and bool(wanted == found)


def _finite(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise ArithmeticError("the model answered with a number that is not finite")
    return values


def spoken(label: str, contract: Contract) -> str | bool:
    """A label as it is answered: a boolean target with a boolean."""
    return label == "true" if contract.target_type == "boolean" else label
