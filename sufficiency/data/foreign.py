"""Anybody's dataset: read once as arrays, or described as it is where only its own strategies understand it."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import numbered_classes, of_rows

# Of what the items' targets are numbers of one shape.
ARRAY_TASKS = ("classification", "regression", "multilabel")

# By identity, since somebody's dataset need be neither hashable nor weakly referable.
# The dataset is kept with it, so that its id stays its own.
_materialised: "OrderedDict[int, tuple[Any, StoredItems]]" = OrderedDict()
_KEPT = 6


def materialise(dataset: Any) -> StoredItems:
    """Return any dataset of ``(array, target, ...)`` items as arrays, read once; one that is stored already, as it is.

    A target is a label, a one-hot label, rows of 0 and 1 where items have several labels, or a number where the
    dataset's `metadata` has ``"task": "regression"``.

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
        names, y = [str(k) for k in range(labels.shape[1])], of_rows(labels, _declared_task(dataset), "the dataset")
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


def _metadata(dataset: Any) -> Mapping[str, Any]:
    metadata = getattr(dataset, "metadata", None)
    return metadata if isinstance(metadata, Mapping) else {}


def _index2label(dataset: Any) -> Mapping[int, Any]:
    index2label = _metadata(dataset).get("index2label")
    return index2label if isinstance(index2label, Mapping) else {}


def _declared_task(dataset: Any) -> str:
    declared = str(_metadata(dataset).get("task") or "")
    plain = declared.lower().replace("-", "").replace("_", "").replace(" ", "")
    known = [task for task in ("multilabel", "classification", "regression") if task in plain]
    return known[0] if known else declared  # MAITE's users write image-classification too


def task_of(dataset: Any) -> str:
    """Return what a dataset is for: one of `ARRAY_TASKS`, or what only its own strategies understand.

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
    """Return a dataset as arrays, or as an opaque one where its task is none of `ARRAY_TASKS`."""
    if isinstance(dataset, StoredItems) or (task := task_of(dataset)) in ARRAY_TASKS:
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
