"""The scale on which curves are fitted: a metric of any range, turned so that lower is better and steps are even."""

from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from sufficiency.method.curve import Array
from sufficiency.schemas.words import Bounds, Direction

Kind = Literal["logit", "log", "identity"]

# Keeps the links finite at the bounds themselves.
EPSILON = 1e-3
# Slopes are taken a little further from the bounds, so that noise there is not blown up.
SLOPE_EPSILON = 5e-3
_FARTHEST = 30.0


class Link(BaseModel):
    """Maps a metric's values v to z, where lower is better.

    With the cost c = (v − origin)·sign/unit, lower is better, z is

    - `logit`, for metrics bounded on both sides: log((c + ε)/(1 − c + ε)), c in [0, 1];
    - `log`, for metrics bounded on the side of the best (a loss ≥ 0): log(c + ε), c ≥ 0 in units of its last mean;
      bounded on the other side only: −log(−c + ε);
    - `identity`, for unbounded metrics: c from the last mean, in units of the means' range (or of the runs' scatter).

    Attributes
    ----------
    kind : {"logit", "log", "identity"}
    origin : float
    unit : float
        In the metric's own units, > 0.
    sign : {1, -1}
        1 where lower values are better.
    away : bool
        Of `log`: the bound is on the side of the worst.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    origin: float
    unit: float
    sign: int
    away: bool = False

    @classmethod
    def of(cls, mean: Array, sd: Array, direction: Direction, bounds: Bounds) -> Self:
        """Return the link of a metric with these means and standard deviations over runs, by increasing size.

        Parameters
        ----------
        mean, sd : ndarray, shape (K,), K ≥ 1
            `sd` is NaN where a step has fewer than two runs.
        """
        low, high = bounds
        sign = 1 if direction == "minimize" else -1
        best, worst = (low, high) if sign == 1 else (high, low)
        if best is not None and worst is not None:
            return cls(kind="logit", origin=best, unit=abs(worst - best), sign=sign)
        last = float(mean[-1])
        if best is not None or worst is not None:
            bound = best if best is not None else worst
            assert bound is not None
            distances = np.abs(mean - bound)
            unit = abs(last - bound) or float(distances.max()) or 1.0
            return cls(kind="log", origin=bound, unit=unit, sign=sign, away=best is None)
        # Never less than the runs scatter: a flat curve must not be blown up to one that moves.
        spread = max(float(np.ptp(mean)), float(np.nan_to_num(sd).mean()))
        return cls(kind="identity", origin=last, unit=spread or max(abs(last), 1.0) * 1e-3, sign=sign)

    def z(self, value: Array) -> Array:
        """Return z of values of any shape; those outside the bounds count as being on them."""
        c = self.cost(value)
        match self.kind:
            case "logit":
                c = np.clip(c, 0.0, 1.0)
                return np.log((c + EPSILON) / (1.0 - c + EPSILON))
            case "log" if self.away:
                return -np.log(np.maximum(-c, 0.0) + EPSILON)
            case "log":
                return np.log(np.maximum(c, 0.0) + EPSILON)
            case _:
                return c

    def value(self, z: Array) -> Array:
        """Return the metric's values at z, within its bounds."""
        if self.kind == "identity":
            return self.origin + self.sign * self.unit * z
        t = np.exp(np.clip(z, -_FARTHEST, _FARTHEST))
        match self.kind:
            case "logit":
                c = np.clip((t * (1.0 + EPSILON) - EPSILON) / (1.0 + t), 0.0, 1.0)
            case _ if self.away:
                c = -np.maximum(1.0 / t - EPSILON, 0.0)
            case _:
                c = np.maximum(t - EPSILON, 0.0)
        return self.origin + self.sign * self.unit * c

    def slope(self, value: Array) -> Array:
        """Return |dz/dv|, a little less than that near the bounds; times a standard deviation of v it is z's."""
        c = self.cost(value)
        match self.kind:
            case "logit":
                c = np.clip(c, 0.0, 1.0)
                slope = 1.0 / (c + SLOPE_EPSILON) + 1.0 / (1.0 - c + SLOPE_EPSILON)
            case "log":
                slope = 1.0 / (np.maximum(-c if self.away else c, 0.0) + SLOPE_EPSILON)
            case _:
                slope = np.ones_like(c)
        return slope / self.unit

    def cost(self, value: Array) -> Array:
        """Return c, lower is better; infinite for a value that far outside what was measured."""
        with np.errstate(over="ignore"):
            return self.sign * (value - self.origin) / self.unit
