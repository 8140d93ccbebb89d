"""Straight lines between knots, of one curve or of several over the same knots."""

import numpy as np

from sufficiency.method.curve import Array

# So many curves are quicker done one after the other.
_FEW = 4


def on_lines(x: Array, knots: Array, at: Array) -> Array:
    """Return what curves are at x, as `numpy.interp` has it of one.

    Parameters
    ----------
    x : ndarray, shape (X,)
        Outside the knots a curve stays what it is at the nearest of them.
    knots : ndarray, shape (P,), P ≥ 2
        Increasing.
    at : ndarray, shape (..., P)

    Returns
    -------
    ndarray, shape (..., X)
    """
    if at.ndim == 1:
        return np.interp(x, knots, at)
    if at.size <= _FEW * len(knots):
        each = [np.interp(x, knots, one) for one in at.reshape(-1, len(knots))]
        return np.array(each).reshape(*at.shape[:-1], len(x))
    last = len(knots) - 1
    before = np.minimum(np.maximum(np.searchsorted(knots, x, side="right") - 1, 0), last - 1)
    # Outside, and at a knot itself, the value there and nothing beside it.
    past = np.minimum(np.maximum(x, knots[0]), knots[-1]) - knots[before]
    first, second = np.take(at, before, axis=-1), np.take(at, before + 1, axis=-1)
    between = (second - first) / (knots[before + 1] - knots[before]) * past + first
    return np.where(x >= knots[-1], at[..., -1:], between)
