"""What stands for a column that has not one value in the rows a model is fitted on.

It is named in model files, so it stays where it is and does nothing else.
"""

from typing import Any


def zero_if_empty(values: Any) -> float:
    """The strategy of an imputer that fills a column without values with zero, and no other.

    Trees place missing values themselves, but histogram gradient boosting cannot bin a column that is empty.

    Args:
        values: Those that are not missing, shape ``(values,)``.
    """
    return float("nan") if len(values) else 0.0
