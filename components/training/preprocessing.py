"""What happens to the features inside the model.

Everything fitted (imputed values, encoders, scales) lives here, in the scikit-learn pipeline, and so is learnt from the
training rows alone.
"""

from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.empty_columns import zero_if_empty

Style = Literal["linear", "trees"]


def numbers(contract: Contract) -> list[str]:
    """Features that reach the model as numbers."""
    return [c.name for c in contract.columns if c.type != "category"]


def categories(contract: Contract) -> list[str]:
    """Features that reach the model as categories."""
    return [c.name for c in contract.columns if c.type == "category"]


def preprocessor(contract: Contract, style: Style, impute: str) -> ColumnTransformer:
    """Build the unfitted transformer.

    Args:
        contract: The data contract.
        style: ``linear``: impute with an indicator, scale, one-hot with rare levels merged; what comes round, such as
            an hour, as sine and cosine too, so that 23 is next to 0. ``trees``: numbers pass as
            they are, since trees place missing values themselves, but a column without one value becomes zero;
            categories become codes, -1 where missing or unseen.
        impute: How linear models impute a missing number: ``median``, ``mean`` or ``most_frequent``.

    Returns:
        A transformer whose output holds the numbers first, then the categories, then sines and cosines.
    """
    cycles: list[tuple[str, Any, list[str]]] = []
    number: Any = SimpleImputer(strategy=zero_if_empty, keep_empty_features=True)
    category: Any = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, max_categories=250
    )
    if style == "linear":
        # A column without one value in the training rows becomes zero and an indicator instead of vanishing.
        number = make_pipeline(
            SimpleImputer(strategy=impute, add_indicator=True, keep_empty_features=True), StandardScaler()
        )
        category = make_pipeline(
            SimpleImputer(strategy="constant", fill_value="(missing)", keep_empty_features=True),
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50),
        )
        cycles = [(f"cycle of {c.name}", _cyclic(c, impute), [c.name]) for c in contract.columns if c.cycle]
    return ColumnTransformer(
        [("numbers", number, numbers(contract)), ("categories", category, categories(contract)), *cycles],
        verbose_feature_names_out=False,
    )


def _cyclic(column: ContractColumn, impute: str) -> Any:
    """Sine and cosine of one column; made of NumPy's own functions, which a model file may name."""
    turns = 1_000.0  # to either side; values further out are held there
    reach = {"xp": [-turns * float(column.cycle or 1), turns * float(column.cycle or 1)]}
    angle = FunctionTransformer(np.interp, kw_args={**reach, "fp": [-turns * 2 * np.pi, turns * 2 * np.pi]})
    return make_pipeline(
        SimpleImputer(strategy=impute, keep_empty_features=True),
        angle,
        make_union(FunctionTransformer(np.sin), FunctionTransformer(np.cos)),
    )
