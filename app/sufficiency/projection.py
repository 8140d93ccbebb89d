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

    maximize = series.direction == "maximize"

    def met(n: float) -> bool:
        value = float(fit.value(n))
        return value >= target if maximize else value <= target

    if fit.scale == 0.0:
        # 1 − target rounds as 1 − value did: a flat curve meets its own value.
        flat = fit.error_asymptote <= 1.0 - target if maximize else fit.error_asymptote >= 1.0 - target
        return InverseAnswer(target, "reached" if flat else "unreachable", int(fit.n_min) if flat else None)

    # 1 − (c·n^−m + c0) rises with n where c > 0, towards a limit that no finite n attains, whatever rounding says.
    limit = 1.0 - fit.error_asymptote
    improves = fit.scale > 0 if maximize else fit.scale < 0
    if improves and (target >= limit if maximize else target <= limit):
        return InverseAnswer(target, "unreachable", None)
    first = _first_met(fit, improves, met)
    if first is None:
        return InverseAnswer(target, "unreachable", None)
    if first <= fit.n_max:
        return InverseAnswer(target, "reached", int(first))
    if first > LARGEST_N:
        return InverseAnswer(target, "undetermined", None)
    return InverseAnswer(target, "needs" if first <= horizon * fit.n_max else "beyond_horizon", int(first))


def _first_met(fit: PowerLawFit, improves: bool, met: Callable[[float], bool]) -> float | None:
    """Smallest whole n that meets a target on this side of the limit; None if never, inf past what can be counted."""
    if not improves:
        # What got worse with every step is not to be read backwards, below the smallest step.
        return fit.n_min if met(fit.n_min) else None
    if met(1.0):
        return 1.0
    if not met(float(LARGEST_N)):
        return math.inf
    low, high = 1, LARGEST_N
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(float(middle)) else (middle, high)
    return float(high)
