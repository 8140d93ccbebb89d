"""Finds the pairs of a pool that are far nearer to each other than chance, without measuring every pair.

Items are projected on a few directions at right angles, which brings no pair farther apart; those that stay near there
are measured in full. Along the first two, in which they lie farthest apart, only neighbours need be looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.near.chance import Chance
from sufficiency.data.near.pool import Pool
from sufficiency.data.near.units import Units

# Pairs are looked for along so many directions, and looked over along some more.
_DIRECTIONS, _MORE = 24, 96
_SPREAD_BY = 300
# Nor does it bring any pair farther apart to have what lies out there nearer.
_OUT = 8.0
_BLOCK, _STRIPS = 256, 256
_NUMBERS = 2_000_000
# What float32 leaves uncertain of a square, by the lengths that it is a difference of.
_EPSILON = 4e-6
# So many are measured at most, and of so many numbers in all.
MOST_PAIRS, MOST_MEASURED = 300_000, 400_000_000
# And so many are looked at along the directions.
MOST_COMPARED = 1_000_000_000
_DRAWN = 4_000


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
    z = _projected(pool, units, rng)
    looked_at = _affordable(z, pool.tested, chance.most, rng)
    most = max(min(MOST_PAIRS, MOST_MEASURED // pool.width), 1)
    pairs, apart, partial = np.empty((0, 2), np.int64), np.empty(0, np.float32), len(looked_at) < len(pool)
    waiting: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for block in chain(_candidates(z[looked_at], chance.most), [None]):
        waiting += [] if block is None else [block]
        if block is not None and sum(len(one) for one, _ in waiting) < most:
            continue
        pairs = np.concatenate([pairs, *(one for one, _ in waiting)])
        apart = np.concatenate([apart, *(one for _, one in waiting)])
        waiting = []
        if len(pairs) > most:  # the nearest along the directions are the likeliest
            nearest = np.argpartition(apart, most)[:most]
            pairs, apart, partial = pairs[nearest], apart[nearest], True
    pairs = looked_at[pairs]
    size = max(1, _NUMBERS // pool.width)
    kept = [_near(pairs[k : k + size], pool, units, chance) for k in range(0, len(pairs), size)]
    found = np.concatenate([np.empty((0, 2), np.int64), *kept])
    return Pairs(found[np.lexsort((found[:, 1], found[:, 0]))], partial)


def _near(pairs: NDArray[np.int64], pool: Pool, units: Units, chance: Chance) -> NDArray[np.int64]:
    first, second = pool.take(pairs[:, 0]), pool.take(pairs[:, 1])
    with np.errstate(over="ignore"):
        second -= first
    within = (np.abs(second) <= units.most).all(axis=1) & second.any(axis=1)
    if not within.any():
        return pairs[:0]
    pairs, first, apart = pairs[within], first[within], second[within] * units.weight
    distance = np.maximum(np.sqrt(np.einsum("ij,ij->i", apart, apart, dtype=np.float64)), units.resolution)
    # Where two items are so near to each other, the neighbours of either are as far.
    items, places, back = np.unique(pairs[:, 0], return_index=True, return_inverse=True)
    near: NDArray[np.int64] = pairs[distance <= chance.within(units.scaled(first[places]), items)[back]]
    return near


def _projected(pool: Pool, units: Units, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return where items lie along some directions at right angles, those first along which they lie farthest apart."""
    some = rng.choice(len(pool), min(len(pool), _SPREAD_BY, max(2, _NUMBERS // pool.width)), replace=False)
    sample = np.clip(units.scaled(pool.take(some)), -_OUT, _OUT)
    sample -= sample.mean(axis=0)
    values, vectors = np.linalg.eigh((sample @ sample.T).astype(np.float64))
    strong = np.flatnonzero(values > 1e-6 * max(values[-1], 1e-30))[::-1]
    many = min(_DIRECTIONS + _MORE, max(_DIRECTIONS, 2 * _NUMBERS // pool.width), pool.width)
    along = sample.T @ vectors[:, strong[:many]].astype(np.float32)
    further = rng.standard_normal((pool.width, many - along.shape[1]), np.float32) * (units.weight > 0)[:, None]
    along /= np.maximum(np.linalg.norm(along, axis=0), np.float32(1e-30))
    directions = np.linalg.qr(np.column_stack([along, further]).astype(np.float32))[0]
    made = np.empty((len(pool), many), np.float32)
    for k, part in pool.parts():
        np.matmul(np.clip(units.scaled(part), -_OUT, _OUT), directions, out=made[k : k + len(part)])
    return made


def _affordable(z: NDArray[np.float32], tested: int, most: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return all items; or those of the test split and a part of the others, where too many lie side by side."""
    one, other = rng.integers(0, len(z), (2, _DRAWN))
    width = max(most, float(np.ptp(z[:, 0])) / _STRIPS)
    aside = np.abs(z[one, :2] - z[other, :2])
    share = float(((aside[:, 0] <= width) & (aside[:, -1] <= most)).mean())
    many = int((2 * MOST_COMPARED / max(share, 1 / _DRAWN)) ** 0.5)
    if len(z) <= max(many, tested):
        return np.arange(len(z))
    others = rng.choice(np.arange(tested, len(z)), max(many - tested, 0), replace=False)
    return np.concatenate([np.arange(tested), np.sort(others)])


def _candidates(z: NDArray[np.float32], most: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield pairs that are no farther apart than `most` in the projection, and how far they are, block by block.

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
    reach = most * 1.001 + _EPSILON * float(np.einsum("ij,ij->i", z, z).max()) ** 0.5
    few = z[:, :_DIRECTIONS]
    squares = np.einsum("ij,ij->i", few, few)
    ones = np.ones_like(squares)
    left = np.column_stack([-2.0 * few, squares, ones]).astype(np.float32)
    right = np.column_stack([few, ones, squares])
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
                apart = _apart(z, rows, columns)
                if (close := apart <= reach).any():
                    pairs = np.column_stack([order[rows[close]], order[columns[close]]])
                    yield np.sort(pairs, axis=1), apart[close]


def _apart(z: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how far pairs are apart along all directions."""
    found = np.empty(len(rows), np.float32)
    size = _NUMBERS // z.shape[1]
    for k in range(0, len(rows), size):
        found[k : k + size] = np.linalg.norm(z[rows[k : k + size]] - z[columns[k : k + size]], axis=1)
    return found
