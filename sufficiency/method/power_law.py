"""The power law through the measured means: exact least squares by variable projection."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from sufficiency.method.curve import LARGEST_VALUE, LEAST_STEPS, Array, InverseAnswer, NotEnoughData
from sufficiency.method.measurements import Series
from sufficiency.schemas.words import Bounds, Direction, Of

# Up to where sizes are looked for.
LARGEST_N = 2**53
# At the least exponent the law is a straight line in log n: its limit as m → 0.
_LEAST_EXPONENT = 1e-6
# Up to where n**m can be written, so that the law can be given with n in items.
_LARGEST_POWER = 600.0
_GRID = 240
_MINIMA, _ZOOMS, _ZOOM_POINTS = 3, 6, 33
# So many curves are searched side by side.
_TOGETHER = 32


class PowerLawFit(BaseModel):
    """DataEval's law: value(n) = 1 − (c·n^−m + c0), kept with sizes relative to the largest one measured.

    Attributes
    ----------
    scale : float
        c for n in units of `n_max`: what the error still is above its asymptote at the largest step.
    exponent : float
        m ≥ 0.
    error_asymptote : float
        c0, the limit of 1 − value.
    sse : float
        Sum of squared residuals of the run means.
    n_min, n_max : float
        Smallest and largest measured size.
    steps : int
        Steps that the fit used.
    weights : {"none"}
        Every step counts alike, as in DataEval's objective; who reads kept fits finds it said there.
    """

    model_config = ConfigDict(frozen=True)

    scale: float
    exponent: float
    error_asymptote: float
    sse: float
    n_min: float
    n_max: float
    steps: int
    weights: Literal["none"] = "none"

    def value(self, n: Any) -> Array:
        """Return the metric at training-set sizes `n`, of any shape, each > 0."""
        power = -self.exponent * np.log(np.asarray(n, dtype=np.float64) / self.n_max)
        with np.errstate(over="ignore"):
            value = 1.0 - (self.scale * np.exp(np.minimum(power, _LARGEST_POWER)) + self.error_asymptote)
        return np.clip(value, -np.finfo(np.float64).max, np.finfo(np.float64).max)

    def quantile(self, n: Any, q: Any, *, of: Of = "mean") -> Array:
        """Return NaN: least squares of the means says nothing of the chances around them."""
        return np.full((*np.shape(q), *np.shape(n)), np.nan)

    def draws(self, n: Any, count: int, seed: int | None = None) -> Array:
        """Return NaN, as `quantile` does; shape (count, *n.shape)."""
        return np.full((count, *np.shape(n)), np.nan)

    def probability_of_meeting(self, n: Any, target: Any) -> Array:
        """Return NaN, as `quantile` does."""
        return np.full(np.broadcast_shapes(np.shape(n), np.shape(target)), np.nan)

    def invert(self, target: float, direction: Direction, level: float, horizon: float) -> InverseAnswer:
        """Return the first whole size that meets the target; without interval and probability."""
        maximize = direction == "maximize"

        def met(n: float) -> bool:
            value = float(self.value(n))
            return value >= target if maximize else value <= target

        if self.scale == 0.0:
            # 1 − target rounds as 1 − value did: a flat curve meets its own value.
            flat = self.error_asymptote <= 1.0 - target if maximize else self.error_asymptote >= 1.0 - target
            return InverseAnswer(target, "reached" if flat else "unreachable", int(self.n_min) if flat else None)

        # 1 − (c·n^−m + c0) rises with n where c > 0, towards a limit that no finite n attains, whatever rounding says.
        limit = 1.0 - self.error_asymptote
        improves = self.scale > 0 if maximize else self.scale < 0
        if improves and (target >= limit if maximize else target <= limit):
            return InverseAnswer(target, "unreachable", None)
        # What got worse with every step is not to be read backwards, below the smallest step.
        first = _first_met(met) if improves else self.n_min if met(self.n_min) else None
        if first is None:
            return InverseAnswer(target, "unreachable", None)
        if first <= self.n_max:
            return InverseAnswer(target, "reached", int(first))
        if first > LARGEST_N:
            return InverseAnswer(target, "undetermined", None)
        return InverseAnswer(target, "needs" if first <= horizon * self.n_max else "beyond_horizon", int(first))

    def bends(self, low: float, high: float) -> Array:
        """Return nothing: the law is smooth."""
        return np.empty(0)

    def params(self) -> list[float | None]:
        """Return DataEval's [scale, exponent, error asymptote] with n in items; None where that overflows."""
        with np.errstate(over="ignore"):
            scale = float(self.scale * np.exp(min(self.exponent * np.log(self.n_max), _LARGEST_POWER)))
        return [scale if np.isfinite(scale) else None, self.exponent, self.error_asymptote]

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PowerLawFit":
        """Return the fit that `to_dict` wrote."""
        return cls.model_validate(data)


