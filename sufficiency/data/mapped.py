"""Datasets that stay in their files and are read by memory map."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description
from sufficiency.data.file_map import FileMap
from sufficiency.data.pixels import as_unit
from sufficiency.data.precision import Move


class MappedDataset(StoredItems):
    """Items that stay in their file and are read when they are wanted; pixels are scaled to [0, 1] as they are read.

    Parameters
    ----------
    store : ndarray or FileMap, shape (M, ...)
        Usually a memory map.
    rows : ndarray of int64, shape (N,)
        Which of its items there are.
    y, class_names, source, item_metadata, description
        As `StoredItems` has them, of the N items.
    moves : mapping from int to Move, optional
        What is done to some numbers of an item as it is read, by their place along the flattened item.
    scaling : callable, optional
        What is done to all of them; bytes, and images of 16 bits, are put on [0, 1] where it is not given and the
        description does not say otherwise.

    Raises
    ------
    DatasetError
        For no items, unequal lengths, labels out of range, or values that are not finite.
    """

    def __init__(
        self,
        store: NDArray[Any] | FileMap,
        rows: NDArray[np.int64],
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str = "the dataset",
        item_metadata: Mapping[str, NDArray[Any]] | None = None,
        description: Description | None = None,
        *,
        moves: Mapping[int, Move] | None = None,
        scaling: Callable[[NDArray[Any]], NDArray[np.float64]] | None = None,
    ) -> None:
        super().__init__(y, class_names, source, (), item_metadata, description, size=len(rows))
        self._store = FileMap(store) if isinstance(store, np.memmap) else store
        self._rows, self._moves = rows, dict(moves or {})
        self._scaling = scaling
        self._check_items()

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read these items, shape (len(rows), ...)."""
        items = self._store[self._rows[rows]]
        with np.errstate(over="ignore"):
            taken: NDArray[np.float32] = self._scaled(items).astype(np.float32, copy=bool(self._moves), order="C")
        for place, move in self._moves.items():
            taken.reshape(len(taken), -1)[:, place] = move(items.reshape(len(items), -1)[:, place])
        return taken

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items as they stand in the file, or as they were scaled, shape (len(rows), ...)."""
        items = np.asarray(self._store[self._rows[rows]])
        return items if self._scaling is None else self._scaled(items).astype(np.float32)

    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item as `exact` has it, shape (N,)."""
        at: Any = (slice(None), *map(int, np.unravel_index(place, self.input_shape)))
        values = np.asarray(self._store[at])[self._rows]
        return values if self._scaling is None else self._scaled(values).astype(np.float32)

    def _scaled(self, items: NDArray[Any]) -> NDArray[Any]:
        if self._scaling is not None:
            return self._scaling(items)
        return as_unit(items) if self.description.scale == "auto" else items

    def select(self, rows: NDArray[np.int64]) -> "MappedDataset":
        """Return a dataset of these items."""
        about = {name: values[rows] for name, values in self.item_metadata.items()}
        return MappedDataset(
            *(self._store, self._rows[rows], self.y[rows], self._names, self.source, about, self.description),
            moves=self._moves,
            scaling=self._scaling,
        )

    def settled(self, moves: Mapping[int, Move], description: Description) -> "MappedDataset":
        """Return the dataset with some numbers of its items moved as they are read."""
        return MappedDataset(
            *(self._store, self._rows, self.y, self._names, self.source, self.item_metadata, description),
            moves=moves,
            scaling=self._scaling,
        )

    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "MappedDataset":
        """Return the dataset with all numbers of its items scaled as they are read."""
        about = (self.y, self._names, self.source, self.item_metadata, self.description)
        return MappedDataset(self._store, self._rows, *about, scaling=scaling)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self._store.shape[1:])
