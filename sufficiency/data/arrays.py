"""Datasets as arrays: what the loaders return, and what any other dataset is turned into once."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import several_labels, whole_labels
from sufficiency.data.precision import Move, may_lose, target_in_float32
from sufficiency.schemas.limits import CLASSES
from sufficiency.schemas.plain import class_name

_PART_VALUES = 8_000_000
_FROM_ZERO = "; classes count from 0, and -1 often means that there is no label: leave such items out"

Task = Literal["classification", "regression", "multilabel"]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that nothing can be written to: a dataset is kept, and the next cell is given it too."""
    view = array.view()
    view.flags.writeable = False
    return view


class StoredItems(ABC):
    """Items of one shape with a target each, wherever they are; an item reads as ``(x, target, metadata)``.

    It reads as DataEval and MAITE have it. Whoever derives from it makes the items readable, then calls
    `_check_items`.

    Parameters
    ----------
    y : ndarray, shape (N,) or (N, C)
        Classes, 0 … C−1; an item's target is then one-hot. With several labels an item, 1 for each that it has and 0
        for the others. Numbers to predict where there are no `class_names`: kept as float32 where it holds them well,
        as float64 where not (seconds since 1970).
    class_names : sequence of str, length C, or None
        None for a regression.
    source : str
        What to call the data in an error.
    feature_names : sequence of str, optional
        What each number of an item is, where that is known: two splits must agree on it.
    item_metadata : mapping from str to ndarray of shape (N,), optional
        What else is known of each item, by which it may be grouped.
    description : Description, optional
        What was done to the items, and what is odd in them.
    size : int
        N, as the items themselves have it.

    Raises
    ------
    DatasetError
        For no items, unequal lengths, or labels out of range.
    """

    def __init__(
        self,
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str,
        feature_names: Sequence[str],
        item_metadata: Mapping[str, NDArray[Any]] | None,
        description: Description | None,
        *,
        size: int,
    ) -> None:
        self.class_names = tuple(map(class_name, class_names or ()))
        if len(self.class_names) > CLASSES:
            raise DatasetError(f"{source} has {len(self.class_names)} classes; at most {CLASSES} are allowed")
        several = np.ndim(y) == 2 and np.shape(y)[1] > 1
        self.task: Task = "regression" if class_names is None else "multilabel" if several else "classification"
        self.source = source
        self._feature_names = tuple(feature_names)
        self.description = description or Description()
        self.item_metadata = {name: read_only(np.asarray(values)) for name, values in (item_metadata or {}).items()}
        for what, values in (("labels", y), *self.item_metadata.items()):
            if size != len(values):
                raise DatasetError(f"{source} has {size} items but {len(values)} {what}")
        if not size:
            raise DatasetError(f"{source} has no items; check start, limit and split")
        self.y = read_only(self._targets(y))

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of these items, shape (len(rows), ...)."""

    @abstractmethod
    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items as they were given, before float32 rounds them, shape (len(rows), ...)."""

    @abstractmethod
    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item as it was given, shape (N,); `place` counts along the flattened item."""

    @abstractmethod
    def select(self, rows: NDArray[np.int64]) -> "StoredItems":
        """Return a dataset of these items."""

    @abstractmethod
    def settled(self, moves: Mapping[int, Move], description: Description) -> "StoredItems":
        """Return the dataset with some numbers of its items moved before they are cast, and nothing kept but float32.

        Parameters
        ----------
        moves : mapping from int to Move
            By the number's place along the flattened item.
        description : Description
            What then stands on the dataset.
        """

    @abstractmethod
    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "StoredItems":
        """Return the dataset with all numbers of its items scaled, before float32 rounds them."""

    def described(self, more: Description) -> Self:
        """Return the same dataset with more that stands on it."""
        same = copy(self)
        same.description = self.description.joined(more)
        return same

    def renumbered(self, names: Sequence[str], place: NDArray[np.int64]) -> "StoredItems":
        """Return the same items with other classes: `place` has the new number of each old one, shape (C,)."""
        same = copy(self)
        same.class_names, same.y = tuple(names), place[self.y]
        return same

    @property
    def is_at_hand(self) -> bool:
        """Whether items are read from memory or a file, and not one by one from somebody's own dataset."""
        return True

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each number of an item is, where that is known."""
        return self._feature_names

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[Any], dict[str, Any]]:
        # The end of the items must be an IndexError, or iterating over the dataset would never stop.
        if self.task == "regression":
            target = np.array([self.y[index]], dtype=self.y.dtype)
        elif self.task == "multilabel":
            target = self.y[index].copy()
        else:
            target = np.zeros(self.num_classes, dtype=np.float32)
            target[self.y[index]] = 1.0
        about = {name: values[[index]].tolist()[0] for name, values in self.item_metadata.items()}
        # A copy: a strategy that works on its item in place must not change the dataset for the next cell.
        return self.take(np.array([index]))[0], target, {"id": int(index), **about}

    @property
    def _names(self) -> tuple[str, ...] | None:
        return None if self.task == "regression" else self.class_names

    @property
    def num_classes(self) -> int:
        """Number of classes; 1 for a regression, so that a model has one output."""
        return len(self.class_names) or 1

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's description as DataEval and MAITE read it."""
        return {"id": "sufficiency", "index2label": dict(enumerate(self.class_names)), "task": self.task}

    def fingerprint(self) -> str:
        """Return the SHA-256 of items, targets and class names."""
        named = (self.feature_names,) if self.feature_names else ()
        shape = (len(self), *self.input_shape)
        digest = hashlib.sha256(repr((shape, self.class_names, *named)).encode())
        for _, part in self.rows_in_parts():
            digest.update(np.ascontiguousarray(part).data)
        digest.update(self.y.data)
        return digest.hexdigest()

    def rows_in_parts(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the items part by part, each item as a row, with the number of the part's first."""
        size = max(1, _PART_VALUES // max(1, math.prod(self.input_shape)))
        for k in range(0, len(self), size):
            part = self.take(np.arange(k, min(k + size, len(self))))
            yield k, part.reshape(len(part), -1)

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        if self.task == "regression":
            numbers = np.asarray(y)
            if numbers.dtype.kind not in "buif" or numbers.ndim != 1:
                raise DatasetError(
                    f"{self.source}: a regression needs one number an item as its target, got {numbers.dtype} of shape "
                    f"{numbers.shape}"
                )
            given, numbers = numbers, np.ascontiguousarray(numbers, dtype=np.float64)
            if given.dtype.kind in "iu" and np.abs(numbers).max(initial=0) >= 2.0**53:
                _refuse_rounded(given, numbers, self.source)
            if (bad := np.flatnonzero(~np.isfinite(numbers))).size:
                raise DatasetError(
                    f"{self.source}: item {bad[0]} has the target NaN or infinity ({bad.size} such items)"
                )
            with np.errstate(over="ignore"):  # what float32 cannot hold stays as it is
                return numbers.astype(np.float32) if target_in_float32(numbers) else numbers
        if self.task == "multilabel":
            return several_labels(y, len(self.class_names), self.source)
        labels = whole_labels(y, self.source)
        if (bad := np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))).size:
            raise DatasetError(
                f"{self.source}: item {bad[0]} has label {labels[bad[0]]}, outside 0 … {len(self.class_names) - 1}"
                f" ({bad.size} such items){_FROM_ZERO if labels[bad[0]] < 0 else ''}"
            )
        return np.ascontiguousarray(labels, dtype=np.int64)

    def _check_items(self) -> None:
        shape = self.input_shape
        if len(shape) < 1 or not math.prod(shape):
            raise DatasetError(
                f"{self.source}: an item must hold at least one number, got x of shape {(len(self), *shape)}"
                + ("; save x[:, None], where each is one number" if not shape else "")
            )
        bad = [k + row for k, part in self.rows_in_parts() for row in np.flatnonzero(~np.isfinite(part).all(axis=1))]
        if bad:
            raise DatasetError(f"{self.source}: item {bad[0]} holds NaN or infinite values ({len(bad)} such items)")


