"""How much a mean over runs scatters, smoothed over the steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.curve import Array
from sufficiency.method.links import Link

# An observed standard deviation of zero is rounding or a small test split, not certainty; one of a training that
# diverged says no more than that it is large. In units of the link.
_LEAST, _MOST = 1e-4, 1e4
# On the link's scale.
_LEAST_RUN = 1e-6
# Prior of the slope of log SD over log2 n: worth 4 units of Σ(x − x̄)², centred at −1/4.
_SLOPE_WEIGHT, _SLOPE_PULL = 4.0, -1.0


@dataclass(frozen=True)
class Noise:
    """Scatter of one training about the mean over trainings, on the link's scale.

    Attributes
    ----------
    run : ndarray of float, shape (K,)
        Standard deviation of one run at each step; zeros where it cannot be known: no step has two runs.
    mean : ndarray of float, shape (K,)
        Variance of the mean over the runs of each step.
    known : bool
    """

    run: Array
    mean: Array
    known: bool


def estimate_noise(x: Array, mean: Array, sd: Array, runs: NDArray[np.int64], link: Link) -> Noise:
    """Estimate the run-to-run scatter.

    Parameters
    ----------
    x : ndarray, shape (K,)
        log2 of the sizes.
    mean, sd : ndarray, shape (K,)
        In the metric's units; `sd` is NaN where a step has fewer than two runs.
    runs : ndarray of int, shape (K,)

    Notes
    -----
    The standard deviations of few runs scatter widely themselves, so their logarithms are regressed on log2 n, with a
    slope pulled towards −1/4; 0.5/(R − 1) is the bias of log SD, to first order, with R runs.
    """
    several = np.isfinite(sd)
    if not several.any():
        zeros = np.zeros_like(x)
        return Noise(zeros, zeros, False)
    known, log_sd = x[several], np.log(np.clip(sd[several] / link.unit, _LEAST, _MOST))
    centre = known.mean()
    deviation = known - centre
    slope = (deviation @ (log_sd - log_sd.mean()) + _SLOPE_PULL) / (deviation @ deviation + _SLOPE_WEIGHT)
    bias = 0.5 / max(float(runs[several].mean()) - 1.0, 1.0)
    smooth = np.exp(np.clip(log_sd.mean() + bias + slope * (x - centre), np.log(_LEAST), np.log(_MOST)))
    run = np.maximum(smooth * link.unit * link.slope(mean), _LEAST_RUN)
    return Noise(run, run**2 / runs, True)
