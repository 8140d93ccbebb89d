"""What more data would bring: the gains, how likely they count, and where the curve ends as far as can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sufficiency.method.curve import Array, Fit
from sufficiency.method.measurements import Series
from sufficiency.method.projection import ProjectedPoint, project
from sufficiency.schemas.words import Worth

# What is added, in units of the largest measured size.
ADDED = (1, 2, 4)
# Near the least gain that counts either answer costs little: what must be this sure is that the gain is not short of it
# by more than a third, or not over it by more than a third.
SURE, NEAR = 0.8, 1 / 3
# How far curves were followed to learn from: the farthest that a ceiling can be spoken of. It is in sight where the
# last of those doublings brings less than a part of what is worthwhile.
FAR = 32
_LITTLE = 0.25
# Two sizes share one test split: of the variance that it gives a proportion, this part is left in their difference.
# Measured on MNIST, digits and breast cancer with four learners at 100 to 800 items, 5 runs: .17 to .45, mean .31.
UNSHARED = 1 / 3
_DRAWS = 64


@dataclass(frozen=True)
class Gain:
    """What the metric would be with more data.

    Attributes
    ----------
    added : int
        Items to add, in units of the largest measured size.
    n : int
    value, lower, upper : float
    gain, gain_lower, gain_upper : float
        Improvement on the largest measured size's mean, positive where better, in the metric's units.
    probability : float
        That the improvement is worthwhile: at least `Verdict.min_gain`, on any test split.
    """

    added: int
    n: int
    value: float
    lower: float
    upper: float
    gain: float
    gain_lower: float
    gain_upper: float
    probability: float


@dataclass(frozen=True)
class Ceiling:
    """Where the curve is at 32 times the largest measured size, the farthest that curves were followed to learn from.

    Attributes
    ----------
    n : int
    value, lower, upper : float
    in_sight : bool
        The curve has all but levelled off there: `value` is about its ceiling. Else it still gets better.
    """

    n: int
    value: float
    lower: float
    upper: float
    in_sight: bool


@dataclass(frozen=True)
class Ahead:
    """What a verdict looks at of a curve: where it is, what more data would make of it, and where it ends.

    Attributes
    ----------
    now : ProjectedPoint
        At the largest measured size.
    more : sequence of ProjectedPoint
        With as much more as `ADDED` says.
    end : (ProjectedPoint, ProjectedPoint)
        At half of as far as curves were followed, and there.
    """

    now: ProjectedPoint
    more: Sequence[ProjectedPoint]
    end: tuple[ProjectedPoint, ProjectedPoint]


def look_ahead(series: Series, fit: Fit, level: float) -> Ahead:
    sizes = [fit.n_max * times for times in (1, *(1 + added for added in ADDED), FAR / 2, FAR)]
    now, *more, before, last = project(series, fit, sizes, level)
    return Ahead(now, more, (before, last))


def gains(series: Series, more: Sequence[ProjectedPoint], now: float, probabilities: Sequence[float]) -> list[Gain]:
    sign = sign_of(series)
    made = []
    for added, point, probability in zip(ADDED, more, probabilities, strict=True):
        lower, upper = _interval(point)
        ends = sorted((sign * (lower - now), sign * (upper - now)))
        gain = sign * (point.value - now)
        made.append(Gain(added, int(point.n), point.value, lower, upper, gain, ends[0], ends[1], probability))
    return made


def chances(
    series: Series, fit: Fit, more: Sequence[ProjectedPoint], now: float, min_gain: float, noise: float
) -> Array:
    """Return the chances that each gain is at least a third short of, at, and a third over what counts."""
    sign = sign_of(series)
    goals = np.array([1 - NEAR, 1.0, 1 + NEAR]) * min_gain
    sizes = np.array([int(point.n) for point in more], dtype=np.float64)
    if noise <= 0:
        return fit.probability_of_meeting(sizes[:, None], now + sign * goals)
    drawn = sign * (fit.draws(sizes, _DRAWS) - now)
    return np.asarray(ndtr((drawn[:, :, None] - goals) / noise).mean(axis=0), dtype=np.float64)


def worth_of(chances: Array) -> Worth:
    short, at, over = chances.tolist()
    if at >= 0.5 and short >= SURE:
        return "yes"
    return "no" if at < 0.5 and over <= 1 - SURE else "unclear"


def sign_of(series: Series) -> float:
    return 1.0 if series.direction == "maximize" else -1.0


def _interval(point: ProjectedPoint) -> tuple[float, float]:
    if point.lower is None or point.upper is None:
        raise ValueError("a verdict weighs chances: it takes a fit that gives intervals")
    return point.lower, point.upper


def ceiling_of(end: tuple[ProjectedPoint, ProjectedPoint], worthwhile: float, now: float) -> Ceiling:
    before, last = end
    in_sight = abs(last.value - before.value) < _LITTLE * worthwhile or abs(last.value - now) < worthwhile
    return Ceiling(int(last.n), last.value, *_interval(last), in_sight)
