"""What the curve of any method can be asked, and how it answers."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.schemas.words import HORIZON as HORIZON
from sufficiency.schemas.words import LEAST_STEPS as LEAST_STEPS
from sufficiency.schemas.words import Direction, Of, TargetStatus

Array = NDArray[np.float64]

# Beyond it the parameters of a law would leave the range of a double.
LARGEST_VALUE = 1e290

# In units of the largest measured size, as HORIZON is: up to where an answer can be relied on.
RELIABLE = 16
DEFAULT_LEVEL = 0.95
# Of one new training meeting the target, at `n_assured`: the assurance criterion of pmsims.
ASSURANCE = 0.8
# Less likely than this to be met at all, a target is called unreachable.
LEAST_PROBABILITY = 0.05


class NotEnoughData(ValueError):
    """The measurements do not determine a curve; the message says what is missing."""


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


class Fit(Protocol):
    """The fitted curve of one metric (of one class), by whichever method.

    A method that gives a line and no distribution around it has NaN for quantiles, draws and probabilities.
    """

    @property
    def n_min(self) -> float:
        """Smallest measured size with a value."""

    @property
    def n_max(self) -> float:
        """Largest measured size with a value: beyond it the curve is a projection."""

    def value(self, n: Any) -> Array:
        """Return the metric at training-set sizes `n`, of any shape, each ≥ 1."""

    def quantile(self, n: Any, q: Any, *, of: Of = "mean") -> Array:
        """Return the q-quantiles at sizes `n` of a new mean over as many runs, or of what `of` says; NaN if unknown.

        Parameters
        ----------
        n : float or ndarray
        q : float or ndarray
            In (0, 1).
        of : {"mean", "one_training", "population"}

        Returns
        -------
        ndarray, shape (*q.shape, *n.shape)
        """

    def draws(self, n: Any, count: int, seed: int | None = None) -> Array:
        """Return `count` equally likely curves of new means at sizes `n`; shape (count, *n.shape).

        A row is one curve, read at every size: `draws([n, 2 * n], 1000, seed=0)` gives what the same thousand curves
        are at both, so that a gain, a first crossing or a regret is worked out row by row, and its distribution is that
        of the rows. The same count and seed give the same rows at any sizes, whether asked for together or one by one.
        Together they are the very distribution that `value`, `quantile`, `invert` and `probability_of_meeting` answer
        from: row by row the quantiles in the middles of as many parts of the same probability.

        Parameters
        ----------
        count : int
        seed : int, optional
            Of the rows' order, for draws of two curves that are to be independent. Without it they are in rising order.
        """

    def probability_of_meeting(self, n: Any, target: Any) -> Array:
        """Return the probability that a new mean at size `n` is at the target or better; of the shape of both."""

    def invert(self, target: float, direction: Direction, level: float, horizon: float) -> InverseAnswer:
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

    def bends(self, low: float, high: float) -> Array:
        """Return the sizes between two others at which the curve bends sharply, for who draws it; none if smooth."""

    def params(self) -> list[float | None] | None:
        """Return DataEval's [scale, exponent, error asymptote] with n in items; None where the curve is no such law."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the fit that `to_dict` wrote."""
