"""What happens to the features inside the model.

Everything fitted (imputed values, limits, encoders, scales) lives here, in the scikit-learn pipeline, and so is learnt
from the training rows alone.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes IterativeImputer importable)
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from ciclo.components.core.among_numbers import AmongNumbers
from ciclo.components.core.cleaning_policy import Cleaning, MissingColumn, Outlier
from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.empty_columns import zero_if_empty
from ciclo.components.core.fences import Fences

Style = Literal["linear", "trees"]
Part = tuple[str, Any, list[str]]
UNSAID = MissingColumn.model_construct()  # of a column of which nothing is rule


def numbers(contract: Contract) -> list[str]:
    """Features that reach the model as numbers."""
    return [c.name for c in contract.columns if c.type != "category"]


def categories(contract: Contract) -> list[str]:
    """Features that reach the model as categories."""
    return [c.name for c in contract.columns if c.type == "category"]


def preprocessor(
    contract: Contract, style: Style, cleaning: Cleaning | None = None, seed: int = 0
) -> ColumnTransformer:
    """Build the unfitted transformer.

    Args:
        contract: The data contract.
        style: ``linear``: impute with an indicator, scale, one-hot with rare levels merged; what comes round, such as
            an hour, as sine and cosine too, so that 23 is next to 0. ``trees``: numbers pass as
            they are, since trees place missing values themselves, but a column without one value becomes zero;
            categories become codes, -1 where missing or unseen.
        cleaning: What is said of missing values and outliers; what it says of a column holds for both styles.
        seed: Of an imputer that draws.

    Returns:
        A transformer whose output holds the numbers first, then the categories, then sines and cosines, indicators of
        missing values and flags of outliers. For ``trees`` each number and each category is one column of it.
    """
    policy = _Policy(contract, style, cleaning or Cleaning(), seed)
    round_ones = [c for c in contract.columns if c.cycle and style == "linear"]
    cycles = [policy.cycle(f"cycle {n}", c) for n, c in enumerate(round_ones, 1)]
    return ColumnTransformer(
        [*policy.numbers(), *policy.categories(), *cycles, *policy.indicators(), *policy.flags()],
        verbose_feature_names_out=False,
    )


class _Policy:
    """The parts of a preprocessor, by what is said of each column."""

    def __init__(self, contract: Contract, style: Style, cleaning: Cleaning, seed: int) -> None:
        self._linear, self._seed = style == "linear", seed
        self._numbers, self._categories = numbers(contract), categories(contract)
        self._types = {c.name: c.type for c in contract.columns}
        self._default = cleaning.missing.numbers
        known = [*self._numbers, *self._categories]
        self._missing = {n: p for n, p in cleaning.missing.columns.items() if n in known and p.for_all}
        self._outliers = {n: p for n, p in cleaning.outliers.items() if n in known}

    def numbers(self) -> list[Part]:
        """Numbers, those together that are treated alike."""
        return [self._number(title, names) for title, names in self._alike("numbers", self._numbers)]

    def _alike(self, title: str, names: Sequence[str]) -> list[tuple[str, list[str]]]:
        """Columns by policy, those of which nothing is rule first; of no columns, one part without any."""
        parts: dict[str, list[str]] = {UNSAID.text: []}
        for name in names:
            parts.setdefault(self._missing.get(name, UNSAID).text, []).append(name)
        titled = [(f"{title} {n}" if n else title, columns) for n, columns in enumerate(parts.values())]
        return [(own, columns) for own, columns in titled if columns or len(parts) == 1]

    def _number(self, title: str, names: list[str]) -> Part:
        steps, columns = self._filled(names)
        steps += [StandardScaler()] if self._linear else []
        return title, make_pipeline(*steps) if len(steps) > 1 else steps[0], columns

    def _filled(self, names: list[str], *, default: bool = False) -> tuple[list[Any], list[str]]:
        """What clips and imputes columns of one policy, and the columns it takes.

        Args:
            names: The columns.
            default: Whether those of which nothing is rule are imputed in any style, and without an indicator.
        """
        rule = self._missing.get(names[0], UNSAID) if names else UNSAID
        columns = self._numbers if rule.impute in ("knn", "iterative") else names
        return [*self._clipped(columns), self._imputer(rule, names, default=default)], columns

    def _imputer(self, rule: MissingColumn, names: list[str], *, default: bool) -> Any:
        match rule.impute:
            case "constant":
                value = float(rule.value or 0.0)
                return SimpleImputer(strategy="constant", fill_value=value, keep_empty_features=True)
            case "knn":
                return self._among(None, names)
            case "iterative":
                return self._among(IterativeImputer(random_state=self._seed, keep_empty_features=True), names)
            case None if not self._linear and not default:
                return SimpleImputer(strategy=zero_if_empty, keep_empty_features=True)
            case None:
                # A column without one value in the training rows becomes zero and an indicator instead of vanishing.
                added = not default and rule.indicator is None
                return SimpleImputer(strategy=self._default, add_indicator=added, keep_empty_features=True)
        return SimpleImputer(strategy=rule.impute, keep_empty_features=True)

    def _among(self, imputer: IterativeImputer | None, names: list[str]) -> AmongNumbers:
        return AmongNumbers(imputer, [self._numbers.index(name) for name in names])

    def _clipped(self, columns: Sequence[str]) -> list[Fences]:
        rule = [self._outliers.get(name) for name in columns]
        clips = [policy if policy and policy.action == "clip" else None for policy in rule]
        return [_fences("clip", clips)] if any(clips) else []

    def categories(self) -> list[Part]:
        """Categories, those together that are treated alike."""
        return [(title, self._category(names), names) for title, names in self._alike("categories", self._categories)]

    def _category(self, names: list[str]) -> Any:
        rule = self._missing.get(names[0], UNSAID) if names else UNSAID
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, max_categories=250
        )
        levels = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50)
        if rule.impute is None:
            return make_pipeline(_constant("(missing)"), levels) if self._linear else codes
        word = _constant(str(rule.value)) if rule.impute == "constant" else SimpleImputer(strategy="most_frequent")
        return make_pipeline(word, levels if self._linear else codes)

    def indicators(self) -> list[Part]:
        """Where values were missing, of the columns that ask for it."""
        kinds = {"missing numbers": self._numbers, "missing categories": self._categories}
        parts = {t: [n for n in names if n in self._missing and self._missing[n].flagged] for t, names in kinds.items()}
        return [(title, MissingIndicator(features="all"), names) for title, names in parts.items() if names]

    def flags(self) -> list[Part]:
        """Which values are outliers, of the columns that ask for it."""
        flagged = {name: policy for name, policy in self._outliers.items() if policy.action == "flag"}
        return [("outliers", _fences("flag", list(flagged.values())), [*flagged])] if flagged else []

    def cycle(self, title: str, column: ContractColumn) -> Part:
        """Sine and cosine of one column; made of NumPy's own functions, which a model file may name."""
        turns = 1_000.0  # to either side; values further out are held there
        reach = {"xp": [-turns * float(column.cycle or 1), turns * float(column.cycle or 1)]}
        angle = FunctionTransformer(np.interp, kw_args={**reach, "fp": [-turns * 2 * np.pi, turns * 2 * np.pi]})
        steps, columns = self._filled([column.name], default=True)
        both = make_union(FunctionTransformer(np.sin), FunctionTransformer(np.cos))
        return title, make_pipeline(*steps, angle, both), columns


def _constant(word: str) -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=word, keep_empty_features=True)


def _fences(action: Literal["clip", "flag"], policies: Sequence[Outlier | None]) -> Fences:
    """Fences of columns; those of which nothing is rule have none."""
    return Fences(
        action,
        [policy.learnt if policy else None for policy in policies],
        [policy.low if policy else None for policy in policies],
        [policy.high if policy else None for policy in policies],
    )
