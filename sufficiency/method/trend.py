"""Whether what was measured improves at all, and whether it gets worse somewhere, beyond the scatter."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from sufficiency.method.curve import Array
from sufficiency.method.observed import Observed

# That a flat curve is told to rise, or a rising one to fall, by chance.
_FLAT_LEVEL, _FALL_LEVEL = 0.05, 0.01
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Fall:
    """Two steps, by their places in `Observed`: the later one is worse, by more than the runs' scatter explains."""

    earlier: int
    later: int


def find_fall(seen: Observed) -> Fall | None:
    """Return the plainest fall; None where there is none, or a single run cannot tell.

    Notes
    -----
    One-sided t-tests of all pairs of steps, with Bonferroni's correction for their number.
    """
    if not seen.noise.known:
        return None
    freedom = max(round((seen.runs - 1.0) * len(seen.n)), 1)
    z, v = seen.z, np.maximum(seen.noise.mean, _LEAST_VARIANCE)
    score = np.triu((z[None, :] - z[:, None]) / np.sqrt(v[None, :] + v[:, None]), 1)
    j, k = np.unravel_index(int(score.argmax()), score.shape)
    pairs = len(z) * (len(z) - 1) / 2
    if score[j, k] <= 0 or float(stdtr(freedom, -score[j, k])) * pairs >= _FALL_LEVEL:
        return None
    return Fall(int(j), int(k))


def is_flat(seen: Observed) -> bool:
    """Whether the metric does not improve by more than its scatter.

    Notes
    -----
    The mean of the later steps is compared with that of the earlier ones at every place where the curve can be cut in
    two, one-sided, with Bonferroni's correction. No shape is assumed: a curve that rises steeply and then stays is no
    flat one, as a straight line through it would have it. The scatter is that of the runs, or that of the moves for the
    worse between neighbouring steps where it is more; of a single run the latter alone. One run whose every move is for
    the better shows none.
    """
    moves = np.diff(seen.z)
    v = np.maximum(seen.noise.mean, _LEAST_VARIANCE) if seen.noise.known else np.ones_like(seen.z)
    worse = moves > 0
    squares = moves[worse] ** 2 / (v[:-1] + v[1:])[worse]
    # So that rounding is no improvement.
    least = 1e-9 * (1.0 + float(np.abs(seen.z).max()))
    if not squares.size and not seen.noise.known:
        return bool(seen.z[0] - seen.z[-1] <= least)
    scale = float(squares.mean()) if squares.size else 0.0
    if seen.noise.known:
        scale, freedom = max(scale, 1.0), max(round((seen.runs - 1.0) * len(seen.z)), 1)
    else:
        freedom = squares.size
    rise, error = _best_cut(seen.z, v)
    cuts = len(moves)
    score = float((rise / (error * np.sqrt(scale) + least)).max())
    return bool(float(stdtr(freedom, -score)) * cuts >= _FLAT_LEVEL or rise.max() <= least)


def _best_cut(z: Array, v: Array) -> tuple[Array, Array]:
    """Return by how much the later steps are better than the earlier ones, and its error, at each of the K − 1 cuts."""
    w = 1.0 / v
    before, sums = np.cumsum(w)[:-1], np.cumsum(w * z)[:-1]
    after, rest = w.sum() - before, float(w @ z) - sums
    return sums / before - rest / after, np.sqrt(1.0 / before + 1.0 / after)
