"""Reads somebody's dataset once, item by item: what its items are, their targets, and by what each is known again."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError
from sufficiency.data.hosted import array_of
from sufficiency.data.images import Decoder, is_picture
from sufficiency.data.labels import numbered_classes, said_by, settled_rows
from sufficiency.data.plain import plain, stamp

# What a split's items may take in memory, as float32. The items of a larger one are read whenever they are wanted.
MOST_IN_MEMORY = 1 << 30
# Of what the items' targets are numbers of one shape.
ARRAY_TASKS = ("classification", "regression", "multilabel")


class ComplexItems(TypeError):
    """Raised for complex numbers, of which only somebody's own strategies know what to make."""


@dataclass(frozen=True)
class Reading:
    """What one reading of a dataset found.

    Attributes
    ----------
    task : str
    names : tuple of str, or None
        The classes; None for a regression.
    y : ndarray, shape (N,) or, of several labels, (N, C); or None
        Classes or numbers to predict; None where only the dataset's own strategies understand its targets.
    counts : list of int
        Items (or boxes) by class.
    shape : tuple of int
        Of the first item.
    uneven : str or None
        Why the items are not numbers of one shape, where they are not.
    x : ndarray, shape (N, ...), or None
        The items as they were given; None of uneven ones, and of more than may be in memory.
    dtype : numpy dtype, or None
        A type that holds every item.
    stamps, target_stamps : list of bytes
        A digest of each item and of each target.
    digest : str
        Of all of it, for what only the dataset's own strategies understand.
    is_one_hot : bool
        Whether a target names its class by its place, so that there are as many classes as places.
    """

    task: str
    names: tuple[str, ...] | None
    y: NDArray[Any] | None
    counts: list[int]
    shape: tuple[int, ...]
    uneven: str | None
    x: NDArray[Any] | None
    dtype: np.dtype[Any] | None
    stamps: list[bytes]
    target_stamps: list[bytes]
    digest: str
    is_one_hot: bool = False

    def __len__(self) -> int:
        return len(self.stamps)

    def part(self, rows: NDArray[np.int64]) -> "Reading":
        """Return what a reading of some of the items would have found; for a classification or a regression."""
        assert self.y is not None, "targets that can be taken apart are numbers"
        y, names = self.y[rows], self.names
        if names is not None and not self.is_one_hot:
            names = names[: int(y.max(initial=-1)) + 1]
        stamps, targets = ([of[row] for row in rows.tolist()] for of in (self.stamps, self.target_stamps))
        return replace(
            self,
            names=names,
            y=y,
            counts=_counted(y, names),
            x=None if self.x is None else self.x[rows],
            stamps=stamps,
            target_stamps=targets,
            digest=_digest(self.task, names, stamps, targets),
        )


def read(dataset: Any, task: str) -> Reading:
    """Read every item of a dataset once, and keep no more of them than may be in memory.

    Raises
    ------
    DatasetError
        For a dataset without a length or items, an item that cannot be read, or a target that cannot be one.
    """
    try:
        size = len(dataset)
    except TypeError as error:
        raise DatasetError(f"the dataset has no length: {error}; give its class a method __len__") from error
    if not size:
        raise DatasetError("the dataset has no items")
    if is_stream(dataset):
        raise DatasetError(
            f"{type(dataset).__name__} is a stream (IterableDataset), and has no items by number, of which subsets are "
            "made: give its class a method __getitem__, or make a list of it"
        )
    if task in ARRAY_TASKS:
        return _read_labelled(dataset, task, size)
    return _read_opaque(dataset, task, size)


def is_stream(dataset: Any) -> bool:
    """Return whether a dataset can only be gone through: torch's kind of it has a method for items that raises."""
    return any(
        one.__name__ == "IterableDataset" and one.__module__.startswith("torch.") for one in type(dataset).__mro__
    )


def item_of(dataset: Any, index: int) -> tuple[Any, Any]:
    """Return the input and the target of an item.

    Raises
    ------
    DatasetError
        When it cannot be read, or is not a pair.
    """
    try:
        item = dataset[index]
        if isinstance(item, Mapping):
            raise TypeError(f"it is a mapping with {', '.join(map(repr, list(item)[:5]))}, not (input, target, ...)")
        return item[0], item[1]
    except Exception as error:  # somebody's own code may raise anything
        raise DatasetError(
            f"item {index} cannot be read as (array, label or one-hot label, ...): {type(error).__name__}: {error}"
        ) from error