def _first_met(met: Callable[[float], bool]) -> float:
    """Smallest whole n that meets what is met from somewhere on; inf past what can be counted."""
    if met(1.0):
        return 1.0
    if not met(float(LARGEST_N)):
        return math.inf
    low, high = 1, LARGEST_N
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(float(middle)) else (middle, high)
    return float(high)


def fit_power_law(series: Series) -> PowerLawFit:
    """Fit the power law to the means over runs.

    Parameters
    ----------
    series : Series
        Steps without a value are left out.

    Raises
    ------
    NotEnoughData
        For fewer than three usable steps of different size, and for values too large to compute with.

    Notes
    -----
    For a fixed exponent the law is linear in (c, c0), and its optimum under bounds on c0 alone is the free one or
    lies on a bound: variable projection (Golub & Pereyra, 1973). What is left is a search over the exponent: a grid,
    then finer grids between the neighbours of the best local minima.
    """
    [fit] = fit_all_power_laws([series])
    if isinstance(fit, NotEnoughData):
        raise fit
    return fit


def fit_all_power_laws(series: Sequence[Series]) -> list[PowerLawFit | NotEnoughData]:
    """Return what `fit_power_law` does of each of many series, worked out side by side; or why there is no curve."""
    found: dict[int, PowerLawFit | NotEnoughData] = {}
    alike: dict[tuple[bytes, Bounds], list[tuple[int, Array]]] = {}
    for place, one in enumerate(series):
        mean = one.mean()
        usable = np.isfinite(mean)
        n, error = one.n[usable], 1.0 - mean[usable]
        distinct = len(set(n.tolist()))
        if distinct < LEAST_STEPS:
            why = f"{one.metric} has values at {distinct} of {len(mean)} steps; a curve needs at least {LEAST_STEPS}"
            found[place] = NotEnoughData(why)
        elif np.abs(error).max() > LARGEST_VALUE:
            why = f"{one.metric} reaches {np.abs(error).max():.3g}: too large for a curve"
            found[place] = NotEnoughData(why)
        else:
            alike.setdefault((n.tobytes(), one.bounds), []).append((place, error))
    for (sizes, bounds), members in alike.items():
        for first in range(0, len(members), _TOGETHER):
            some = members[first : first + _TOGETHER]
            fits = _fits(np.frombuffer(sizes), np.stack([error for _, error in some]), bounds)
            found.update((place, fit) for (place, _), fit in zip(some, fits, strict=True))
    return [found[place] for place in range(len(series))]


def _fits(n: Array, error: Array, bounds: Bounds) -> list[PowerLawFit]:
    """Fit the laws of several curves, (B, K), over the same sizes, (K,)."""
    n_min, n_max = float(n.min()), float(n.max())
    low, high = _asymptote_bounds(bounds)
    # Within ±1, by a power of two: the squares cannot overflow, and no digit is lost.
    power = np.frexp(np.abs(error).max(axis=-1, keepdims=True))[1]
    unit = np.ldexp(1.0, power)
    largest = _LARGEST_POWER / max(np.log(n_max), 1.0)
    scale, exponent, asymptote, sse = _search(np.log(n / n_min), error / unit, low / unit, high / unit, largest)
    made = []
    for k, one in enumerate(error):
        flat = one.min() == one.max() and low <= one[0] <= high
        size, times = float(unit[k, 0]), float(exponent[k])
        reach = float(np.exp(-times * np.log(n_max / n_min)))
        squares = float(sse[k]) * size * size if power[k, 0] < 500 else float(np.finfo(np.float64).max)
        made.append(
            PowerLawFit(
                scale=0.0 if flat else float(scale[k]) * reach * size,
                exponent=1.0 if flat else times,
                error_asymptote=float(one[0]) if flat else float(asymptote[k]) * size,
                sse=0.0 if flat else squares,
                n_min=n_min,
                n_max=n_max,
                steps=len(n),
            )
        )
    return made


