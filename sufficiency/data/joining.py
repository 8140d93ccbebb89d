"""Several lots of items, one after the other, as one split: a dataset that has grown."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents, prepare, task_of
from sufficiency.data.parts import PartOf
from sufficiency.data.precision import Move


class JoinedItems(StoredItems):
    """Lots of items that stay where they are.

    Parameters
    ----------
    lots : sequence of StoredItems
        Of the same classes and item shape.
    rows : ndarray of int64, shape (N,), optional
        Which items there are, counted through all lots; all of them where it is not given.
    description : Description, optional
        What stands on the items; the first lot's where it is not given.
    """

    def __init__(
        self,
        lots: Sequence[StoredItems],
        rows: NDArray[np.int64] | None = None,
        description: Description | None = None,
    ) -> None:
        first = lots[0]
        self._lots = tuple(lots)
        self._ends = np.cumsum([len(lot) for lot in lots])
        self._rows = np.arange(self._ends[-1]) if rows is None else rows
        y = np.concatenate([lot.y for lot in lots])[self._rows]
        about = {name: values[self._rows] for name, values in _metadata(lots).items()}
        description = description or first.description
        super().__init__(y, first._names, first.source, first.feature_names, about, description, size=len(self._rows))

    @property
    def is_at_hand(self) -> bool:
        """Whether every lot's items are."""
        return all(lot.is_at_hand for lot in self._lots)

    def _gathered(
        self, rows: NDArray[np.int64], read: Callable[[StoredItems, NDArray[np.int64]], NDArray[Any]]
    ) -> NDArray[Any]:
        """Return what `read` gives of some rows, lot by lot, in the rows' order."""
        wanted = self._rows[rows]
        of_lot = np.searchsorted(self._ends, wanted, side="right")
        found: NDArray[Any] | None = None
        for k in np.unique(of_lot):
            lot, places = self._lots[k], np.flatnonzero(of_lot == k)
            part = read(lot, wanted[places] - (self._ends[k] - len(lot)))
            if found is None:
                found = np.empty((len(wanted), *part.shape[1:]), part.dtype)
            elif part.dtype != found.dtype:
                found = found.astype(np.promote_types(found.dtype, part.dtype))
            found[places] = part
        return np.empty((0, *self.input_shape), np.float32) if found is None else found

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of these items, shape (len(rows), ...)."""
        return self._gathered(rows, lambda lot, places: lot.take(places))

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items before float32 rounds them, shape (len(rows), ...)."""
        return self._gathered(rows, lambda lot, places: lot.exact(places))

    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item, shape (N,)."""
        return np.concatenate([lot.feature(place) for lot in self._lots])[self._rows]

    def select(self, rows: NDArray[np.int64]) -> "JoinedItems":
        """Return a dataset of these items."""
        return JoinedItems(self._lots, self._rows[rows], self.description)

    def settled(self, moves: Mapping[int, Move], description: Description) -> "JoinedItems":
        """Return the dataset with some numbers of its items moved."""
        lots = [lot.settled(moves, lot.description) for lot in self._lots] if moves else self._lots
        return JoinedItems(lots, self._rows, description)

    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "JoinedItems":
        """Return the dataset with all numbers of its items scaled."""
        return JoinedItems([lot.rescaled(scaling) for lot in self._lots], self._rows, self.description)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return self._lots[0].input_shape


class Lots:
    """Lots of somebody's own items, each as its dataset gives it.

    Attributes
    ----------
    lots : sequence of dataset
    metadata : dict
        The first lot's.
    """

    def __init__(self, lots: Sequence[Any]) -> None:
        self.lots = tuple(lots)
        self._ends = np.cumsum([len(lot) for lot in lots])
        self.metadata = getattr(lots[0], "metadata", {})

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        k = int(np.searchsorted(self._ends, index, side="right"))
        return self.lots[k][index - int(self._ends[k]) + len(self.lots[k])]


def cut(pieces: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
    """Return what was read as lots: one for each size that the split has had, and the rest.

    Parameters
    ----------
    pieces : sequence of dataset
        As loaders return them, in the order in which they came.
    sizes : sequence of int
        How many items the split had before, ascending.

    Raises
    ------
    DatasetError
        When there is no item more than before.
    """
    total, lots, begin = sum(len(piece) for piece in pieces), [], 0
    if sizes and total <= sizes[-1]:
        less = "as many as" if total == sizes[-1] else f"fewer than the {sizes[-1]} of"
        raise DatasetError(f"it has {total} training items, {less} the version before: a version adds some")
    for piece in pieces:
        end = begin + len(piece)
        marks = [begin, *(size for size in sizes if begin < size < end), end]
        for low, high in pairwise(marks):
            whole = (low, high) == (begin, end)
            lots.append(piece if whole else _some(piece, np.arange(low - begin, high - begin)))
        begin = end
    return lots


def _some(dataset: Any, rows: NDArray[np.int64]) -> Any:
    return dataset.select(rows) if isinstance(dataset, StoredItems) else PartOf(dataset, rows)


def joined(lots: Sequence[Any]) -> Any:
    """Return lots as one split; a single one as it is.

    Raises
    ------
    DatasetError
        When a later lot is not of the first one's task, classes, features or item shape.
    """
    if len(lots) == 1:
        return lots[0]
    for lot in lots[1:]:
        _require_alike(lots[0], lot)
    if all(isinstance(lot, StoredItems) for lot in lots):
        return _stored(lots)
    whole = Lots(lots)
    found = [contents(lot) for lot in lots]
    stored = [one for one in found if isinstance(one, StoredItems)]
    if len(stored) == len(found):
        prepare(whole, _stored(stored))
    return whole


def _stored(lots: Sequence[StoredItems]) -> StoredItems:
    if not all(isinstance(lot, ArrayDataset) for lot in lots):
        return JoinedItems(lots)
    first = lots[0]
    x = np.concatenate([lot.take(np.arange(len(lot))) for lot in lots])
    y = np.concatenate([lot.y for lot in lots])
    return ArrayDataset(x, y, first._names, first.source, first.feature_names, _metadata(lots), first.description)


def _metadata(lots: Sequence[StoredItems]) -> dict[str, NDArray[Any]]:
    """Return what is known of each item in every lot."""
    shared = [name for name in lots[0].item_metadata if all(name in lot.item_metadata for lot in lots)]
    return {name: np.concatenate([lot.item_metadata[name] for lot in lots]) for name in shared}


def _require_alike(first: Any, lot: Any) -> None:
    if task_of(first) != task_of(lot):
        raise DatasetError(f"the items before are for {task_of(first)}, those that were added for {task_of(lot)}")
    ours, theirs = contents(first), contents(lot)
    if unknown := [name for name in theirs.class_names if name not in ours.class_names]:
        raise DatasetError(
            f"items were added of classes that the versions before lack: {', '.join(map(str, unknown[:5]))}; what is "
            "measured so far knows nothing of them, so that this is another dataset: register it as one"
        )
    if ours.class_names != theirs.class_names:
        raise DatasetError("the items that were added number their classes otherwise than those before")
    if not (isinstance(ours, StoredItems) and isinstance(theirs, StoredItems)):
        return
    if ours.input_shape != theirs.input_shape:
        raise DatasetError(f"the items before have shape {ours.input_shape}, those added {theirs.input_shape}")
    if ours.feature_names and theirs.feature_names and ours.feature_names != theirs.feature_names:
        raise DatasetError("the items that were added have other features than those before")
