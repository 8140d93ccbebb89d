"""Whether what was measured improves at all, and whether it gets worse somewhere, beyond the scatter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
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


def find_falls(seen: Observed) -> list[Fall | None]:
    """Return the plainest fall of each of several curves; None where there is none, or a single run cannot tell."""
    if not seen.noise.known:
        return [None] * len(seen.z)
    plain, place = _plainest(seen)
    return [
        Fall(*divmod(at, len(seen.n))) if one else None for one, at in zip(plain.tolist(), place.tolist(), strict=True)
    ]


def have_fallen(seen: Observed) -> NDArray[np.bool_]:
    """Return which curves have a fall; see `find_falls`."""
    return _plainest(seen)[0] if seen.noise.known else np.zeros(seen.z.shape[:-1], dtype=bool)


def _plainest(seen: Observed) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return whether the pair of steps that is most plainly a fall is one, and its place among the K² pairs.

    Notes
    -----
    One-sided t-tests of all pairs of steps, with Bonferroni's correction for their number.
    """
    steps = len(seen.n)
    freedom = np.maximum(np.rint((seen.runs - 1.0) * steps), 1.0)
    z, v = seen.z, np.maximum(seen.noise.mean, _LEAST_VARIANCE)
    score = (z[..., None, :] - z[..., None]) / np.sqrt(v[..., None, :] + v[..., None])
    step = np.arange(steps)
    score = np.where(step > step[:, None], score, 0.0).reshape(*z.shape[:-1], steps * steps)
    place, most = score.argmax(axis=-1), score.max(axis=-1)
    by_chance = stdtr(freedom, -most) * (steps * (steps - 1) / 2)
    return (most > 0) & (by_chance < _FALL_LEVEL), place


def are_flat(seen: Observed) -> NDArray[np.bool_]:
    """Return which of several curves do not improve by more than their scatter, shape (...).

    Notes
    -----
    The mean of the later steps is compared with that of the earlier ones at every place where the curve can be cut in
    two, one-sided, with Bonferroni's correction. No shape is assumed: a curve that rises steeply and then stays is no
    flat one, as a straight line through it would have it. The scatter is that of the runs, or that of the moves for the
    worse between neighbouring steps where it is more; of a single run the latter alone. One run whose every move is for
    the better shows none.
    """
    z, moves = seen.z, np.diff(seen.z)
    v = np.maximum(seen.noise.mean, _LEAST_VARIANCE) if seen.noise.known else np.ones_like(z)
    worse = moves > 0
    squares = np.where(worse, moves**2 / (v[..., :-1] + v[..., 1:]), 0.0).sum(axis=-1)
    backward = worse.sum(axis=-1)
    # So that rounding is no improvement.
    least = 1e-9 * (1.0 + np.abs(z).max(axis=-1))
    scale = squares / np.maximum(backward, 1)
    freedom = backward.astype(float)
    if seen.noise.known:
        scale = np.maximum(scale, 1.0)
        freedom = np.maximum(np.rint((seen.runs - 1.0) * len(seen.n)), 1.0)
    rise, error = _best_cut(z, v)
    score = (rise / (error * np.sqrt(scale)[..., None] + least[..., None])).max(axis=-1)
    by_chance = stdtr(np.maximum(freedom, 1.0), -score) * moves.shape[-1]
    found = (by_chance >= _FLAT_LEVEL) | (rise.max(axis=-1) <= least)
    return np.asarray(np.where(freedom > 0, found, z[..., 0] - z[..., -1] <= least))


def _best_cut(z: Array, v: Array) -> tuple[Array, Array]:
    """Return by how much the later steps are better than the earlier ones, and its error, at each of the K − 1 cuts."""
    w = 1.0 / v
    before, sums = np.cumsum(w, axis=-1)[..., :-1], np.cumsum(w * z, axis=-1)[..., :-1]
    after, rest = w.sum(axis=-1, keepdims=True) - before, np.vecdot(w, z)[..., None] - sums
    return sums / before - rest / after, np.sqrt(1.0 / before + 1.0 / after)