def _asymptote_bounds(bounds: Bounds) -> tuple[float, float]:
    """Bounds of c0, the limit of 1 − metric."""
    low, high = bounds
    return (-np.inf if high is None else 1.0 - high, np.inf if low is None else 1.0 - low)


def _solve(exponent: Array, log_n: Array, error: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Return c, c0 and the SSE, each of shape (B, M), of several curves at exponents.

    Parameters
    ----------
    exponent : ndarray, shape (B, M) or (M,)
    log_n : ndarray, shape (K,)
        ≥ 0, from the smallest size.
    error : ndarray, shape (B, K)
    low, high : ndarray, shape (B, 1)
        Bounds of c0.
    """
    # Without the 1 of n^−m the basis stays apart from the constant even as m → 0, and it cannot overflow.
    shape = np.expm1(-exponent[..., None] * log_n)
    # Sums as products with ones: adding up in another order would move the last digits off those of kept fits.
    ones = np.ones_like(log_n)
    centre, mean = shape @ ones / len(log_n), np.vecdot(error, ones)[:, None] / len(log_n)
    deviation = shape - centre[..., None]
    variance = (deviation**2) @ ones
    moments = (deviation @ (error - mean)[..., None])[..., 0]
    c = np.where(variance > 0, moments / np.where(variance > 0, variance, 1.0), 0.0)
    c0 = mean - c * (centre + 1.0)
    clipped = np.minimum(np.maximum(c0, low), high)
    rest = error[:, None] - clipped[..., None]
    shape += 1.0
    bound = clipped != c0
    if bound.any():
        c = np.where(bound, ((shape * rest) @ ones) / ((shape**2) @ ones), c)
    rest -= c[..., None] * shape
    rest *= rest
    return c, clipped, rest @ ones


def _search(log_n: Array, error: Array, low: Array, high: Array, largest: float) -> tuple[Array, Array, Array, Array]:
    """Return c (at the smallest size), the exponent, c0 and the SSE of the best laws, each of shape (B,)."""
    grid = np.linspace(np.log(_LEAST_EXPONENT), np.log(largest), _GRID)
    sse = _solve(np.exp(grid), log_n, error, low, high)[2]
    last = _GRID - 1
    around = np.concatenate([sse[:, :1], sse, sse[:, -1:]], axis=-1)
    hollow = np.where((sse <= around[:, :-2]) & (sse <= around[:, 2:]), sse, np.inf)
    minima = np.argsort(hollow, axis=-1, kind="stable")[:, :_MINIMA]
    rows = np.arange(len(error))
    # Where there are fewer, the first stands for the others too.
    minima = np.where(np.isfinite(hollow[rows[:, None], minima]), minima, minima[:, :1])
    left, right = grid[np.maximum(minima - 1, 0)], grid[np.minimum(minima + 1, last)]
    at = sse.argmin(axis=-1)
    least, best = sse[rows, at], grid[at]
    steps = np.arange(_ZOOM_POINTS) / (_ZOOM_POINTS - 1)
    for _ in range(_ZOOMS):
        width = right - left
        finer = left[..., None] + width[..., None] * steps
        sse = _solve(np.exp(finer.reshape(len(error), -1)), log_n, error, low, high)[2]
        at = sse.argmin(axis=-1)
        found, there = sse[rows, at], finer.reshape(len(error), -1)[rows, at]
        better = (found < least) | ((found == least) & (there < best))
        least, best = np.where(better, found, least), np.where(better, there, best)
        near = sse.reshape(finer.shape).argmin(axis=-1)
        left, right = (
            left + width * steps[one] for one in (np.maximum(near - 1, 0), np.minimum(near + 1, _ZOOM_POINTS - 1))
        )
    exponent = np.exp(best)
    c, c0, sse = _solve(exponent[:, None], log_n, error, low, high)
    return c[:, 0], exponent, c0[:, 0], sse[:, 0]
