"""How much better a metric must get for more data to count as worth it."""

import numpy as np

from sufficiency.method.measurements import Reading, Series

# In units of the range: a tenth of what is left to the best value, but never less than half a point, nor more than one.
LEAST_POINT, MOST_POINT, SHARE_LEFT = 0.005, 0.01, 0.1
# Of a metric without a range, such as a loss: this share of its present value, counted from its bound if it has one.
SHARE_OF_VALUE = 0.05


def least_worthwhile(series: Series, now: float) -> float:
    """Return the improvement, in the metric's units, that counts as worth more data unless the user says otherwise.

    Parameters
    ----------
    series : Series
    now : float
        The metric's present value.
    """
    low, high = series.bounds
    mean = series.mean()
    # Where everything measured is alike, or the best is reached, any gain at all would be one.
    least = max(1e-3 * float(np.ptp(mean[np.isfinite(mean)])), 1e-9 * abs(now), 1e-12)
    if low is not None and high is not None:
        best = high if series.direction == "maximize" else low
        unit = high - low
        return max(unit * max(LEAST_POINT, min(MOST_POINT, SHARE_LEFT * abs(best - now) / unit)), 1e-12)
    bound = high if high is not None else low
    return max(SHARE_OF_VALUE * abs(now - (bound or 0.0)), least)


def best_of(series: Reading) -> float | None:
    """Return the metric's best value; None where it has no bound on that side."""
    return series.bounds[1] if series.direction == "maximize" else series.bounds[0]


def left_to_gain(reading: Reading, now: float) -> float | None:
    """Return what is left to the metric's best value, ≥ 0; None where it has none."""
    best = best_of(reading)
    if best is None:
        return None
    return max(best - now, 0.0) if reading.direction == "maximize" else max(now - best, 0.0)
