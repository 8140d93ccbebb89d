"""Power-law fit: variable projection here against basin-hopping in DataEval 1.1.4, on the same 20 seeded curves.

And what the calibrated method takes for one curve and all that a user asks of it.
"""

import logging
import time
import warnings

import numpy as np

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.measurements import Series
from sufficiency.method.power_law import fit_power_law
from sufficiency.method.projection import inv_project, project

N = np.array([25, 41, 69, 116, 193, 322, 538, 898, 1498, 2500.0])


def calibrated_seconds() -> list[float]:
    """Return what a fit, three sizes with their intervals and the size that a target needs take together, by turn."""
    rng = np.random.default_rng(1)
    taken = []
    for _ in range(200):
        values = np.clip(1 - rng.uniform(0.5, 0.9) * N ** -rng.uniform(0.2, 0.5) + rng.normal(0, 0.01, (5, 10)), 0, 1)
        series = Series("Accuracy", None, N, values, "maximize", (0.0, 1.0))
        began = time.perf_counter()
        fit = fit_calibrated(series)
        project(series, fit, [3000, 5000, 9000])
        inv_project(series, fit, 0.97)
        taken.append(time.perf_counter() - began)
    return taken


def main() -> None:
    """Print the ratio of the median times, and how often whose sum of squares is lower."""
    print(f"calibrated{np.median(calibrated_seconds()) * 1e3:9.2f} ms: fit, three sizes, a target (median of 200)")
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from dataeval.performance._output import calc_params

    rng = np.random.default_rng(0)
    ours, theirs, lower = [], [], 0
    for _ in range(20):
        values = 1 - (rng.uniform(0.5, 9) * N ** -rng.uniform(0.2, 1.2) + rng.uniform(0, 0.3)) + rng.normal(0, 0.01, 10)
        values = np.clip(values, 0, 1)
        began = time.perf_counter()
        fit = fit_power_law(Series("Accuracy", None, N, values[None], "maximize", (0.0, 1.0)))
        ours.append(time.perf_counter() - began)
        np.random.seed(0)  # noqa: NPY002  (theirs draws from the global generator)
        began = time.perf_counter()
        c, m, c0 = calc_params(1 - values, N.astype(int), 1000, True)
        theirs.append(time.perf_counter() - began)
        lower += fit.sse < ((1 - values - (c * N**-m + c0)) ** 2).sum() * 0.95
    print(f"ours      {np.median(ours) * 1e3:9.2f} ms a curve (median of 20)")
    print(f"DataEval  {np.median(theirs) * 1e3:9.2f} ms a curve")
    print(f"ratio     {np.median(theirs) / np.median(ours):9.0f} ×")
    print(f"SSE more than 5 % lower than DataEval's on {lower} of 20 curves")


if __name__ == "__main__":
    main()
