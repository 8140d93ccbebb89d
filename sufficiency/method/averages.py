"""Means, deviations and extremes over runs: of one series, or side by side of several with the same steps."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Runs that the method was learned from.
FEW_RUNS = 5


@dataclass(frozen=True, eq=False)
class Averages:
    """What the runs have in common at each step.

    Attributes
    ----------
    values : ndarray, shape (..., R, K)
        By run and step; what is not finite counts as missing.
    """

    values: NDArray[np.float64]

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Which values there are, shape (..., R, K)."""
        return np.isfinite(self.values)

    @cached_property
    def runs(self) -> NDArray[np.int64]:
        """Number of values at each step, shape (..., K)."""
        return _fixed(self.finite.sum(axis=-2))

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Mean over the runs at each step, shape (..., K); NaN where no run has a value."""
        runs, (present, power) = self.runs, self._without_holes
        low = np.where(self.finite, present, np.inf).min(axis=-2, initial=np.inf)
        high = np.where(self.finite, present, -np.inf).max(axis=-2, initial=-np.inf)
        # Rounding must not take the mean of equal values off them: a flat curve meets its own value.
        mean = np.minimum(np.maximum(present.sum(axis=-2) / np.maximum(runs, 1), low), np.maximum(low, high))
        return _fixed(np.where(runs > 0, np.ldexp(np.where(runs > 0, mean, 0.0), power[..., 0]), np.nan))

    @cached_property
    def sd(self) -> NDArray[np.float64]:
        """Sample standard deviation over the runs, shape (..., K); NaN where fewer than two have a value."""
        runs, (present, power) = self.runs, self._without_holes
        mean = np.ldexp(np.where(runs > 0, self.mean, 0.0), -power[..., 0])
        squares = np.where(self.finite, (present - mean[..., None, :]) ** 2, 0.0).sum(axis=-2)
        with np.errstate(over="ignore"):
            sd = np.ldexp(np.sqrt(squares / np.maximum(runs - 1, 1)), power[..., 0])
        return _fixed(np.where(runs > 1, sd, np.nan))

    @cached_property
    def extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest value at each step, each of shape (..., K); ±inf where no run has one.

        Of more than five runs what the smallest and the largest of five of them are like: a sixth of the way in. More
        runs reach ever farther apart, and scatter no more for it.
        """
        low = np.where(self.finite, self.values, np.inf)
        high = np.where(self.finite, self.values, -np.inf)
        if low.shape[-2] <= FEW_RUNS or not (self.runs > FEW_RUNS).any():
            return low.min(axis=-2, initial=np.inf), high.max(axis=-2, initial=-np.inf)
        place = np.maximum((self.runs + 1.0) / (FEW_RUNS + 1.0) - 1.0, 0.0)
        return _at_place(np.sort(low, axis=-2), place), -_at_place(np.sort(-high, axis=-2), place)

    @cached_property
    def _without_holes(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Values within ±1 with 0 where one is missing, and the power of two, (..., 1, 1), that they were divided by.

        Sums and squares of them cannot overflow, and a power of two costs no digit.
        """
        present = np.where(self.finite, self.values, 0.0)
        power = np.frexp(np.abs(present).max(axis=(-2, -1), initial=0.0, keepdims=True))[1]
        return np.ldexp(present, -power), power


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that is asked for again and again, so that nobody may write into it."""
    array.flags.writeable = False
    return array


def _at_place(ordered: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return of each column what stands at a place, between two values on the line between them."""
    last = ordered.shape[-2] - 1
    first = np.minimum(place.astype(int), last)
    share = place - first
    lower, upper = (
        np.take_along_axis(ordered, row[..., None, :], axis=-2)[..., 0, :]
        for row in (first, np.minimum(first + 1, last))
    )
    with np.errstate(invalid="ignore"):  # where no run has a value
        return np.asarray(np.where(share > 0, lower + share * (upper - lower), lower))
