"""Datasets as arrays: what the loaders return, and what any other dataset is turned into once."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Description
from sufficiency.data.precision import Move, may_lose, target_in_float32
from sufficiency.data.suspicions import suspicions

MOST_CLASSES = 100_000
_PART_VALUES = 8_000_000


class DatasetError(ValueError):
    """Data that cannot be used; the message says what is wrong and where."""


Task = Literal["classification", "regression"]


class StoredItems(ABC):
    """Items of one shape with a target each, wherever they are; an item reads as ``(x, target, metadata)``.

    It reads as DataEval and MAITE have it. Whoever derives from it makes the items readable, then calls
    `_check_items`.

    Parameters
    ----------
    y : ndarray, shape (N,)
        Classes, 0 … C−1; an item's target is then one-hot. Numbers to predict where there are no `class_names`: kept as
        float32 where it holds them well, as float64 where not (seconds since 1970).
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
        self.class_names = tuple(class_names or ())
        self.task: Task = "regression" if class_names is None else "classification"
        self.source = source
        self._feature_names = tuple(feature_names)
        self.description = description or Description()
        self.item_metadata = {name: np.asarray(values) for name, values in (item_metadata or {}).items()}
        for what, values in (("labels", y), *self.item_metadata.items()):
            if size != len(values):
                raise DatasetError(f"{source} has {size} items but {len(values)} {what}")
        if not size:
            raise DatasetError(f"{source} has no items; check start, limit and split")
        self.y = self._targets(y)

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
            numbers = np.ascontiguousarray(numbers, dtype=np.float64)
            if (bad := np.flatnonzero(~np.isfinite(numbers))).size:
                raise DatasetError(
                    f"{self.source}: item {bad[0]} has the target NaN or infinity ({bad.size} such items)"
                )
            with np.errstate(over="ignore"):  # what float32 cannot hold stays as it is
                return numbers.astype(np.float32) if target_in_float32(numbers) else numbers
        labels = whole_labels(y, self.source)
        if (bad := np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))).size:
            raise DatasetError(
                f"{self.source}: item {bad[0]} has label {labels[bad[0]]}, outside 0 … {len(self.class_names) - 1}"
                f" ({bad.size} such items)"
            )
        return np.ascontiguousarray(labels, dtype=np.int64)

    def _check_items(self) -> None:
        shape = self.input_shape
        if len(shape) < 1 or not math.prod(shape):
            raise DatasetError(
                f"{self.source}: an item must hold at least one number, got x of shape {(len(self), *shape)}"
            )
        bad = [k + row for k, part in self.rows_in_parts() for row in np.flatnonzero(~np.isfinite(part).all(axis=1))]
        if bad:
            raise DatasetError(f"{self.source}: item {bad[0]} holds NaN or infinite values ({len(bad)} such items)")


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
            self.x = np.ascontiguousarray(x, dtype=np.float32)
        # Until it is settled with its training split what is to be done about the rest.
        self._given = x if may_lose(x.dtype) and not np.array_equal(self.x, x) else self.x
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

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self.x.shape[1:])


