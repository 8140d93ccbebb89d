"""The calibrated method as shared/data/lcdb/score.py wants it: predict(n, y, targets_n) → mean, lo95, hi95."""

import numpy as np
from numpy.typing import NDArray

from bench.calibration.tasks import accuracy_series
from sufficiency.method.calibrated import fit_calibrated

Array = NDArray[np.float64]


def predict(n: Array, y: Array, targets_n: Array) -> tuple[Array, Array, Array]:
    """Return the median and the 95 % interval of accuracy at `targets_n`, for runs × steps `y` at sizes `n`."""
    fit = fit_calibrated(accuracy_series(n, y))
    return fit.value(targets_n), fit.quantile(targets_n, 0.025), fit.quantile(targets_n, 0.975)
