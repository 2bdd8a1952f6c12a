"""Features that know the answer: what is found out only after the outcome, and stands in the table all the same.

A leak is information about the target that will not be there when a prediction is wanted (Kaufman, Rosset, Perlich and
Stitelman, Leakage in Data Mining: Formulation, Detection, and Avoidance, 2012). No table says so of itself. What it
shows is a score too good to be true; so an *error* is what is surely over the limit, and what is only strange is a
*warning*.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from ciclo.components.core.clusters import groups_of
from ciclo.components.core.metrics import Array, predictions
from ciclo.components.core.sections import Level
from ciclo.components.core.wording import listed
from ciclo.components.tables.combinations import Combination, combined
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.evidence import (
    LEAST_OF_A_CLASS,
    LEAST_ROWS,
    enough,
    ranks_alike,
    surely_over,
    surely_ranked,
)
from ciclo.components.tables.relations import Halves, strongest_first

PERFECT = 0.985  # a first model over this is looked at
CARRIES = 0.93  # share of the first model's skill that one column holds
STRONG = 0.9  # that such a column scores alone
EXACT = 0.999  # what a combination explains of a number beyond which it is taken for the number
_FEW_VALUES = 10
_ROWS_OF_A_VALUE = 5
_MODEL_ROWS = 10_000
_MODEL_CELLS = 1_000_000
_NAMED = 3


@dataclass(frozen=True)
class Leak:
    """A finding.

    Attributes:
        kind: ``copy``, ``alone``, ``present`` (alone, where it is known), ``combination``, ``order``, ``carrier`` or
            ``perfect``.
        columns: The columns that know too much.
        level: ``error`` where it is beyond doubt.
        score: How well they tell the target: AUC, or R2.
        limit: What it is over.
        what: What they do.
    """

    kind: str
    columns: tuple[str, ...]
    level: Level
    score: float
    limit: float
    what: str

    @property
    def text(self) -> str:
        """The finding, without the score."""
        return f"{listed(map(_quoted, self.columns), 5)} {self.what}"


@dataclass(frozen=True)
class Leaks:
    """What is found.

    Attributes:
        relations: How each feature tells the target on its own, as ``relations`` gives it.
        found: The findings, errors first.
        telling: Whether there were rows enough to find anything.
    """

    relations: dict[str, float]
    found: tuple[Leak, ...]
    telling: bool

    @property
    def errors(self) -> tuple[Leak, ...]:
        """Those beyond doubt."""
        return tuple(leak for leak in self.found if leak.level == "error")


def leaks(train: Dataset, held_out: Dataset, limit: float, groups: Array | None = None) -> Leaks:
    """Look for columns that tell the target too well, alone or together.

    Args:
        train: Rows to learn from.
        held_out: Rows to score on.
        limit: Score (AUC or R2) that none may surely reach.
        groups: Which of the rows to score on are one piece of evidence; by default each is one.
    """
    halves = Halves.of(train, held_out)
    return _Search(halves, limit, groups_of(None, len(held_out)) if groups is None else groups).run()


class _Search:
    """One search; what is found is not looked at again."""

    def __init__(self, halves: Halves, limit: float, groups: Array) -> None:
        self.halves, self.limit, self.groups = halves, limit, groups
        self.found: list[Leak] = []
        self.scores: dict[str, float] = {}
        self.best: dict[int, float] = {}  # with what is fitted to a number by other means than a tree
        self.telling = enough(halves.y_asked, halves.codes)

    def run(self) -> Leaks:
        halves = self.halves
        for column, name in enumerate(halves.names):
            predicted = halves.alone(column)
            self.scores[name] = self.best[column] = halves.score(predicted)
            if (leak := self._alone(column, predicted)) is not None:
                self.found.append(leak)
        if self.telling and len(halves.names) > 1:
            self._together()
            if not any(leak.level == "error" for leak in self.found):
                self._model()
        found = sorted(self.found, key=lambda leak: leak.level != "error")
        return Leaks(strongest_first(self.scores), tuple(found), self.telling)

    def _alone(self, column: int, predicted: Array) -> Leak | None:
        copy = self._copy(column)
        if copy is not None or not self.telling:
            return copy
        halves = self.halves
        all_taught, all_asked = (np.ones(len(part), dtype=bool) for part in (halves.taught, halves.asked))
        whole = halves.part(all_taught, all_asked, [column])
        if (leak := self._over("alone", column, whole, all_asked, predicted)) is not None:
            return leak
        taught, asked = (self._present(column, part) for part in (halves.taught, halves.asked))
        if not taught.all():
            some = halves.part(taught, asked, [column])
            if enough(some.y_asked, some.codes) and len(np.unique(some.y_taught)) > 1:
                leak = self._over("present", column, some, asked, some.alone(0))
        return leak or self._order(column)

    def _present(self, column: int, part: Array) -> Array:
        values = part[:, column]
        return np.asarray(values >= 0 if self.halves.names[column] in self.halves.categories else np.isfinite(values))

    def _copy(self, column: int) -> Leak | None:
        """Whether each of a column's few values stands for one class; a gap is a value too."""
        halves = self.halves
        if not halves.codes:
            return None
        present = [self._present(column, part) for part in (halves.taught, halves.asked)]
        values = np.concatenate([halves.taught[:, column], halves.asked[:, column]])
        known, y = np.concatenate(present), np.concatenate([halves.y_taught, halves.y_asked])
        if not known.all() and _one_class_each(known.astype("int64"), y):
            return self._leak("copy", (column,), "error", 1.0, "is missing for some classes and known for the others")
        values, most = values[known], max(_FEW_VALUES, len(halves.codes))
        if len(np.unique(values[: 20 * most])) > most:
            return None
        different, place = np.unique(values, return_inverse=True)
        if len(different) > most or not _one_class_each(place, y[known]):
            return None
        return self._leak("copy", (column,), "error", 1.0, "has one class for each of its values")

    def _over(self, kind: str, column: int, some: Halves, asked: Array, predicted: Array) -> Leak | None:
        """The column over the limit by a tree, or where the target is a number by a line or by its ranks."""
        text = "tells the target on its own" if kind == "alone" else "tells the target wherever it is known"
        looked_at = len(self.halves.names)
        answers = [predicted, *_lines(some)]
        scores = [some.score(answer) for answer in answers]
        at = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
        if kind == "alone":
            self.best[column] = scores[at]
        over = scores[at] > self.limit
        sure = over and surely_over(
            some.metric,
            some.y_asked,
            answers[at],
            some.codes,
            self.limit,
            groups=self.groups[asked],
            looked_at=looked_at,
        )
        if over and (sure or some.codes):
            return self._leak(kind, (column,), "error" if sure else "warning", scores[at], text)
        alike, rows = _ranked(some)
        if alike > self.limit:
            sure = surely_ranked(alike, rows, self.limit, looked_at)
            return self._leak(kind, (column,), "error" if sure else "warning", alike, "has the order of the target")
        return self._leak(kind, (column,), "warning", scores[at], text) if over else None

    def _order(self, column: int) -> Leak | None:
        """Whether a whole number of its own in every row tells the target in blocks, as ids do that follow an order."""
        halves, values = self.halves, self.halves.taught[:, column]
        if halves.names[column] in halves.categories or not np.isfinite(values).all() or (values % 1 != 0).any():
            return None
        if len(np.unique(values)) < len(values):
            return None
        predicted = halves.alone(column, leaves=None)
        score = halves.score(predicted)
        if not score > STRONG:
            return None
        text = "has a value of its own in every row, and its order tells the target"
        return self._leak("order", (column,), "warning", score, text, STRONG)

    def _together(self) -> None:
        halves, taken = self.halves, {name for leak in self.found for name in leak.columns}
        numeric = [c for c, name in enumerate(halves.names) if name not in halves.categories and name not in taken]
        looked_at = len(numeric) * (len(numeric) - 1) // 2
        for one in combined(halves, numeric, self.best, self.limit):
            sure = len(one.columns) < len(halves.names) and self._surely(one, looked_at)
            text = "together tell the target, as a product" if one.how == "product" else "together tell the target"
            self.found.append(self._leak("combination", one.columns, "error" if sure else "warning", one.score, text))

    def _surely(self, one: Combination, looked_at: int) -> bool:
        halves = self.halves
        return surely_over(
            halves.metric,
            halves.y_asked[one.asked],
            one.predicted,
            halves.codes,
            self.limit if halves.codes else max(self.limit, EXACT),
            groups=self.groups[one.asked],
            looked_at=looked_at,
        )

    def _model(self) -> None:
        """What a first model reaches without the columns that were found, and which of them carry it."""
        halves, taken = self.halves, {name for leak in self.found for name in leak.columns}
        left = [c for c, name in enumerate(halves.names) if name not in taken]
        left.sort(key=lambda c: -np.nan_to_num(self.best[c], nan=-1.0))
        rows = min(len(halves.taught), _MODEL_ROWS)
        left = left[: max(_MODEL_CELLS // rows, 1)]
        if len(left) < 2:
            return
        model = _first_model(halves).fit(halves.taught[:rows][:, left], halves.y_taught[:rows])

        def scored(asked: Array) -> float:
            return halves.score(predictions(halves.metric.needs, model, asked, halves.codes))

        asked = halves.asked[:, left]
        score, nothing = scored(asked), 0.0 if not halves.codes else 0.5
        if score > PERFECT:
            carried = _carried(scored, asked, score)
            columns = tuple(left[at] for at in carried)
            self.found.append(self._leak("perfect", columns, "warning", score, "carry a first model", PERFECT))
        top = left[0]
        skill, alone = score - nothing, self.best[top] - nothing
        if self.best[top] > STRONG and skill > 0 and alone >= CARRIES * skill:
            share = f"holds {min(alone / skill, 1):.0%} of what a first model knows"
            self.found.append(self._leak("carrier", (top,), "warning", self.best[top], share, STRONG))

    def _leak(
        self, kind: str, columns: tuple[int, ...], level: Level, score: float, text: str, limit: float | None = None
    ) -> Leak:
        names = tuple(self.halves.names[column] for column in columns)
        return Leak(kind, names, level, score, self.limit if limit is None else limit, text)


def _quoted(name: str) -> str:
    return f"'{name}'"


def _one_class_each(place: Array, y: Array) -> bool:
    """Whether the rows of each value are of one class, in rows and classes enough for that to be no chance."""
    if len(y) < LEAST_ROWS:
        return False
    values, classes = (np.unique(part, return_inverse=True)[1] for part in (place, y))
    width = int(classes.max()) + 1
    cells = np.bincount(values * width + classes, minlength=(int(values.max()) + 1) * width).reshape(-1, width)
    if width == 1 or ((cells > 0).sum(axis=1) > 1).any():
        return False
    return bool(cells[cells > 0].min() >= _ROWS_OF_A_VALUE and cells.sum(axis=0).min() >= LEAST_OF_A_CLASS)


def _lines(some: Halves) -> list[Array]:
    """What a straight line through one column says of a number: a tree has too few steps for a copy."""
    if some.codes or not (np.isfinite(some.taught).all() and np.isfinite(some.asked).all()):
        return []
    return [LinearRegression().fit(some.taught, some.y_taught).predict(some.asked)]


def _ranked(some: Halves) -> tuple[float, int]:
    """How much of the order of a number one column tells, and on how many rows; NaN where the target is a class."""
    known = np.isfinite(some.asked[:, 0])
    if some.codes or known.sum() < LEAST_ROWS:
        return float("nan"), 0
    return ranks_alike(rankdata(some.asked[known, 0]), rankdata(some.y_asked[known])), int(known.sum())


def _first_model(halves: Halves) -> Any:
    model = HistGradientBoostingClassifier if halves.codes else HistGradientBoostingRegressor
    return model(max_iter=60, early_stopping=False, random_state=0)


def _carried(scored: Any, asked: Array, score: float) -> list[int]:
    """Positions of the columns without which the score falls most, by permutation (Breiman, Random Forests, 2001)."""
    rng = np.random.default_rng(0)
    lost = []
    for column in range(asked.shape[1]):
        shuffled = asked.copy()
        shuffled[:, column] = rng.permutation(shuffled[:, column])
        lost.append(score - scored(shuffled))
    order = np.argsort(-np.array(lost))
    return [int(at) for at in order[:_NAMED] if lost[at] > 0.1 * lost[order[0]]] or [int(order[0])]