class MappedDataset(StoredItems):
    """Items that stay in their file and are read when they are wanted; bytes are scaled to [0, 1] as they are read.

    Parameters
    ----------
    store : ndarray, shape (M, ...)
        Usually a memory map.
    rows : ndarray of int64, shape (N,)
        Which of its items there are.
    y, class_names, source, item_metadata, description
        As `StoredItems` has them, of the N items.
    moves : mapping from int to Move, optional
        What is done to some numbers of an item as it is read, by their place along the flattened item.

    Raises
    ------
    DatasetError
        For no items, unequal lengths, labels out of range, or values that are not finite.
    """

    def __init__(
        self,
        store: NDArray[Any],
        rows: NDArray[np.int64],
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str = "the dataset",
        item_metadata: Mapping[str, NDArray[Any]] | None = None,
        description: Description | None = None,
        *,
        moves: Mapping[int, Move] | None = None,
    ) -> None:
        super().__init__(y, class_names, source, (), item_metadata, description, size=len(rows))
        self._store, self._rows, self._moves = store, rows, dict(moves or {})
        self._check_items()

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read these items, shape (len(rows), ...)."""
        items = self._store[self._rows[rows]]
        with np.errstate(over="ignore"):
            taken: NDArray[np.float32] = as_unit(items).astype(np.float32, copy=bool(self._moves))
        for place, move in self._moves.items():
            taken.reshape(len(taken), -1)[:, place] = move(items.reshape(len(items), -1)[:, place])
        return taken

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items as they stand in the file, shape (len(rows), ...)."""
        return np.asarray(self._store[self._rows[rows]])

    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item as it stands in the file, shape (N,)."""
        return np.asarray(self._store.reshape(len(self._store), -1)[:, place])[self._rows]

    def select(self, rows: NDArray[np.int64]) -> "MappedDataset":
        """Return a dataset of these items."""
        about = {name: values[rows] for name, values in self.item_metadata.items()}
        return MappedDataset(
            *(self._store, self._rows[rows], self.y[rows], self._names, self.source, about, self.description),
            moves=self._moves,
        )

    def settled(self, moves: Mapping[int, Move], description: Description) -> "MappedDataset":
        """Return the dataset with some numbers of its items moved as they are read."""
        return MappedDataset(
            *(self._store, self._rows, self.y, self._names, self.source, self.item_metadata, description), moves=moves
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self._store.shape[1:])


def as_unit(x: NDArray[Any]) -> NDArray[Any]:
    """Scale bytes to [0, 1]; leave anything else as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def whole_labels(y: Any, source: str) -> NDArray[Any]:
    """Return labels as they are, if they are whole numbers in one dimension."""
    labels = np.asarray(y)
    whole = labels.dtype.kind in "bui" or (
        labels.dtype.kind == "f" and bool(np.isfinite(labels).all() and (labels == np.floor(labels)).all())
    )
    if labels.ndim != 1 or not whole:
        raise DatasetError(
            f"{source}: labels must be whole numbers in one dimension, got {labels.dtype} of shape {labels.shape}"
        )
    return labels


def numbered_classes(y: Any, source: str) -> list[str]:
    """Return names "0", "1" … for labels that have none, up to the largest of them."""
    labels = whole_labels(y, source)
    largest = int(labels.max()) if labels.size else -1
    if largest >= MOST_CLASSES:
        item = int(labels.argmax())
        raise DatasetError(f"{source}: item {item} has label {largest}; labels must be below {MOST_CLASSES}")
    return [str(k) for k in range(largest + 1)]


# By identity, since somebody's dataset need be neither hashable nor weakly referable.
# The dataset is kept with it, so that its id stays its own.
_materialised: "OrderedDict[int, tuple[Any, StoredItems]]" = OrderedDict()
_KEPT = 6


def materialise(dataset: Any) -> StoredItems:
    """Return any dataset of ``(array, target, ...)`` items as arrays, read once; one that is stored already, as it is.

    A target is a label, a one-hot label, or a number where the dataset's `metadata` has ``"task": "regression"``.

    Raises
    ------
    DatasetError
        For a dataset without a length, or items of another or of unequal shape.
    """
    if isinstance(dataset, StoredItems):
        return dataset
    if (kept := _materialised.get(id(dataset))) is not None:
        return kept[1]
    try:
        items = [dataset[index] for index in range(len(dataset))]
        if not items:
            raise DatasetError("the dataset has no items")
        x = np.stack([_numeric(item[0]) for item in items])
        labels = np.stack([np.asarray(item[1]) for item in items])
    except DatasetError:
        raise
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise DatasetError(f"items must be (array, label or one-hot label, ...) of one shape: {error}") from error
    names: list[str] | None
    if _declared_task(dataset) == "regression":
        names, y = None, labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    elif labels.ndim == 2 and labels.shape[1] > 1:
        # Probabilities will do as well, but a row must say something.
        if (bad := np.flatnonzero(~(np.isfinite(labels).all(axis=1) & (labels > 0).any(axis=1)))).size:
            raise DatasetError(f"the dataset: item {bad[0]} has the label {labels[bad[0]]}, which names no class")
        names, y = [str(k) for k in range(labels.shape[1])], labels.argmax(axis=1)
    else:
        y = labels[:, 0] if labels.ndim == 2 else labels  # a label in an array of its own is still a label
        names = numbered_classes(y, "the dataset")
    known = _index2label(dataset)
    arrays = ArrayDataset(x, y, None if names is None else [str(known.get(k, n)) for k, n in enumerate(names)])
    _materialised[id(dataset)] = (dataset, arrays)
    while len(_materialised) > _KEPT:
        _materialised.popitem(last=False)
    return arrays


