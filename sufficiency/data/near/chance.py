"""How near items are to each other by chance: what is far nearer is no chance.

In d dimensions a k-th neighbour at r has one of chance within x of the item k·(x/r)^d times, wherever the items lie
more or less densely. The dimension is that of the items themselves, read from how fast their neighbours get farther.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.near.pool import Pool
from sufficiency.data.near.units import Units

# So many pairs may be near by chance, of all that are looked at.
_BY_CHANCE = 0.01
# Of the typical distance to the nearest neighbour, at most.
_OF_TYPICAL = 0.1
# The neighbours that distances are read from: past those that a few copies of the item would be.
_NEAR, _FAR = 5, 20
_FEWEST = 50
# Where items are fewer in some places the dimension is read too high.
_CAUTION = 0.85
_ASKED = 400
_REFERENCES, _NUMBERS = 2_000, 10_000_000


@dataclass(frozen=True)
class Chance:
    """What is nearer than chance.

    Attributes
    ----------
    references : ndarray of float32, shape (M, width)
        Items, as distances are of them, that others' places are looked up by.
    numbers : ndarray of int64, shape (M,)
        Which items of the pool they are.
    lengths : ndarray of float32, shape (M,)
        Squares of theirs.
    typical : float
        The median distance of an item to its nearest neighbour.
    dimension : float
        Of the items.
    most : float
        The distance past which no pair is near.
    part : float
        Of the distance to the `_NEAR`-th reference that a pair must be within.
    """

    references: NDArray[np.float32]
    numbers: NDArray[np.int64]
    lengths: NDArray[np.float32]
    typical: float
    dimension: float
    most: float
    part: float

    def within(self, items: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return within what distance of each item another one is near, shape (len(items),)."""
        around = _neighbours(items, numbers, self.references, self.numbers, self.lengths)[:, 0]
        return np.minimum(around * self.part, self.most)


def chance_of(pool: Pool, units: Units, rng: np.random.Generator) -> Chance | None:
    """Return what is nearer than chance among a pool's items; None where there are too few of them to tell."""
    many = min(_REFERENCES, max(_NUMBERS // pool.width, 2), len(pool))
    if many < _FEWEST:
        return None
    numbers = rng.choice(len(pool), many, replace=False)
    asked = rng.choice(len(pool), min(_ASKED, len(pool)), replace=False)
    references = units.scaled(pool.take(numbers))
    known = references, numbers, np.einsum("ij,ij->i", references, references)
    size = max(1, _NUMBERS // 4 // pool.width)
    some = [asked[k : k + size] for k in range(0, len(asked), size)]
    around = np.concatenate([_neighbours(units.scaled(pool.take(part)), part, *known) for part in some])
    apart = float(np.mean(np.log(np.maximum(around[:, 1], 1e-12) / np.maximum(around[:, 0], 1e-12))))
    steps = sum(1 / k for k in range(_NEAR, _FAR))
    dimension = min(_CAUTION * steps / max(apart, 1e-3), units.fine)
    # The references are a part of the items, whose nearest neighbours are nearer.
    typical = float(np.median(around[:, 0])) * (many / len(pool) / _NEAR) ** (1 / dimension)
    pairs = len(pool) * _NEAR * len(pool) / many
    part = (_BY_CHANCE / pairs) ** (1 / dimension)
    return Chance(*known, typical, dimension, _OF_TYPICAL * typical, part)


def _neighbours(
    items: NDArray[np.float32],
    numbers: NDArray[np.int64],
    references: NDArray[np.float32],
    their_numbers: NDArray[np.int64],
    lengths: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return the distances to the `_NEAR`-th and the `_FAR`-th reference that an item is not itself."""
    found = np.empty((len(items), 2))
    for k in range(0, len(items), 256):
        some = items[k : k + 256]
        square = lengths - 2.0 * (some @ references.T)
        square += np.einsum("ij,ij->i", some, some)[:, None]
        square[numbers[k : k + 256, None] == their_numbers] = np.inf
        nearest = np.partition(square, [_NEAR - 1, _FAR - 1], axis=1)
        found[k : k + 256] = np.sqrt(np.maximum(nearest[:, [_NEAR - 1, _FAR - 1]], 0.0))
    return found
