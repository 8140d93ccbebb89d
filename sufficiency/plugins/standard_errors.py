"""How far the test split's own chance may put a metric off: from what each of its items contributes.

The infinitesimal jackknife: with ψ_i by how much the metric would move for a little more weight on item i, times the
number of items N, the standard error is SD(ψ)/sqrt(N). It is what a bootstrap over the test items converges to, without
drawing any. All classes' shares of a macro average come from the same items, and so from the same ψ.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def of_mean(contributions: Array) -> float:
    """Return the standard error of a mean over items, shape (N,); NaN for fewer than two."""
    if len(contributions) < 2:
        return math.nan
    return float(contributions.std(ddof=1) / math.sqrt(len(contributions)))


def of_auroc(scores: Array, target: NDArray[np.int64]) -> float:
    """Return the standard error of the AUROC averaged over the classes with items on both sides.

    Parameters
    ----------
    scores : ndarray, shape (N, C)
    target : ndarray of int, shape (N,)

    Notes
    -----
    An item's contribution is its placement among the items of the other side (DeLong et al., 1988).
    """
    total, counted = np.zeros(len(target)), 0
    for k in range(scores.shape[1]):
        positive = target == k
        if not 0 < positive.sum() < len(target):
            continue
        counted += 1
        mine, others = np.sort(scores[positive, k]), np.sort(scores[~positive, k])
        placed = np.empty(len(target))
        placed[positive] = _placed(others, scores[positive, k])
        placed[~positive] = 1.0 - _placed(mine, scores[~positive, k])
        area = placed[positive].mean()
        share = np.where(positive, positive.mean(), 1.0 - positive.mean())
        total += (placed - area) / share
    return of_mean(total / counted) if counted else math.nan


def _placed(others: Array, mine: Array) -> Array:
    """Return the share of `others`, sorted, that each of mine is above; ties count half."""
    below, not_above = np.searchsorted(others, mine, "left"), np.searchsorted(others, mine, "right")
    return np.asarray((below + not_above) / (2.0 * len(others)))


def of_f1(labels: NDArray[np.int64], target: NDArray[np.int64], classes: int) -> float:
    """Return the standard error of the F1 score averaged over the classes that are there or were answered."""
    total, counted = np.zeros(len(target)), 0
    for k in range(classes):
        is_k, says_k = target == k, labels == k
        weight = is_k.astype(np.float64) + says_k
        if not weight.any():
            continue
        hits = 2.0 * (is_k & says_k)
        total += (hits - hits.sum() / weight.sum() * weight) / weight.mean()
        counted += 1
    return of_mean(total / max(counted, 1))


def of_rmse(errors: Array) -> float:
    """Return the standard error of a root mean square."""
    root = math.sqrt(float((errors**2).mean()))
    return of_mean(errors**2) / (2.0 * root) if root > 0 else math.nan


def of_r2(errors: Array, target: Array) -> float:
    """Return the standard error of R²."""
    spread = (target - target.mean()) ** 2
    if not spread.mean() > 0:
        return math.nan
    unexplained = (errors**2).mean() / spread.mean()
    return of_mean((errors**2 - unexplained * spread) / spread.mean())
