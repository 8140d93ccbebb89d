"""How a metric went, in few numbers that are alike whatever the metric: what its companions are told of it."""

import numpy as np

from sufficiency.method.curve import LARGEST_VALUE, Array
from sufficiency.method.links import Link
from sufficiency.method.remembered import by_sizes
from sufficiency.schemas.words import METRIC_FAMILIES, Bounds, Direction, MetricFamily

# Slopes over so many of the last doublings.
_WINDOWS = (1.0, 2.0, 4.0)
_STEEPEST, _FARTHEST = 3.0, 2.0
# There is one; its slopes; its level; its rise as a whole.
COURSE = 2 + len(_WINDOWS) + 1
# A loss, a ranking metric, an accuracy: see `measurements.with_companions`.
SLOTS: tuple[tuple[MetricFamily, ...], ...] = (("loss", "regression_error"), ("ranking", "r2"), ("accuracy",))
CONTEXT = len(METRIC_FAMILIES) + COURSE * len(SLOTS)


def slope(x: Array, z: Array, window: float) -> Array:
    """Return the slope of z over the last `window` doublings, or the last three steps where there are fewer in it.

    Parameters
    ----------
    x : ndarray, shape (K,)
        Sizes, in doublings.
    z : ndarray, shape (..., K)
    """
    deviation, square = _lately(x, window)
    return np.asarray(np.vecdot(z[..., -len(deviation) :], deviation) / square)


@by_sizes
def _lately(x: Array, window: float) -> tuple[Array, Array]:
    """Return the last sizes' deviations from their mean, and the sum of the squares."""
    count = max(int((x >= x[-1] - window - 1e-9).sum()), min(3, len(x)))
    deviation = x[-count:] - x[-count:].sum() / count
    return deviation, np.array(max(deviation @ deviation, 1e-9))


def course(n: Array, mean: Array, direction: Direction, bounds: Bounds) -> Array:
    """Return how a metric went over the sizes, shape (`COURSE`,); zeros where fewer than three have a value.

    Parameters
    ----------
    n, mean : ndarray, shape (K,)
        By increasing size; NaN where a mean is missing.
    """
    usable = np.isfinite(mean) & (np.abs(mean) < LARGEST_VALUE)
    n, mean = n[usable], mean[usable]
    if len(np.unique(n)) < 3:
        return np.zeros(COURSE)
    low, high = (edge if edge is not None else far for edge, far in zip(bounds, (-np.inf, np.inf), strict=True))
    mean = np.clip(mean, low, high)
    link = Link.of(mean, np.zeros_like(mean), direction, bounds)
    x, z = np.log2(n / n[-1]), link.z(mean)
    slopes = np.clip([slope(x, z, window) for window in _WINDOWS], -_STEEPEST, _STEEPEST)
    level = np.clip(z[-1] / 4.0, -_FARTHEST, _FARTHEST) if link.kind == "logit" else 0.0
    rise = np.clip((z[-1] - z[0]) / max(-x[0], 0.5), -_STEEPEST, _STEEPEST)
    return np.array([1.0, *slopes, level, rise])


def context(family: MetricFamily, courses: dict[MetricFamily, Array]) -> Array:
    """Return a metric's family and the courses of its companions, by their families, shape (`CONTEXT`,)."""
    found = np.zeros(CONTEXT)
    found[METRIC_FAMILIES.index(family)] = 1.0
    for place, families in enumerate(SLOTS):
        first = len(METRIC_FAMILIES) + place * COURSE
        for one in families:
            if one in courses:
                found[first : first + COURSE] = courses[one]
    return found
