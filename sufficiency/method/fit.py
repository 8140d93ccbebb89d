"""The power law through the measured means: exact least squares by variable projection."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from sufficiency.method.measurements import Bounds, Series

Weights = Literal["none", "n", "n2"]

LEAST_STEPS = 3
# Beyond it the parameters of the law would leave the range of a double.
LARGEST_VALUE = 1e290

# At the least exponent the law is a straight line in log n: its limit as m → 0.
_LEAST_EXPONENT = 1e-6
# Up to where n**m can be written, so that the law can be given with n in items.
_LARGEST_POWER = 600.0
_GRID = 240
_ZOOMS, _ZOOM_POINTS = 6, 33


class NotEnoughData(ValueError):
    """The measurements do not determine a curve; the message says what is missing."""


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
        Weighted sum of squared residuals of the run means.
    n_min, n_max : float
        Smallest and largest measured size.
    steps : int
        Steps that the fit used.
    weights : {"none", "n", "n2"}
    """

    model_config = ConfigDict(frozen=True)

    scale: float
    exponent: float
    error_asymptote: float
    sse: float
    n_min: float
    n_max: float
    steps: int
    weights: Weights = "none"

    def value(self, n: Any) -> NDArray[np.float64]:
        """Return the metric at training-set sizes `n`, of any shape, each > 0."""
        power = -self.exponent * np.log(np.asarray(n, dtype=np.float64) / self.n_max)
        with np.errstate(over="ignore"):
            value = 1.0 - (self.scale * np.exp(np.minimum(power, _LARGEST_POWER)) + self.error_asymptote)
        return np.clip(value, -np.finfo(np.float64).max, np.finfo(np.float64).max)

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


def fit_power_law(series: Series, weights: Weights = "none") -> PowerLawFit:
    """Fit the power law to the means over runs.

    Parameters
    ----------
    series : Series
        Steps without a value are left out.
    weights : {"none", "n", "n2"}
        Weight of a step's squared residual: 1 (DataEval's objective), n, or n².

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
    mean = series.mean()
    usable = np.isfinite(mean)
    n, error = series.n[usable], 1.0 - mean[usable]
    distinct = len(np.unique(n))
    if distinct < LEAST_STEPS:
        raise NotEnoughData(
            f"{series.metric} has values at {distinct} of {len(mean)} steps; a curve needs at least {LEAST_STEPS}"
        )
    if np.abs(error).max() > LARGEST_VALUE:
        raise NotEnoughData(f"{series.metric} reaches {np.abs(error).max():.3g}: too large for a curve")
    n_min, n_max = float(n.min()), float(n.max())
    w = (n / n_max) ** {"none": 0, "n": 1, "n2": 2}[weights]
    low, high = _asymptote_bounds(series.bounds)
    if error.min() == error.max() and low <= error[0] <= high:
        scale, exponent, asymptote, sse = 0.0, 1.0, float(error[0]), 0.0
    else:
        # Within ±1, by a power of two: the squares cannot overflow, and no digit is lost.
        power = int(np.frexp(np.abs(error).max())[1])
        unit = float(np.ldexp(1.0, power))
        largest = _LARGEST_POWER / max(np.log(n_max), 1.0)
        scale, exponent, asymptote, sse = _search(
            np.log(n / n_min), error / unit, w / w.sum() * len(w), low / unit, high / unit, largest
        )
        scale, asymptote = scale * float(np.exp(-exponent * np.log(n_max / n_min))) * unit, asymptote * unit
        sse = sse * unit * unit if power < 500 else float(np.finfo(np.float64).max)
    return PowerLawFit(
        scale=scale,
        exponent=exponent,
        error_asymptote=asymptote,
        sse=sse,
        n_min=n_min,
        n_max=n_max,
        steps=len(n),
        weights=weights,
    )


def _asymptote_bounds(bounds: Bounds) -> tuple[float, float]:
    """Bounds of c0, the limit of 1 − metric."""
    low, high = bounds
    return (-np.inf if high is None else 1.0 - high, np.inf if low is None else 1.0 - low)


def _solve(
    exponent: NDArray[np.float64],
    log_n: NDArray[np.float64],
    error: NDArray[np.float64],
    w: NDArray[np.float64],
    low: float,
    high: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return c, c0 and the SSE, each of shape (M,), at exponents of shape (M,); `log_n` ≥ 0, from the smallest size."""
    # Without the 1 of n^−m the basis stays apart from the constant even as m → 0, and it cannot overflow.
    shape = np.expm1(-exponent[:, None] * log_n)
    total = w.sum()
    centre, mean = shape @ w / total, float(error @ w / total)
    deviation = shape - centre[:, None]
    variance = (deviation**2) @ w
    c = np.where(variance > 0, deviation @ (w * (error - mean)) / np.where(variance > 0, variance, 1.0), 0.0)
    c0 = mean - c * (centre + 1.0)
    clipped = np.clip(c0, low, high)
    bound = clipped != c0
    if bound.any():
        basis = shape[bound] + 1.0
        rest = error - clipped[bound, None]
        c[bound] = ((basis * rest) @ w) / ((basis**2) @ w)
    residual = error - clipped[:, None] - c[:, None] * (shape + 1.0)
    return c, clipped, (residual**2) @ w


def _search(
    log_n: NDArray[np.float64],
    error: NDArray[np.float64],
    w: NDArray[np.float64],
    low: float,
    high: float,
    largest: float,
) -> tuple[float, float, float, float]:
    """Return c (at the smallest size), the exponent, c0 and the SSE of the best law."""
    grid = np.linspace(np.log(_LEAST_EXPONENT), np.log(largest), _GRID)
    sse = _solve(np.exp(grid), log_n, error, w, low, high)[2]
    last = _GRID - 1
    around = np.concatenate([sse[:1], sse, sse[-1:]])
    minima = np.flatnonzero((sse <= around[:-2]) & (sse <= around[2:]))
    minima = minima[np.argsort(sse[minima], kind="stable")][:3]
    left, right = grid[np.maximum(minima - 1, 0)], grid[np.minimum(minima + 1, last)]
    best = (float(sse.min()), float(grid[int(sse.argmin())]))
    rows = np.arange(len(minima))
    for _ in range(_ZOOMS):
        finer = np.linspace(left, right, _ZOOM_POINTS, axis=1)
        sse = _solve(np.exp(finer.ravel()), log_n, error, w, low, high)[2].reshape(finer.shape)
        at = sse.argmin(axis=1)
        left, right = finer[rows, np.maximum(at - 1, 0)], finer[rows, np.minimum(at + 1, _ZOOM_POINTS - 1)]
        row = int(sse[rows, at].argmin())
        best = min(best, (float(sse[row, at[row]]), float(finer[row, at[row]])))
    exponent = float(np.exp(best[1]))
    c, c0, sse = _solve(np.array([exponent]), log_n, error, w, low, high)
    return float(c[0]), exponent, float(c0[0]), float(sse[0])
