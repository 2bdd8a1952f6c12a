"""The estimators that can be fitted here, each with the tasks that it can do.

LightGBM's wheel needs the OpenMP of the system (libgomp1), which a small machine may not have.
"""

import pytest

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.lightgbm_trees import library
from ciclo.components.training.candidates import RECIPES


def _has_lightgbm() -> bool:
    try:
        library()
    except SettingsError:
        return False
    return True


HAS_LIGHTGBM = _has_lightgbm()
needs_lightgbm = pytest.mark.skipif(not HAS_LIGHTGBM, reason="LightGBM needs libgomp1, which is not installed")
TASK_ESTIMATORS = [
    (task, name)
    for task in ("binary", "multiclass", "regression")
    for name, recipe in RECIPES.items()
    if (recipe.regressor if task == "regression" else recipe.classifier) and (HAS_LIGHTGBM or name != "lightgbm")
]
