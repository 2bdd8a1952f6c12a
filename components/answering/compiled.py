"""A fitted pipeline in the form that answers fastest: its preprocessing as tables, its estimator as trees or a product.

It is compiled anew wherever it answers, from the verified model file: so there is nothing more to store, to sign or to
trust. Whether it may answer at all is found once, by ``parity``, and is part of the version.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.answering.engine import Engine
from ciclo.components.answering.estimators import Answers, calibrated, compiled_estimator
from ciclo.components.answering.generated import generated_rows
from ciclo.components.answering.preparing import NotCompiledError, prepared
from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array, labels_of, predictions, threshold_of
from ciclo.components.core.wording import counted

ROWS = 20_000
EXACT = 1e-9


class CompiledModel:
    """A compiled model; it answers as the fitted one does.

    Args:
        model: A pipeline of ``preprocess`` and ``model``, as training fits it, its calibration and threshold around it.

    Raises:
        NotCompiledError: If a part of it has no compiled form.
    """

    def __init__(self, model: Any) -> None:
        self.threshold = threshold_of(model)
        self._predict = _compiled(getattr(model, "estimator_", model) if self.threshold is not None else model).predict
        if hasattr(model, "classes_"):
            self.classes_ = np.asarray(model.classes_)

    def predict(self, X: pd.DataFrame) -> Array:  # noqa: N803
        """Values, or classes as ``labels_of`` gives them; shape ``(rows,)``."""
        answers = self._predict(X)
        return np.asarray(self.classes_[labels_of(self, answers)]) if hasattr(self, "classes_") else answers

    def predict_proba(self, X: pd.DataFrame) -> Array:  # noqa: N803
        """Probabilities of ``classes_``; shape ``(rows, classes)``."""
        return self._predict(X)


def _compiled(model: Any) -> Answers:
    """A pipeline, or a calibration of one; it takes features, shape ``(rows, features)``."""
    from sklearn.calibration import CalibratedClassifierCV

    if isinstance(model, CalibratedClassifierCV):
        return calibrated(model, _compiled)
    steps = dict(getattr(model, "steps", ()))
    if set(steps) != {"preprocess", "model"}:
        raise NotCompiledError(f"a {type(model).__name__} of other steps than training's has no compiled form")
    prepare = prepared(steps["preprocess"])
    answers = compiled_estimator(steps["model"], sparse=steps["preprocess"].sparse_output_)
    score = answers.score
    return Answers(lambda rows: answers.predict(prepare(rows)), score and (lambda rows: score(prepare(rows))))


class Parity(BaseModel):
    """Whether a version is answered by its compiled form.

    Attributes:
        engine: What answers.
        why: Why the fitted pipeline answers itself; empty if the compiled one does.
        rows: Rows on which both were compared.
        largest_difference: Of any probability, or of any value relative to its size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["compiled", "fitted"] = "fitted"
    why: str = "it was published before there was a compiled form"
    rows: int = 0
    largest_difference: float = 0.0

    @property
    def sentence(self) -> str:
        """The finding, for a person."""
        if self.engine == "fitted":
            return f"the fitted pipeline answers itself: {self.why}"
        return (
            f"its compiled form answers: on {counted(self.rows, 'row')}, with missing, unseen and extreme values among "
            f"them, every label is the same and the largest difference is {self.largest_difference:.1g}"
        )


def parity(model: Any, contract: Contract, rows: pd.DataFrame, seed: int) -> Parity:
    """Compare a pipeline with its compiled form, and never fail.

    Args:
        model: The fitted pipeline.
        contract: Its data contract.
        rows: Features as ``contract.frame`` gives them; more are generated from them.
        seed: Of what is generated.

    Returns:
        ``compiled`` only if every label is the same, and every probability or value within 1e-9.
    """
    try:
        compiled, asked = CompiledModel(model), generated_rows(contract, rows, ROWS, seed)
        if contract.task == "regression":
            theirs, ours = (predictions("value", m, asked, []) for m in (model, compiled))
            differences = np.abs(theirs - ours) / np.maximum(1.0, np.abs(theirs))
            flipped = 0
        else:
            theirs, ours = (predictions("probability", m, asked, contract.codes) for m in (model, compiled))
            differences = np.abs(theirs - ours)
            flipped = int((labels_of(model, theirs) != labels_of(compiled, ours)).sum())
    except NotCompiledError as error:
        return Parity(why=str(error))
    except Exception as error:  # whatever goes wrong in there, the fitted pipeline is still right
        return Parity(why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    largest = float(differences.max()) if np.isfinite(differences).all() else float("inf")
    facts: Mapping[str, Any] = {"rows": len(asked), "largest_difference": largest}
    if flipped or not largest <= EXACT:
        seen = f"{counted(flipped, 'other label')}, largest difference {largest:.1g}"
        return Parity(why=f"its compiled form answers otherwise on {counted(len(asked), 'row')}: {seen}", **facts)
    return Parity(engine="compiled", why="", **facts)


def engine_of(model: Any, contract: Contract, found: Parity) -> Engine:
    """What answers for a version.

    Raises:
        NotCompiledError: If it is to be the compiled form, and there is none here.
    """
    return Engine(CompiledModel(model) if found.engine == "compiled" else model, contract)