def _numeric(item: Any) -> NDArray[Any]:
    """Return an item as an array of the type it has, so that nothing is rounded before it must be."""
    array = np.asarray(item)
    return array if array.dtype.kind in "buif" else array.astype(np.float32)


def select(x: NDArray[Any], y: NDArray[Any], start: int, limit: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return `limit` items from `start` on."""
    rows = chosen_rows(len(x), start, limit)
    return x[rows], y[rows]


def chosen_rows(size: int, start: int, limit: int | None) -> NDArray[np.int64]:
    """Return the numbers of `limit` items from `start` on."""
    if start < 0 or (limit is not None and limit < 1):
        raise DatasetError(f"start must be 0 or more and limit 1 or more; got start={start}, limit={limit}")
    return np.arange(size)[start : None if limit is None else start + limit]


def _metadata(dataset: Any) -> Mapping[str, Any]:
    metadata = getattr(dataset, "metadata", None)
    return metadata if isinstance(metadata, Mapping) else {}


def _index2label(dataset: Any) -> Mapping[int, Any]:
    index2label = _metadata(dataset).get("index2label")
    return index2label if isinstance(index2label, Mapping) else {}


def _declared_task(dataset: Any) -> str:
    declared = str(_metadata(dataset).get("task") or "")
    known = [task for task in ("classification", "regression") if task in declared.lower()]
    return known[0] if known else declared  # MAITE's users write image-classification too


def task_of(dataset: Any) -> str:
    """Return what a dataset is for: "classification", "regression", or what only its own strategies understand.

    Its `metadata` may say so under "task"; items whose targets have boxes and labels are "object-detection".
    """
    if declared := _declared_task(dataset):
        return declared
    try:
        target = dataset[0][1]
    except Exception:  # what is wrong with it is said by whoever reads it
        return "classification"
    return "object-detection" if hasattr(target, "boxes") and hasattr(target, "labels") else "classification"


@dataclass(frozen=True)
class Opaque:
    """A dataset that only its own strategies understand, and what can be said of it all the same."""

    dataset: Any
    task: str
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    class_counts: list[int]
    digest: str

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def num_classes(self) -> int:
        """Number of classes that it names."""
        return len(self.class_names)

    def fingerprint(self) -> str:
        """Return the SHA-256 of its items."""
        return self.digest


def contents(dataset: Any) -> StoredItems | Opaque:
    """Return a dataset as arrays, or as an opaque one where its task is neither a classification nor a regression."""
    if isinstance(dataset, StoredItems) or (task := task_of(dataset)) in ("classification", "regression"):
        return materialise(dataset)
    index2label = _index2label(dataset)
    names = tuple(str(index2label.get(k, k)) for k in range(max(map(int, index2label), default=-1) + 1))
    counts = np.zeros(len(names), np.int64)
    digest = hashlib.sha256(repr((task, names)).encode())
    shape: tuple[int, ...] = ()
    for index in range(len(dataset)):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise DatasetError(f"item {index} is a {type(item).__name__}, not a tuple (input, target, metadata)")
        shape = shape if index else _shape(item[0])
        labels = _labels(getattr(item[1], "labels", None))
        if (bad := labels[(labels < 0) | (labels >= len(names))]).size and names:
            raise DatasetError(f"item {index} has label {bad[0]}, outside 0 … {len(names) - 1}")
        if names:
            counts += np.bincount(labels, minlength=len(names))
        for part in _plain(item[:2]):
            digest.update(part)
    if not len(dataset):
        raise DatasetError("the dataset has no items")
    return Opaque(dataset, task, shape, names, counts.tolist(), digest.hexdigest())


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return tuple(np.asarray(value).shape)
    except (TypeError, ValueError):
        return ()


def _labels(value: Any) -> NDArray[np.int64]:
    labels = np.asarray([] if value is None else value)
    return labels.reshape(-1).astype(np.int64) if labels.dtype.kind in "buif" else np.empty(0, np.int64)


def _plain(value: Any) -> Iterator[bytes]:
    """Yield what a value holds, without what differs from process to process."""
    if value is None or isinstance(value, str | int | float | bool | complex | bytes):
        yield repr(value).encode()
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _plain(value[key])
    elif isinstance(value, list | tuple | set | frozenset):
        yield f"{type(value).__name__}{len(value)}".encode()
        for item in sorted(value, key=str) if isinstance(value, set | frozenset) else value:
            yield from _plain(item)
    elif hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        array = np.asarray(value)
        yield repr((array.dtype.str, array.shape)).encode()
        yield from _plain(array.tolist()) if array.dtype.hasobject else (np.ascontiguousarray(array).tobytes(),)
    else:
        yield type(value).__qualname__.encode()
        names = getattr(value, "__dict__", None) or {
            name: getattr(value, name) for name in getattr(type(value), "__slots__", ()) if hasattr(value, name)
        }
        yield from _plain(dict(names))


def verify_splits(train: Any, test: Any) -> tuple[dict[str, Any], str]:
    """Check that two splits belong together; return what is in them, and their fingerprint.

    Raises
    ------
    DatasetError
        For splits of different tasks, items of different shape or different features, or test items of a class that
        the training split lacks.
    """
    first, second = contents(train), contents(test)
    if first.task != second.task:
        raise DatasetError(f"the training split is for {first.task}, the test split for {second.task}")
    if unknown := [name for name in second.class_names if name not in first.class_names]:
        raise DatasetError(f"the test split has classes that the training split lacks: {', '.join(unknown[:5])}")
    if first.class_names[: len(second.class_names)] != second.class_names:
        raise DatasetError("the two splits number their classes differently; give both the same classes")
    info: dict[str, Any] = {
        "task": first.task,
        "train": _counts(first, first.class_names),
        "test": _counts(second, first.class_names),
        "input_shape": list(first.input_shape),
        "class_names": list(first.class_names),
    }
    if isinstance(first, StoredItems) and isinstance(second, StoredItems):
        _check_features(first, second)
        info["test_items_in_train"] = _shared(first, second)
        if first.feature_names:
            info["feature_names"] = list(first.feature_names[:MOST_FEATURES_NAMED])
    stands = [split.description for split in (first, second) if isinstance(split, StoredItems)]
    info |= reduce(Description.joined, stands, Description(warnings=tuple(suspicions(info)))).as_info()
    digest = hashlib.sha256(f"{first.fingerprint()}{second.fingerprint()}".encode())
    return info, digest.hexdigest()


MOST_FEATURES_NAMED = 100


def _check_features(first: StoredItems, second: StoredItems) -> None:
    if first.input_shape != second.input_shape:
        raise DatasetError(f"training items have shape {first.input_shape}, test items {second.input_shape}")
    if first.feature_names and second.feature_names and first.feature_names != second.feature_names:
        pairs = zip(first.feature_names, second.feature_names, strict=True)
        at, (ours, theirs) = next((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1])
        raise DatasetError(
            f"feature {at} is {ours!r} in the training split and {theirs!r} in the test split; name the features in "
            "one order, and where they are categories, split one file"
        )


def _counts(split: StoredItems | Opaque, class_names: Sequence[str]) -> dict[str, Any]:
    if isinstance(split, Opaque):
        return {"size": len(split), "class_counts": split.class_counts + [0] * (len(class_names) - split.num_classes)}
    if split.task == "regression":
        low, middle, high = np.quantile(split.y.astype(np.float64), [0, 0.5, 1]).tolist()
        spread = {"mean": float(split.y.mean(dtype=np.float64)), "sd": float(split.y.std(dtype=np.float64))}
        return {"size": len(split), "class_counts": [], "target": {"min": low, "median": middle, "max": high, **spread}}
    return {"size": len(split), "class_counts": np.bincount(split.y, minlength=len(class_names)).tolist()}


def _shared(train: StoredItems, test: StoredItems) -> int:
    """Return how many test items are, number by number, training items too."""

    def digests(split: StoredItems) -> list[bytes]:
        return [
            hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()
            for _, part in split.rows_in_parts()
            for row in part
        ]

    known = set(digests(train))
    return sum(digest in known for digest in digests(test))
