"""How far from its quartiles a number is unlikely; apart from ``fences``, which takes a second to import."""

import numpy as np

from ciclo.components.core.metrics import Array


def tukey(values: Array, k: float) -> tuple[float, float]:
    """Tukey's fences ``Q1 - k IQR`` and ``Q3 + k IQR``; infinite where the quartiles are equal.

    Args:
        values: Numbers, NaN where missing; shape ``(rows,)``.
        k: How many interquartile ranges.
    """
    known = values[~np.isnan(values)]
    first, third = np.quantile(known, [0.25, 0.75]) if known.size else (0.0, 0.0)
    if first == third:
        return -np.inf, np.inf
    return float(first - k * (third - first)), float(third + k * (third - first))