def _refuse_rounded(given: NDArray[Any], numbers: NDArray[np.float64], source: str, what: str = "targets") -> None:
    """Refuse whole numbers of which float64 takes different ones for the same."""
    lost = len(np.unique(given)) - len(np.unique(numbers))
    if lost:
        raise DatasetError(
            f"{source}: of the {what}, whole ones beyond 2**53, float64 takes {lost} for others: subtract a number "
            "that all of them exceed, or make classes or categories of them if they are names"
        )


class ArrayDataset(StoredItems):
    """Items and targets in two arrays.

    Parameters
    ----------
    x : ndarray, shape (N, ...)
        Cast to float32.
    y, class_names, source, feature_names, item_metadata, description
        As `StoredItems` has them.

    Raises
    ------
    DatasetError
        For no items, unequal lengths, labels out of range, or values that are not finite.
    """

    def __init__(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str = "the dataset",
        feature_names: Sequence[str] = (),
        item_metadata: Mapping[str, NDArray[Any]] | None = None,
        description: Description | None = None,
    ) -> None:
        super().__init__(y, class_names, source, feature_names, item_metadata, description, size=len(x))
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused after
            self.x = read_only(np.ascontiguousarray(x, dtype=np.float32))
        if x.dtype == np.uint64 and x.max(initial=0) >= 2**63:  # what is smaller is moved as whole numbers
            _refuse_rounded(x, x.astype(np.float64), source, "numbers")
        # Until it is settled with its training split what is to be done about the rest.
        self._given = read_only(x) if may_lose(x.dtype) and not np.array_equal(self.x, x) else self.x
        self._check_items()

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of these items, shape (len(rows), ...)."""
        taken: NDArray[np.float32] = self.x[rows]
        return taken

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items as they were given, shape (len(rows), ...)."""
        return self._given[rows]

    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item as it was given, shape (N,)."""
        return self._given.reshape(len(self), -1)[:, place]

    def select(self, rows: NDArray[np.int64]) -> "ArrayDataset":
        """Return a dataset of these items."""
        about = {name: values[rows] for name, values in self.item_metadata.items()}
        return ArrayDataset(
            self._given[rows], self.y[rows], self._names, self.source, self.feature_names, about, self.description
        )

    def settled(self, moves: Mapping[int, Move], description: Description) -> "ArrayDataset":
        """Return the dataset with some numbers of its items moved, and nothing kept but float32."""
        x = self.x
        if moves:
            x = x.copy()
            for place, move in moves.items():
                x.reshape(len(x), -1)[:, place] = move(self.feature(place))
        return ArrayDataset(x, self.y, self._names, self.source, self.feature_names, self.item_metadata, description)

    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "ArrayDataset":
        """Return the dataset with all numbers of its items scaled."""
        x = np.empty_like(self.x)
        for k, part in self.rows_in_parts():
            rows = slice(k, k + len(part))
            x[rows] = scaling(self._given[rows])
        about = (self.source, self.feature_names, self.item_metadata, self.description)
        return ArrayDataset(x, self.y, self._names, *about)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self.x.shape[1:])
