"""DataEval's law given by its three parameters alone: its value at n, and the n that a target needs."""

import math

import numpy as np
from numpy.typing import NDArray

from sufficiency.schemas.words import Direction

Law = NDArray[np.float64]
OUT_OF_REACH = -1
_LARGEST = 2**63 - 1
# By so many items rounding may have moved a crossing that is computed.
_NEAR = 4


def law_value(law: Law, n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 − (c·n^−m + c0) at sizes n ≥ 1, for a law [c, m, c0]."""
    scale, exponent, asymptote = law
    with np.errstate(over="ignore", invalid="ignore"):
        value: NDArray[np.float64] = 1.0 - (scale * np.asarray(n, dtype=np.float64) ** -exponent + asymptote)
    return value


def items_needed(law: Law, target: float, direction: Direction, n_min: float) -> int:
    """Return the first whole size at which a law meets a target, or −1 where it never does.

    Parameters
    ----------
    law : ndarray, shape (3,)
        [c, m, c0], with n in items.
    target : float
        At least this for a metric to maximize, at most this for one to minimize.
    n_min : float
        Smallest measured size: what is flat, or gets worse, is not read below it.

    Notes
    -----
    Its own `law_value` at the answer meets the target, and at one item fewer does not.
    """
    scale, exponent, asymptote = (float(one) for one in law)
    if not all(map(math.isfinite, (scale, exponent, asymptote, target))):
        return OUT_OF_REACH

    def met(n: float) -> bool:
        value = float(law_value(law, np.float64(n)))  # type: ignore[arg-type]
        return value >= target if direction == "maximize" else value <= target

    improves = scale * exponent > 0 if direction == "maximize" else scale * exponent < 0
    if not improves:
        return max(1, int(n_min)) if met(max(1.0, n_min)) else OUT_OF_REACH
    limit = 1.0 - asymptote
    if exponent > 0 and (target >= limit if direction == "maximize" else target <= limit):
        return OUT_OF_REACH
    if met(1.0):
        return 1
    with np.errstate(all="ignore"):
        crossing = float(np.float64((1.0 - target - asymptote) / scale) ** (-1.0 / exponent))
    if not math.isfinite(crossing) or crossing >= _LARGEST:
        return OUT_OF_REACH
    n = max(1, math.ceil(crossing))
    for _ in range(_NEAR):
        if n > 1 and met(n - 1):
            n -= 1
        elif not met(n):
            n += 1
    return n