def numeric(value: Any) -> NDArray[Any]:
    """Return an item as an array of the type it has, so that nothing is rounded before it must be.

    A picture of Pillow's is decoded as that of any loader, shape (channels, height, width).

    Raises
    ------
    TypeError, ValueError
        When it does not hold numbers, or complex ones.
    """
    if is_picture(value):
        return Decoder(None, None)(value)
    array = array_of(value)
    if array.dtype.kind == "c":
        raise ComplexItems("it holds complex numbers, of which a float32 keeps the real part alone")
    return array if array.dtype.kind in "buif" else array.astype(np.float32)


def target_stamp(target: Any) -> bytes:
    """Return a digest of what a model is to answer; of boxes their labels alone, for boxes move with their images."""
    return stamp(_labels(target.labels) if hasattr(target, "labels") else target)


def names_by_number(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Return the names in a dataset's ``index2label``, whose keys may be numbers or, as in JSON, their text."""
    given = metadata.get("index2label")
    if isinstance(given, list | tuple):
        given = dict(enumerate(given))
    if not isinstance(given, Mapping):
        return {}
    found = {}
    for key, name in given.items():
        try:
            number = int(key)
        except (TypeError, ValueError):
            continue
        if float(key) == number:
            found[number] = str(name)
    return found


def metadata_of(dataset: Any) -> Mapping[str, Any]:
    """Return what a dataset says of itself."""
    metadata = getattr(dataset, "metadata", None)
    return metadata if isinstance(metadata, Mapping) else {}


@dataclass
class _Inputs:
    """The inputs of a dataset, as they come."""

    size: int
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    uneven: str | None = None
    x: NDArray[Any] | None = None
    first_bad: int | None = None
    bad: int = 0

    def add(self, index: int, value: Any) -> None:
        if self.uneven is not None:
            return
        try:
            array = numeric(value)
        except ComplexItems:
            self._is_uneven(f"item {index} holds complex numbers: give their real and imaginary parts as two numbers")
            return
        except (TypeError, ValueError):
            self._is_uneven(f"item {index} is a {type(value).__name__}, which holds no numbers of one shape")
            return
        if self.dtype is None:
            self.shape, self.dtype = tuple(array.shape), array.dtype
            if self.size * math.prod(self.shape) * 4 <= MOST_IN_MEMORY:
                self.x = np.empty((self.size, *self.shape), self.dtype)
        elif array.shape != self.shape:
            here, there = ("×".join(map(str, shape)) or "a single number" for shape in (array.shape, self.shape))
            self._is_uneven(f"item {index} is {here}, item 0 {there}")
            return
        if array.dtype != self.dtype:
            self.dtype = np.result_type(self.dtype, array.dtype)
            if self.x is not None and self.x.dtype != self.dtype:
                self.x = self.x.astype(self.dtype)
        if self.x is not None:
            self.x[index] = array
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            self.bad += 1
            self.first_bad = index if self.first_bad is None else self.first_bad

    def _is_uneven(self, why: str) -> None:
        self.uneven, self.x = why, None


@dataclass
class _Targets:
    """The targets of a classification or a regression, as they come."""

    task: str
    declared: str = ""  # a classification that nobody declares may turn out to have several labels an item
    shape: tuple[int, ...] | None = None
    values: list[Any] = field(default_factory=list)
    is_one_hot: bool = False

    def add(self, index: int, target: Any) -> None:
        try:
            array = array_of(target)
        except (TypeError, ValueError) as error:
            raise DatasetError(f"item {index} has a target that is no label: {error}") from error
        if self.task == "classification" and array.dtype.kind in "UST":
            raise DatasetError(
                f"item {index} has the label {str(target)[:40]!r}: labels must be whole numbers 0 … C−1, or one-hot; "
                "give their names in the dataset's metadata, as index2label"
            )
        if self.shape is None:
            self.shape = array.shape
        if array.shape != self.shape:
            raise DatasetError(
                f"items must be (array, label or one-hot label, ...), their labels of one shape: that of item {index} "
                f"has shape {array.shape}, that of item 0 {self.shape}"
            )
        self.is_one_hot = self.task != "regression" and len(self.shape) == 1 and self.shape[0] > 1
        if not self.is_one_hot or array.dtype.kind not in "buif":
            self.values.append(array.copy())
            return
        self.values.append(said_by(array, self.declared, f"the dataset: item {index}"))

    def settled(self, known: Mapping[int, str]) -> tuple[tuple[str, ...] | None, NDArray[Any]]:
        """Return the class names, None of a regression, and the targets, shape (N,); of several labels (N, C)."""
        if self.is_one_hot and all(isinstance(one, int | float | tuple) for one in self.values):
            assert self.shape is not None, "there is an item"
            places = tuple(known.get(k, str(k)) for k in range(self.shape[0]))
            return places, settled_rows(self.values, len(places), self.declared, "the dataset")
        if self.task == "multilabel":
            raise DatasetError(
                "the dataset: with several labels an item, a target must be a row of 0 and 1, one number a class; that "
                f"of item 0 has shape {self.shape}"
            )
        y = np.array(self.values)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y  # a label in an array of its own is still a label
        if self.task == "regression":
            return None, y
        names = numbered_classes(y, "the dataset")
        return tuple(known.get(k, name) for k, name in enumerate(names)), y


def _read_labelled(dataset: Any, task: str, size: int) -> Reading:
    declared = task if metadata_of(dataset).get("task") else ""
    inputs, targets = _Inputs(size), _Targets(task, declared)
    stamps, target_stamps = [], []
    for index in range(size):
        value, target = item_of(dataset, index)
        inputs.add(index, value)
        targets.add(index, target)
        stamps.append(stamp(value))
        target_stamps.append(target_stamp(target))
    if inputs.bad:
        raise DatasetError(
            f"the dataset: item {inputs.first_bad} holds NaN or infinite values ({inputs.bad} such items)"
        )
    names, y = targets.settled(names_by_number(metadata_of(dataset)))
    task = "multilabel" if y.ndim == 2 and names is not None else task
    digest = _digest(task, names, stamps, target_stamps)
    found = (inputs.shape, inputs.uneven, inputs.x, inputs.dtype)
    return Reading(
        *(task, names, y, _counted(y, names), *found, stamps, target_stamps, digest), is_one_hot=targets.is_one_hot
    )


def _counted(y: NDArray[Any], names: Sequence[str] | None) -> list[int]:
    if names is None:
        return []
    if y.ndim == 2:
        return [int(count) for count in y.sum(axis=0)]
    counts: list[int] = np.bincount(y[y >= 0].astype(np.int64), minlength=len(names)).tolist()
    return counts


def _digest(task: str, names: Sequence[str] | None, *stamps: Sequence[bytes]) -> str:
    digest = hashlib.sha256(repr((task, names)).encode())
    for one in chain(*stamps):
        digest.update(one)
    return digest.hexdigest()


def _read_opaque(dataset: Any, task: str, size: int) -> Reading:
    known = names_by_number(metadata_of(dataset))
    names = tuple(known.get(k, str(k)) for k in range(max(known, default=-1) + 1))
    counts = np.zeros(len(names), np.int64)
    digest = hashlib.sha256(repr((task, names)).encode())
    stamps, target_stamps, shapes = [], [], []
    for index in range(size):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise DatasetError(f"item {index} is a {type(item).__name__}, not a tuple (input, target, metadata)")
        shapes.append(_shape(item[0]))
        labels = _labels(getattr(item[1], "labels", None))
        if (bad := labels[(labels < 0) | (labels >= len(names))]).size and names:
            raise DatasetError(f"item {index} has label {bad[0]}, outside 0 … {len(names) - 1}")
        if names:
            counts += np.bincount(labels, minlength=len(names))
        stamps.append(stamp(item[0]))
        target_stamps.append(target_stamp(item[1]))
        for part in plain(item[:2]):
            digest.update(part)
    other = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), None)
    uneven = None if other is None else f"item {other} has another shape than item 0"
    found = (shapes[0], uneven, None, None)
    return Reading(task, names, None, counts.tolist(), *found, stamps, target_stamps, digest.hexdigest())


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return tuple(array_of(value).shape)
    except (TypeError, ValueError):
        return ()


def _labels(value: Any) -> NDArray[np.int64]:
    labels = array_of([] if value is None else value)
    return labels.reshape(-1).astype(np.int64) if labels.dtype.kind in "buif" else np.empty(0, np.int64)
