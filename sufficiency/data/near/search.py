"""Finds the pairs of a pool that are far nearer to each other than chance, without measuring every pair.

Items are projected on a few directions at right angles, which brings no pair farther apart; those that stay near there
are measured in full. Along the first two, in which they lie farthest apart, only neighbours need be looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.near.chance import Chance
from sufficiency.data.near.pool import Pool
from sufficiency.data.near.units import Units

_DIRECTIONS = 24
_SPREAD_BY = 300
# Nor does it bring any pair farther apart to have what lies out there nearer.
_OUT = 8.0
_BLOCK, _STRIPS = 256, 256
_NUMBERS = 4_000_000
# What float32 leaves uncertain of a square, by the lengths that it is a difference of.
_EPSILON = 4e-6
# Of more pairs than that nobody learns more.
MOST_PAIRS = 300_000


@dataclass(frozen=True)
class Pairs:
    """What was found.

    Attributes
    ----------
    pairs : ndarray of int64, shape (P, 2)
        Items of the pool, the smaller number first.
    partial : bool
        Whether there were too many to look at all.
    """

    pairs: NDArray[np.int64]
    partial: bool


def near_pairs(pool: Pool, units: Units, chance: Chance, rng: np.random.Generator) -> Pairs:
    """Return the pairs of items that are nearly alike, and not alike to the last number."""
    kept: list[NDArray[np.int64]] = []
    waiting: list[NDArray[np.int64]] = []
    seen, held, size = 0, 0, max(1, _NUMBERS // pool.width)
    for pairs in _candidates(_projected(pool, units, rng), chance.most):
        some = pairs[: MOST_PAIRS - seen]
        seen, held = seen + len(some), held + len(some)
        waiting.append(some)
        partial = len(some) < len(pairs)
        if held >= size or partial:
            kept += _measured(waiting, size, pool, units, chance)
            waiting, held = [], 0
        if partial:
            break
    else:
        partial = False
    kept += _measured(waiting, size, pool, units, chance)
    found = np.concatenate([np.empty((0, 2), np.int64), *kept])
    return Pairs(found[np.lexsort((found[:, 1], found[:, 0]))], partial)


def _measured(
    waiting: Sequence[NDArray[np.int64]], size: int, pool: Pool, units: Units, chance: Chance
) -> list[NDArray[np.int64]]:
    pairs = np.concatenate([np.empty((0, 2), np.int64), *waiting])
    return [_near(pairs[k : k + size], pool, units, chance) for k in range(0, len(pairs), size)]


def _near(pairs: NDArray[np.int64], pool: Pool, units: Units, chance: Chance) -> NDArray[np.int64]:
    first, second = pool.take(pairs[:, 0]), pool.take(pairs[:, 1])
    apart = np.abs(first - second)
    within = (apart <= units.most).all(axis=1) & apart.any(axis=1)
    if not within.any():
        return pairs[:0]
    pairs, first, second = pairs[within], units.scaled(first[within]), units.scaled(second[within])
    distance = np.maximum(np.linalg.norm((apart[within] * units.weight).astype(np.float64), axis=1), units.resolution)
    limit = np.minimum(chance.within(first, pairs[:, 0]), chance.within(second, pairs[:, 1]))
    near: NDArray[np.int64] = pairs[distance <= limit]
    return near


def _projected(pool: Pool, units: Units, rng: np.random.Generator) -> NDArray[np.float32]:
    some = rng.choice(len(pool), min(len(pool), _SPREAD_BY, max(2, _NUMBERS // pool.width)), replace=False)
    sample = np.clip(units.scaled(pool.take(some)), -_OUT, _OUT).astype(np.float64)
    sample -= sample.mean(axis=0)
    values, vectors = np.linalg.eigh(sample @ sample.T)
    strong = np.flatnonzero(values > 1e-6 * max(values[-1], 1e-30))[::-1][:_DIRECTIONS]
    directions = np.linalg.qr(sample.T @ vectors[:, strong])[0].astype(np.float32)
    made = np.empty((len(pool), directions.shape[1]), np.float32)
    for k, part in pool.parts():
        np.matmul(np.clip(units.scaled(part), -_OUT, _OUT), directions, out=made[k : k + len(part)])
    return made


def _candidates(z: NDArray[np.float32], most: float) -> Iterator[NDArray[np.int64]]:
    """Yield pairs that are no farther apart than `most` in the projection, block by block.

    By the first direction items are in strips, of which only neighbours are compared; in a strip they are in the order
    of the second.
    """
    first, second = z[:, 0], z[:, min(1, z.shape[1] - 1)]
    beyond = np.float32(1.001 * most)
    width = max(float(beyond), float(np.ptp(first)) / _STRIPS, 1e-30)
    strip = ((first - first.min()) / width).astype(np.int64)
    order = np.lexsort((second, strip))
    z, second = z[order], second[order]
    ends = np.searchsorted(strip[order], np.arange(int(strip.max()) + 3)).tolist()
    squares = np.einsum("ij,ij->i", z, z)
    reach = most * 1.001 + _EPSILON * float(squares.max()) ** 0.5
    ones = np.ones_like(squares)
    left = np.column_stack([-2.0 * z, squares, ones]).astype(np.float32)
    right = np.column_stack([z, ones, squares])
    for start, end, after in zip(ends[:-2], ends[1:-1], ends[2:], strict=True):
        for k in range(start, end, _BLOCK):
            stop = min(k + _BLOCK, end)
            low, high = second[k] - beyond, second[stop - 1] + beyond
            theirs = end + np.searchsorted(second[end:after], [low, high], side="right")
            within = k + int(np.searchsorted(second[k:end], high, side="right"))
            for begin, finish in ((k, within), (int(theirs[0]), int(theirs[1]))):
                if begin == finish:
                    continue
                margin = most**2 * 1.001 + _EPSILON * 2 * max(squares[k:stop].max(), squares[begin:finish].max())
                near = np.flatnonzero(left[k:stop] @ right[begin:finish].T <= np.float32(margin))
                rows, columns = np.divmod(near, finish - begin)
                rows, columns = k + rows, begin + columns
                rows, columns = rows[columns > rows], columns[columns > rows]
                # Of what float32 left uncertain, the differences themselves decide.
                close = np.linalg.norm(z[rows] - z[columns], axis=1) <= reach
                if close.any():
                    yield np.sort(np.column_stack([order[rows[close]], order[columns[close]]]), axis=1)
