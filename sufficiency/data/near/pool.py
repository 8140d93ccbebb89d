"""The items of both splits as one pool, those of the test split first, each that is alike to the last number once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems

# At most so many items of a split are looked at, and so many numbers of both: what a few seconds are enough for.
MOST_TEST, MOST_TRAIN = 20_000, 80_000
MOST_NUMBERS = 400_000_000
_PART = 2_000_000


@dataclass(frozen=True)
class Pool:
    """Items of two splits, numbered through.

    Attributes
    ----------
    train, test : StoredItems
    rows : ndarray of int64, shape (n,)
        Their places in their splits.
    tested : int
        The first so many are of the test split.
    """

    train: StoredItems
    test: StoredItems
    rows: NDArray[np.int64]
    tested: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Numbers an item."""
        return int(np.prod(self.train.input_shape))

    def take(self, which: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return these items as rows, shape (len(which), width)."""
        taken = np.empty((len(which), self.width), np.float32)
        of_test = which < self.tested
        for split, here in ((self.test, of_test), (self.train, ~of_test)):
            if here.any():
                taken[here] = split.take(self.rows[which[here]]).reshape(int(here.sum()), -1)
        return taken

    def parts(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield all items part by part, with the number of the part's first."""
        size = max(1, _PART // self.width)
        for k in range(0, len(self), size):
            yield k, self.take(np.arange(k, min(k + size, len(self))))

    def labels(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class of each item, given those of the splits."""
        return np.concatenate([test[self.rows[: self.tested]], train[self.rows[self.tested :]]])


def pool_of(
    train: StoredItems,
    test: StoredItems,
    once: tuple[NDArray[np.int64], NDArray[np.int64]],
    rng: np.random.Generator,
) -> Pool:
    """Return a pool of two splits' items, a part drawn at random of those that are too many.

    Parameters
    ----------
    once : pair of ndarray of int64
        Rows of the training and of the test split that are no others' copies.
    """
    affordable = max(MOST_NUMBERS // int(np.prod(train.input_shape)), 2)
    share = min(1.0, affordable / max(len(once[0]) + len(once[1]), 1))
    rows = []
    for which, most in zip(reversed(once), (MOST_TEST, MOST_TRAIN), strict=True):
        most = min(most, int(len(which) * share))
        rows.append(which if len(which) <= most else np.sort(rng.choice(which, most, replace=False)))
    return Pool(train, test, np.concatenate(rows), len(rows[0]))
