"""How far two distributions are apart: the one measure that validation and monitoring share."""

import numpy as np
from scipy.special import xlogy

from ciclo.components.core.metrics import Array


def divergence(p: Array, q: Array) -> Array:
    """Kullback and Leibler's divergence of the rows of ``p`` from those of ``q`` in nats, where ``q`` covers ``p``.

    Args:
        p: Shape ``(rows, bins)``: shares, or counts, which give as many times the divergence.
        q: The same shape.

    Returns:
        Shape ``(rows,)``.
    """
    return np.asarray(xlogy(p, np.where(p > 0, p / np.where(q > 0, q, 1), 1)).sum(axis=-1))


def jensen_shannon(reference: Array, other: Array, chance: Array | float = 0.0) -> Array:
    """The Jensen-Shannon distance to base 2, 0 to 1, of each row of counts from the one beside it.

    Lin, Divergence Measures Based on the Shannon Entropy, 1991; its root is a metric: Endres and Schindelin, 2003.

    Args:
        reference: Counts, shape ``(rows, bins)``.
        other: Counts of the same shape.
        chance: Divergence in nats that is no distance, such as what two samples of one distribution show.

    Returns:
        Shape ``(rows,)``; 0 where either has no counts.
    """
    totals = reference.sum(axis=-1, keepdims=True), other.sum(axis=-1, keepdims=True)
    p, q = reference / np.maximum(totals[0], 1), other / np.maximum(totals[1], 1)
    middle = (p + q) / 2
    nats = (divergence(p, middle) + divergence(q, middle)) / 2 - chance
    known = (totals[0] > 0) & (totals[1] > 0)
    return np.where(known[..., 0], np.sqrt(np.clip(nats / np.log(2), 0, 1)), 0.0)
