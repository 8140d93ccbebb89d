"""What the curve says: the metric at a size, and the size at a target."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.sufficiency.fit import PowerLawFit
from app.sufficiency.measurements import Bounds, Series

METHOD = "power_law"
METHOD_VERSION = 1

HORIZON = 1024
LARGEST_N = 2**53

Status = Literal["reached", "needs", "beyond_horizon", "unreachable", "undetermined"]


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


@dataclass(frozen=True)
class InverseAnswer:
    """The training-set size that a target needs.

    Attributes
    ----------
    status : str
        `reached` within the measured sizes; `needs` more; `beyond_horizon`: a number too far out to rely on;
        `unreachable`: the curve levels off before it or runs the other way; `undetermined`: no number can be given.
    n : int or None
        The first whole size at which the curve meets the target.
    """

    target: float
    status: Status
    n: int | None
    lower: int | None = None
    upper: int | None = None
    probability: float | None = None
    n_assured: int | None = None


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


def project(series: Series, fit: PowerLawFit, n: Sequence[float]) -> list[ProjectedPoint]:
    """Return the fitted metric at each size, kept inside the metric's bounds.

    Parameters
    ----------
    n : sequence of float
        Training-set sizes, each > 0.
    """
    low, high = series.bounds
    points = []
    for size, value in zip(n, fit.value(n).tolist(), strict=True):
        value = value if low is None else max(low, value)
        value = value if high is None else min(high, value)
        points.append(ProjectedPoint(size, value, None, None, fit.n_min <= size <= fit.n_max))
    return points


def inv_project(series: Series, fit: PowerLawFit, target: float, horizon: float = HORIZON) -> InverseAnswer:
    """Return the size at which the curve first meets the target.

    Parameters
    ----------
    target : float
        At least this for a metric to maximize, at most this for one to minimize.
    horizon : float
        In units of the largest measured size; what lies beyond is flagged.
    """

    def met(n: float) -> bool:
        value = float(fit.value(n))
        return value >= target if series.direction == "maximize" else value <= target

    first = _first_met(fit, target, met)
    if first is None:
        return InverseAnswer(target, "unreachable", None)
    if first <= fit.n_max:
        return InverseAnswer(target, "reached", int(first))
    if first > LARGEST_N:
        return InverseAnswer(target, "undetermined", None)
    return InverseAnswer(target, "needs" if first <= horizon * fit.n_max else "beyond_horizon", int(first))


def _first_met(fit: PowerLawFit, target: float, met: Callable[[float], bool]) -> float | None:
    """Smallest whole n ≥ 1 that meets the target, by bisection of the monotone law; inf past what can be counted."""
    if met(1.0):
        return 1.0
    limit = 1.0 - fit.error_asymptote
    beyond = float(fit.value(LARGEST_N))
    improving = (fit.value(fit.n_max * 2) - fit.value(fit.n_max)) * (target - fit.value(1.0)) > 0
    if not improving:
        return None
    if not met(float(LARGEST_N)):
        within = min(beyond, limit) <= target <= max(beyond, limit)
        return math.inf if within and target != limit else None
    low, high = 1, LARGEST_N
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(float(middle)) else (middle, high)
    return float(high)
