"""Items of somebody's dataset that are too many for memory: read when they are wanted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.pixels import as_unit
from sufficiency.data.precision import Move
from sufficiency.data.reading import item_of, numeric


class StreamedDataset(StoredItems):
    """Items that stay in somebody's dataset and are read when they are wanted; bytes are scaled to [0, 1].

    Parameters
    ----------
    dataset : sequence of (array, target, ...)
    rows : ndarray of int64, shape (N,)
        Which of its items there are.
    shape : tuple of int
        Of every item.
    dtype : numpy dtype
        A type that holds every item.
    y, class_names, source, description
        As `StoredItems` has them, of the N items.
    moves : mapping from int to Move, optional
        What is done to some numbers of an item as it is read, by their place along the flattened item.
    scaling : callable, optional
        What is done to all of them before.

    Raises
    ------
    DatasetError
        For labels out of range; and, when items are taken, for one that has another shape now.
    """

    def __init__(
        self,
        dataset: Any,
        rows: NDArray[np.int64],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str = "the dataset",
        description: Description | None = None,
        *,
        moves: Mapping[int, Move] | None = None,
        scaling: Callable[[NDArray[Any]], NDArray[np.float64]] | None = None,
    ) -> None:
        super().__init__(y, class_names, source, (), None, description, size=len(rows))
        self._dataset, self._rows, self._shape, self._dtype = dataset, rows, shape, dtype
        self._moves, self._scaling = dict(moves or {}), scaling

    @property
    def is_at_hand(self) -> bool:
        """Whether items are read without their owner: they are not."""
        return False

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read these items, shape (len(rows), ...)."""
        items = self.exact(rows)
        with np.errstate(over="ignore"):
            taken: NDArray[np.float32] = as_unit(items).astype(np.float32)
        for place, move in self._moves.items():
            taken.reshape(len(taken), -1)[:, place] = move(items.reshape(len(items), -1)[:, place])
        return taken

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read these items as they are given, or as they were scaled, shape (len(rows), ...)."""
        items = np.empty((len(rows), *self._shape), self._dtype)
        for k, row in enumerate(self._rows[rows].tolist()):
            item = numeric(item_of(self._dataset, row)[0])
            if item.shape != self._shape:
                raise DatasetError(f"{self.source}: item {row} had shape {self._shape}, and has {item.shape} now")
            items[k] = item
        return items if self._scaling is None else self._scaling(items).astype(np.float32)

    def feature(self, place: int) -> NDArray[Any]:
        """Read one number of every item, shape (N,)."""
        return np.concatenate(
            [self.exact(part).reshape(len(part), -1)[:, place] for part in np.split(*_parts(len(self)))]
        )

    def select(self, rows: NDArray[np.int64]) -> "StreamedDataset":
        """Return a dataset of these items."""
        about = (self._shape, self._dtype, self.y[rows], self._names, self.source, self.description)
        return StreamedDataset(self._dataset, self._rows[rows], *about, moves=self._moves, scaling=self._scaling)

    def settled(self, moves: Mapping[int, Move], description: Description) -> "StreamedDataset":
        """Return the dataset with some numbers of its items moved as they are read."""
        about = (self._shape, self._dtype, self.y, self._names, self.source, description)
        return StreamedDataset(self._dataset, self._rows, *about, moves=moves, scaling=self._scaling)

    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "StreamedDataset":
        """Return the dataset with all numbers of its items scaled as they are read."""
        about = (self._shape, self._dtype, self.y, self._names, self.source, self.description)
        return StreamedDataset(self._dataset, self._rows, *about, scaling=scaling)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return self._shape


def _parts(size: int) -> tuple[NDArray[np.int64], list[int]]:
    return np.arange(size), list(range(256, size, 256))
