"""The scale on which curves are fitted: a metric of any range, turned so that lower is better and steps are even."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from sufficiency.method.curve import Array
from sufficiency.schemas.words import Bounds, Direction

Kind = Literal["logit", "log", "identity"]

# Keeps the links finite at the bounds themselves.
EPSILON = 1e-3
# Slopes are taken a little further from the bounds, so that noise there is not blown up.
SLOPE_EPSILON = 5e-3
_FARTHEST = 30.0
_ROUNDING = 1e-15


@dataclass(frozen=True)
class Link:
    """Maps a metric's values v to z, where lower is better.

    With the cost c = (v − origin)·sign/unit, lower is better, z is

    - `logit`, for metrics bounded on both sides: log((c + ε)/(1 − c + ε)), c in [0, 1];
    - `log`, for metrics bounded on the side of the best (a loss ≥ 0): log(c + ε), c ≥ 0 in units of its last mean;
      bounded on the other side only: −log(−c + ε);
    - `identity`, for unbounded metrics: c from the last mean, in units of the means' range (or of the runs' scatter).

    Attributes
    ----------
    kind : {"logit", "log", "identity"}
    origin, unit : float, or ndarray of shape (..., 1)
        In the metric's own units, the unit > 0. Of several curves of one kind each has its own.
    sign : {1, -1}
        1 where lower values are better.
    away : bool
        Of `log`: the bound is on the side of the worst.
    """

    kind: Kind
    origin: Any
    unit: Any
    sign: int
    away: bool = False

    @classmethod
    def of(cls, mean: Array, sd: Array, direction: Direction, bounds: Bounds) -> Self:
        """Return the link of a metric with these means and standard deviations over runs, by increasing size.

        Parameters
        ----------
        mean, sd : ndarray, shape (..., K), K ≥ 1
            `sd` is NaN where a step has fewer than two runs.
        """
        low, high = bounds
        sign = 1 if direction == "minimize" else -1
        best, worst = (low, high) if sign == 1 else (high, low)
        if best is not None and worst is not None:
            return cls(kind="logit", origin=float(best), unit=float(abs(worst - best)), sign=sign)
        last = mean[..., -1:]
        if best is not None or worst is not None:
            bound = best if best is not None else worst
            assert bound is not None
            distances = np.abs(mean - bound)
            unit = _first_above_zero(distances[..., -1:], distances.max(axis=-1, keepdims=True), np.ones_like(last))
            return cls(kind="log", origin=float(bound), unit=_number(unit), sign=sign, away=best is None)
        # Never less than the runs scatter: a flat curve must not be blown up to one that moves.
        moved = mean.max(axis=-1, keepdims=True) - mean.min(axis=-1, keepdims=True)
        scattered = np.nan_to_num(sd).mean(axis=-1, keepdims=True)
        unit = _first_above_zero(np.maximum(moved, scattered), np.maximum(np.abs(last), 1.0) * 1e-3)
        return cls(kind="identity", origin=_number(last), unit=_number(unit), sign=sign)

    def of_curve(self, place: int) -> Self:
        """Return the link of one of several curves."""
        if not isinstance(self.unit, np.ndarray):
            return self
        origin, unit = (float(of[place, 0]) if isinstance(of, np.ndarray) else of for of in (self.origin, self.unit))
        return replace(self, origin=origin, unit=unit)

    def z(self, value: Array) -> Array:
        """Return z of values of any shape; those outside the bounds count as being on them."""
        return self.z_of_cost(self.cost(value))

    def z_of_cost(self, c: Array) -> Array:
        """Return z of costs of any shape."""
        match self.kind:
            case "logit":
                c = np.minimum(np.maximum(c, 0.0), 1.0)
                return np.asarray(np.log((c + EPSILON) / (1.0 - c + EPSILON)))
            case "log" if self.away:
                return np.asarray(-np.log(np.maximum(-c, 0.0) + EPSILON))
            case "log":
                return np.asarray(np.log(np.maximum(c, 0.0) + EPSILON))
            case _:
                return c

    def value(self, z: Array) -> Array:
        """Return the metric's values at z, within its bounds."""
        if self.kind == "identity":
            return np.asarray(self.origin + self.sign * self.unit * z)
        t = np.exp(np.minimum(np.maximum(z, -_FARTHEST), _FARTHEST))
        match self.kind:
            case "logit":
                c = _at_least_zero((t * (1.0 + EPSILON) - EPSILON) / (1.0 + t))
                c = np.where(c >= 1.0 - _ROUNDING, 1.0, c)
            case _ if self.away:
                c = -_at_least_zero(1.0 / t - EPSILON)
            case _:
                c = _at_least_zero(t - EPSILON)
        return np.asarray(self.origin + self.sign * self.unit * c)

    def slope(self, value: Array) -> Array:
        """Return |dz/dv|, a little less than that near the bounds; times a standard deviation of v it is z's."""
        c = self.cost(value)
        match self.kind:
            case "logit":
                c = np.minimum(np.maximum(c, 0.0), 1.0)
                slope = 1.0 / (c + SLOPE_EPSILON) + 1.0 / (1.0 - c + SLOPE_EPSILON)
            case "log":
                slope = 1.0 / (np.maximum(-c if self.away else c, 0.0) + SLOPE_EPSILON)
            case _:
                slope = np.ones_like(c)
        return np.asarray(slope / self.unit)

    def cost(self, value: Array) -> Array:
        """Return c, lower is better; infinite for a value that far outside what was measured."""
        if self.kind == "logit" and self.unit >= 1.0:  # by which nothing grows, and most metrics are of these
            return np.asarray(self.sign * (value - self.origin) / self.unit)
        with np.errstate(over="ignore"):
            return np.asarray(self.sign * (value - self.origin) / self.unit)


def _at_least_zero(c: Array) -> Array:
    """Return costs, with 0 for what is below it, or above by no more than the way to z and back rounds."""
    return np.asarray(np.where(c <= _ROUNDING, 0.0, c))


def _first_above_zero(*of: Array) -> Array:
    """Return of each curve the first of several lengths that is more than nothing."""
    found = of[0]
    for one in of[1:]:
        if found.all():
            break
        found = np.where(found > 0, found, one)
    return found


def _number(of: Array) -> Any:
    """Return the number of a single curve, or those of several as they are."""
    return float(of[0]) if of.ndim == 1 else of
