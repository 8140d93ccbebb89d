"""How much a mean over runs scatters, smoothed over the steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from sufficiency.method.curve import Array
from sufficiency.method.links import Link

# An observed standard deviation of zero is rounding or a small test split, not certainty; one of a training that
# diverged says no more than that it is large. In units of the link.
_LEAST, _MOST = 1e-4, 1e4
# On the link's scale.
_LEAST_RUN = 1e-6
# Prior of the slope of log SD over log2 n: worth 4 units of Σ(x − x̄)², centred at −1/4.
_SLOPE_WEIGHT, _SLOPE_PULL = 4.0, -1.0


# Runs that all have the same items scatter by their training alone. That they do is believed where so little scatter at
# the whole split would be chance once in twenty times.
_ALL_SHARED, _BY_CHANCE = 0.999, 0.05
# Two runs with this share of items in common go together by its power: at .67 of them .2 to .33, at .9 .63 to .77
# (nearest neighbours, ridge and Bayes on digits). What depended on single items alone would have 1.
_TOGETHER = 2.5


@dataclass(frozen=True)
class Noise:
    """Scatter of one training about the mean over trainings, on the link's scale.

    Attributes
    ----------
    run : ndarray of float, shape (..., K)
        Standard deviation of one run, on items of its own, at each step; zeros where it cannot be known: no step has
        two runs.
    mean : ndarray of float, shape (..., K)
        Variance of the mean over the runs of each step.
    known : bool
    inflated : ndarray of float, shape (..., K), or float
        How many times the variance of as many independent runs that is: more than once where runs share their items.
    """

    run: Array
    mean: Array
    known: bool
    inflated: Array | float = 1.0


def estimate_noise(
    x: Array, mean: Array, sd: Array, runs: NDArray[np.int64], link: Link, shared: Array | None = None
) -> Noise:
    """Estimate the run-to-run scatter, of one curve or of several with the same steps.

    Parameters
    ----------
    x : ndarray, shape (K,)
        log2 of the sizes.
    mean, sd : ndarray, shape (..., K)
        In the metric's units; `sd` is NaN where a step has fewer than two runs, which is at the same steps of all.
    runs : ndarray of int, shape (..., K)
    shared : ndarray, shape (K,), optional
        Share of its items that a run has in common with another; see `Series`.

    Notes
    -----
    The standard deviations of few runs scatter widely themselves, so their logarithms are regressed on log2 n, with a
    slope pulled towards −1/4, each by its degrees of freedom; 0.5/(R − 1) is the bias of log SD, to first order, with R
    runs.

    At the whole training split all runs have the same items. Where they scatter plainly less there than the smaller
    sizes would have it, what is left is the training's; the rest came from the items, and no number of runs on the same
    ones takes it from their mean. By what share of the items two runs have in common it is in between at other sizes.
    """
    several = np.isfinite(sd.reshape(-1, len(x))[0])
    if not several.any():
        zeros = np.zeros_like(mean)
        return Noise(zeros, zeros, False)
    whole = np.zeros_like(several) if shared is None else several & (shared >= _ALL_SHARED)
    together = np.zeros_like(x) if shared is None else shared**_TOGETHER
    smooth, inflated = _smooth(x, sd, runs, several, link), np.ones_like(x)
    if whole.any() and (several & ~whole).sum() > 1:
        apart = _smooth(x, sd, runs, several & ~whole, link)
        of_all = np.maximum(_of_steps(sd, whole) / link.unit, _LEAST) / _of_steps(apart, whole)
        share = (of_all**2).mean(axis=-1, keepdims=True)
        freedom = (_of_steps(runs, whole) - 1).sum(axis=-1, keepdims=True)
        plainly = share < chdtri(freedom, 1.0 - _BY_CHANCE) / freedom
        # What was seen at the smaller sizes is less than on items of its own, by what the runs share there.
        alone = apart / np.sqrt(1.0 - (1.0 - share) * np.interp(x, x[~whole], together[~whole]))
        smooth = np.where(plainly, alone, smooth)
        inflated = np.where(plainly, share + (1.0 - share) * (1.0 + together * (runs - 1)), 1.0)
    run = np.maximum(smooth * link.unit * link.slope(mean), _LEAST_RUN)
    return Noise(run, inflated * run**2 / runs, True, inflated)


def _of_steps(values: NDArray[Any], steps: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the values at some of the steps, one curve after the other in memory, as sums over them want it."""
    return np.compress(steps, values, axis=-1)


def _smooth(x: Array, sd: Array, runs: NDArray[np.int64], several: NDArray[np.bool_], link: Link) -> Array:
    """Return the line through the logarithms of some steps' standard deviations, in units of the link, at all steps."""
    known, log_sd = x[several], np.log(np.minimum(np.maximum(_of_steps(sd, several) / link.unit, _LEAST), _MOST))
    freedom = _of_steps(runs, several) - 1.0
    weight = freedom / freedom.sum(axis=-1, keepdims=True)
    log_sd += 0.5 / freedom
    centre, level = (np.vecdot(weight, of)[..., None] for of in (known, log_sd))
    deviation, weight = known - centre, weight * len(known)
    pulled = np.vecdot(weight * deviation, log_sd - level) + _SLOPE_PULL
    slope = pulled / (np.vecdot(weight * deviation, deviation) + _SLOPE_WEIGHT)
    smooth = np.exp(level + slope[..., None] * (x - centre))
    return np.asarray(np.minimum(np.maximum(smooth, _LEAST), _MOST))
