"""Whether a training's loss still fell when it ended, from its course alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the second half of a training, which is looked at. They tell the noise too.
_BLOCKS = 8
# With fewer steps nothing is said.
LEAST_STEPS = 4 * _BLOCKS
# Standard errors that the fall over the second half is above none; of what is left of the loss, the part that it is.
_SURE, _LEAST_FALL = 2.0, 0.02
# A learning rate that has come down by more was meant to end.
_MOST_COME_DOWN = 0.5


@dataclass(frozen=True)
class Ending:
    """How a training's loss ended.

    Attributes
    ----------
    start : float
        Mean over its first hundredth.
    halfway, end : float
        By a line through the second half, over the logarithm of the steps.
    falls : bool or None
        Whether it still fell, beyond its noise; None where that cannot be told: where the learning rate had come down
        as it was meant to, and of a loss that is not above zero.
    """

    start: float
    halfway: float
    end: float
    falls: bool | None


def ending(
    means: NDArray[np.float64], steps: NDArray[np.int64], highest_rate: float | None, last_rate: float | None
) -> Ending | None:
    """Return how a loss ended; None of few steps, and where it was not a number.

    Parameters
    ----------
    means, steps : ndarray, shape (K,)
        Of each part of its course, and how many steps it is of.
    highest_rate, last_rate : float or None
        Learning rates of the training; None where they are not known.
    """
    total = int(steps.sum())
    if total < LEAST_STEPS or not np.isfinite(means).all():
        return None
    edges = np.concatenate([[0.0], np.cumsum(steps)])
    added = np.concatenate([[0.0], np.cumsum(means * steps)])

    def mean(begin: Any, end: Any) -> Any:
        return (np.interp(end, edges, added) - np.interp(begin, edges, added)) / (end - begin)

    start = float(mean(0.0, max(1.0, total / 100)))
    cuts = np.linspace(total / 2, total, _BLOCKS + 1)
    blocks = mean(cuts[:-1], cuts[1:])
    x = np.log2((cuts[:-1] + cuts[1:]) / 2 / total)
    deviation = x - x.mean()
    square = float(deviation @ deviation)
    slope = float(deviation @ blocks) / square
    at_end = float(blocks.mean() - slope * x.mean())
    rest = blocks - at_end - slope * x
    noise = float(np.sqrt(rest @ rest / (_BLOCKS - 2) / square))
    lowest = float(blocks.min())
    # A line goes below all of a loss that ends in a bend.
    end = max(at_end, lowest) if lowest >= 0 else at_end
    halfway = at_end - slope
    known = lowest >= 0 and highest_rate is not None and last_rate is not None
    if not known or last_rate < _MOST_COME_DOWN * highest_rate:  # type: ignore[operator]
        return Ending(start, halfway, end, None)
    falls = -slope > _SURE * noise and end < (1 - _LEAST_FALL) * halfway and end < start
    return Ending(start, halfway, end, falls)
