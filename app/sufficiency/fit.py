"""The power law through the measured means: exact least squares by variable projection."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar

from app.sufficiency.measurements import Bounds, Series

Weights = Literal["none", "n", "n2"]

LEAST_STEPS = 3
_EXPONENTS = np.concatenate([np.geomspace(1e-4, 40.0, 240)])


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
        decay = np.exp(-self.exponent * np.log(np.asarray(n, dtype=np.float64) / self.n_max))
        return np.asarray(1.0 - (self.scale * decay + self.error_asymptote))

    def params(self) -> list[float | None]:
        """Return DataEval's [scale, exponent, error asymptote] with n in items; None where that overflows."""
        with np.errstate(over="ignore"):
            scale = float(self.scale * np.exp(self.exponent * np.log(self.n_max)))
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
        For fewer than three usable steps.

    Notes
    -----
    For a fixed exponent the law is linear in (c, c0), and its optimum under bounds on c0 alone is the free one or
    lies on a bound: variable projection (Golub & Pereyra, 1973). What is left is a search over the exponent: a grid,
    then Brent's method between the neighbours of each local minimum.
    """
    mean = series.mean()
    usable = np.isfinite(mean)
    n, error = series.n[usable], 1.0 - mean[usable]
    if len(n) < LEAST_STEPS:
        raise NotEnoughData(
            f"{series.metric} has values at {len(n)} of {len(mean)} steps; a curve needs at least {LEAST_STEPS}"
        )
    relative = n / n[-1]
    w = relative ** {"none": 0, "n": 1, "n2": 2}[weights]
    low, high = _asymptote_bounds(series.bounds)
    spread = float(np.ptp(error))
    if spread == 0.0 and low <= error[0] <= high:
        scale, exponent, asymptote, sse = 0.0, 1.0, float(error[0]), 0.0
    else:
        scale, exponent, asymptote, sse = _search(np.log(relative), error, w / w.sum() * len(w), low, high)
    return PowerLawFit(
        scale=scale,
        exponent=exponent,
        error_asymptote=asymptote,
        sse=sse,
        n_min=float(n[0]),
        n_max=float(n[-1]),
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
    """Return c, c0 and the SSE, each of shape (M,), at exponents of shape (M,)."""
    # Without the 1 of n^−m the basis stays apart from the constant even as m → 0.
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
    log_n: NDArray[np.float64], error: NDArray[np.float64], w: NDArray[np.float64], low: float, high: float
) -> tuple[float, float, float, float]:
    sse = _solve(_EXPONENTS, log_n, error, w, low, high)[2]
    last = len(sse) - 1
    inner = [k for k in range(len(sse)) if sse[k] <= sse[max(k - 1, 0)] and sse[k] <= sse[min(k + 1, last)]]
    best = (float(sse.min()), float(_EXPONENTS[int(sse.argmin())]))
    for k in sorted(inner, key=lambda k: float(sse[k]))[:3]:
        found = minimize_scalar(
            lambda log_m: float(_solve(np.exp([log_m]), log_n, error, w, low, high)[2][0]),
            bounds=(np.log(_EXPONENTS[max(k - 1, 0)]), np.log(_EXPONENTS[min(k + 1, last)])),
            method="bounded",
            options={"xatol": 1e-8},
        )
        best = min(best, (float(found.fun), float(np.exp(found.x))))
    c, c0, sse = _solve(np.array([best[1]]), log_n, error, w, low, high)
    return float(c[0]), best[1], float(c0[0]), float(sse[0])
