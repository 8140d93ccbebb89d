"""What the curve says: the metric at a size, and the size at a target."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.calibrated import CalibratedFit, fit_calibrated
from sufficiency.method.fit import PowerLawFit, fit_power_law
from sufficiency.method.measurements import Bounds, Reading, Series
from sufficiency.schemas.words import Method, Of, TargetStatus

Fit = CalibratedFit | PowerLawFit

DEFAULT_METHOD: Method = "calibrated"
# With the stored fits: a fit of another version is made anew.
METHOD_VERSIONS: dict[Method, int] = {"calibrated": 1, "power_law": 1}

# In units of the largest measured size: how far targets are looked for, and up to where the answer can be relied on.
HORIZON = 1024
RELIABLE = 16
LARGEST_N = 2**53
DEFAULT_LEVEL = 0.95
# Of one new training meeting the target, at `n_assured`: the assurance criterion of pmsims.
ASSURANCE = 0.8
# Less likely than this to be met at all, a target is called unreachable.
LEAST_PROBABILITY = 0.05

Array = NDArray[np.float64]


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
        `reached` within the measured sizes; `needs` more; `beyond_horizon`: perhaps, but not within 1024 times the
        largest measured size; `unreachable`: as good as never, or the curve levels off before it; `undetermined`: no
        number can be given.
    n : int or None
        The first whole size at which the curve meets the target.
    lower, upper : int or None
        Where the ends of the interval of the curve meet it: with more than the upper it does, with less than the
        lower it does not, each but for half of what the level leaves. None where that end does not, within the horizon.
    probability : float or None
        That the mean meets it within the horizon.
    n_assured : int or None
        The first size at which one new training meets it with probability 0.8.
    """

    target: float
    status: TargetStatus
    n: int | None
    lower: int | None = None
    upper: int | None = None
    probability: float | None = None
    n_assured: int | None = None


def fit_series(series: Series, method: Method) -> Fit:
    """Fit the curve of a method.

    Raises
    ------
    NotEnoughData
    """
    return fit_calibrated(series) if method == "calibrated" else fit_power_law(series)


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
    series: Reading, fit: Fit, n: Sequence[float], level: float = DEFAULT_LEVEL, of: Of = "mean"
) -> list[ProjectedPoint]:
    """Return the metric at each size, kept inside its bounds.

    Parameters
    ----------
    n : sequence of float
        Training-set sizes, each ≥ 1.
    level : float
        Probability between the ends of the interval, in (0, 1).
    of : {"mean", "training"}
        Whose interval: of the mean over as many runs as were measured, or of one new training.
    """
    values = fit.value(n)
    lower = upper = np.full(len(values), np.nan)
    if isinstance(fit, CalibratedFit):
        tail = 0.5 - level / 2
        lower, upper = (fit.quantile(n, q, training=of == "training") for q in (tail, 1.0 - tail))
    low, high = (-np.inf if series.bounds[0] is None else series.bounds[0]), series.bounds[1]
    values, lower, upper = (np.clip(a, low, np.inf if high is None else high) for a in (values, lower, upper))
    return [
        ProjectedPoint(size, value, _number(a), _number(b), fit.n_min <= size <= fit.n_max)
        for size, value, a, b in zip(n, values.tolist(), lower.tolist(), upper.tolist(), strict=True)
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def inv_project(
    series: Reading, fit: Fit, target: float, level: float = DEFAULT_LEVEL, horizon: float = HORIZON
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
    if isinstance(fit, PowerLawFit):
        return _invert_power_law(series, fit, target, horizon)
    goal = float(fit.link.z(np.array([target]))[0])
    known = (fit.log2_n >= math.log2(fit.n_min) - 1e-9) & (fit.log2_n <= math.log2(fit.n_max) + 1e-9)
    ahead = (fit.log2_n >= math.log2(fit.n_max) - 1e-9) & (fit.log2_n <= math.log2(fit.n_max * horizon) + 1e-9)
    # What no measured mean meets can be met only from the largest measured size on: the noise of the smaller ones,
    # each with its own chance, says nothing for it.
    within = known | ahead if (fit.z[known] <= goal).any() else ahead
    log2_n = fit.log2_n[within]
    probability = float(fit.probability_at_most(goal)[within].max())
    optimistic, median, pessimistic, assured = (
        _first_crossing(log2_n, fit.quantile_z(q, training=training)[within], goal)
        for q, training in ((0.5 - level / 2, False), (0.5, False), (0.5 + level / 2, False), (ASSURANCE, True))
    )
    status: TargetStatus
    if median is not None:
        status = "reached" if median <= fit.n_max else "needs"
    else:
        status = "beyond_horizon" if probability >= LEAST_PROBABILITY else "unreachable"
    return InverseAnswer(target, status, median, optimistic, pessimistic, probability, assured)


def _first_crossing(log2_n: Array, z: Array, goal: float) -> int | None:
    """First whole n at which the line through the knots is at or below `goal`; None if never.

    Parameters
    ----------
    log2_n, z : ndarray, shape (P,)
        The first knot is a whole n.
    """
    met = z <= goal
    if met[0]:
        return round(float(np.exp2(log2_n[0])))
    for k in np.flatnonzero(met[1:] & ~met[:-1]) + 1:
        share = (z[k - 1] - goal) / (z[k - 1] - z[k])
        first = float(np.exp2(log2_n[k - 1] + share * (log2_n[k] - log2_n[k - 1])))
        # Rounding must not carry it past a whole number, nor leave it where the line is not yet there.
        n = max(round(first) if abs(first - round(first)) < 1e-9 * first else math.ceil(first), 1)
        slack = 1e-12 * (1.0 + abs(goal))
        if np.interp(math.log2(n), log2_n, z) <= goal + slack:
            return n
        if np.interp(math.log2(n + 1), log2_n, z) <= goal + slack:
            return n + 1
    return None


def _invert_power_law(series: Reading, fit: PowerLawFit, target: float, horizon: float) -> InverseAnswer:
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
