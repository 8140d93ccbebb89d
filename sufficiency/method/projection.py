"""What the curve says: the metric at a size, and the size at a target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sufficiency.method.curve import DEFAULT_LEVEL, HORIZON, Fit, InverseAnswer
from sufficiency.method.measurements import Reading
from sufficiency.schemas.words import Bounds, Of

_FAR = (-math.inf, math.inf)


class TargetOutOfBounds(ValueError):
    """A target that the metric cannot take."""


@dataclass(frozen=True)
class ProjectedPoint:
    """The metric at a training-set size; the bounds are None where the method gives no interval."""

    n: float
    value: float
    lower: float | None
    upper: float | None
    measured_range: bool


def check_target(target: float, bounds: Bounds) -> None:
    """Refuse a target that the metric cannot take.

    Raises
    ------
    TargetOutOfBounds
    """
    low, high = bounds
    if not math.isfinite(target):
        raise TargetOutOfBounds("a target must be a finite number")
    if (low is not None and target < low) or (high is not None and target > high):
        sides = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        raise TargetOutOfBounds(f"the target {target:g} is outside the metric's range, {sides}")


def project(
    reading: Reading, fit: Fit, n: Sequence[float], level: float = DEFAULT_LEVEL, of: Of = "mean"
) -> list[ProjectedPoint]:
    """Return the metric at each size, kept inside its bounds.

    Parameters
    ----------
    n : sequence of float
        Training-set sizes, each ≥ 1.
    level : float
        Probability between the ends of the interval, in (0, 1).
    of : {"mean", "one_training", "population"}
        Whose interval: of the mean over as many runs as were measured, on the same test split; of one new training on
        it; or of the mean on all data that the test split was drawn from.
    """
    tail = 0.5 - level / 2
    told = np.array([fit.value(n), *fit.quantile(n, [tail, 1.0 - tail], of=of)])
    low, high = (edge if edge is not None else far for edge, far in zip(reading.bounds, _FAR, strict=True))
    values, lower, upper = np.minimum(np.maximum(told, low), high)
    return [
        ProjectedPoint(size, value, _number(a), _number(b), fit.n_min <= size <= fit.n_max)
        for size, value, a, b in zip(n, values.tolist(), lower.tolist(), upper.tolist(), strict=True)
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def inv_project(
    reading: Reading, fit: Fit, target: float, level: float = DEFAULT_LEVEL, horizon: float = HORIZON
) -> InverseAnswer:
    """Return the size at which the curve first meets the target.

    Parameters
    ----------
    target : float
        At least this for a metric to maximize, at most this for one to minimize.
    level : float
        Of the interval, in (0, 1).
    horizon : float
        In units of the largest measured size, at most 1024.
    """
    return fit.invert(target, reading.direction, level, horizon)
