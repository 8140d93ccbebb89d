"""Datasets as arrays: what the loaders return, and what any other dataset is turned into once."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 100_000


class DatasetError(ValueError):
    """Data that cannot be used; the message says what is wrong and where."""


class ArrayDataset:
    """Items and labels in two arrays; an item reads as ``(x, one-hot label, {"id": index})``, as DataEval has it.

    Parameters
    ----------
    x : ndarray of float32, shape (N, ...)
    y : ndarray of int64, shape (N,)
        Classes, 0 … C−1.
    class_names : sequence of str, length C
    source : str
        What to call the data in an error.
    feature_names : sequence of str, optional
        What each number of an item is, where that is known: two splits must agree on it.

    Raises
    ------
    DatasetError
        For no items, unequal lengths, labels out of range, or values that are not finite.
    """

    def __init__(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        class_names: Sequence[str],
        source: str = "the dataset",
        feature_names: Sequence[str] = (),
    ) -> None:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
            self.x = np.ascontiguousarray(x, dtype=np.float32)
        self.class_names = tuple(class_names)
        self.feature_names = tuple(feature_names)
        if len(x) != len(y):
            raise DatasetError(f"{source} has {len(x)} items but {len(y)} labels")
        if not len(x):
            raise DatasetError(f"{source} has no items; check start, limit and split")
        labels = whole_labels(y, source)
        if (bad := np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))).size:
            raise DatasetError(
                f"{source}: item {bad[0]} has label {labels[bad[0]]}, outside 0 … {len(self.class_names) - 1}"
                f" ({bad.size} such items)"
            )
        self.y = np.ascontiguousarray(labels, dtype=np.int64)
        if self.x.ndim < 2 or not self.x[0].size:
            raise DatasetError(f"{source}: an item must hold at least one number, got x of shape {self.x.shape}")
        flat = self.x.reshape(len(self.x), -1)
        if (bad := np.flatnonzero(~np.isfinite(flat).all(axis=1))).size:
            raise DatasetError(f"{source}: item {bad[0]} holds NaN or infinite values ({bad.size} such items)")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, int]]:
        # The end of the items must be an IndexError, or iterating over the dataset would never stop.
        one_hot = np.zeros(self.num_classes, dtype=np.float32)
        one_hot[self.y[index]] = 1.0
        # A copy: a strategy that works on its item in place must not change the dataset for the next cell.
        return self.x[index].copy(), one_hot, {"id": int(index)}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self.x.shape[1:])

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's description as DataEval and MAITE read it."""
        return {"id": "sufficiency", "index2label": dict(enumerate(self.class_names))}

    def fingerprint(self) -> str:
        """Return the SHA-256 of items, labels and class names."""
        named = (self.feature_names,) if self.feature_names else ()
        digest = hashlib.sha256(repr((self.x.shape, self.class_names, *named)).encode())
        digest.update(self.x.data)
        digest.update(self.y.data)
        return digest.hexdigest()


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
_materialised: "OrderedDict[int, tuple[Any, ArrayDataset]]" = OrderedDict()
_KEPT = 6


def materialise(dataset: Any) -> ArrayDataset:
    """Return any dataset of ``(image, label or one-hot label, ...)`` items as arrays, read once.

    Raises
    ------
    DatasetError
        For a dataset without a length, or items of another or of unequal shape.
    """
    if isinstance(dataset, ArrayDataset):
        return dataset
    if (known := _materialised.get(id(dataset))) is not None:
        return known[1]
    try:
        items = [dataset[index] for index in range(len(dataset))]
        if not items:
            raise DatasetError("the dataset has no items")
        x = np.stack([np.asarray(item[0], dtype=np.float32) for item in items])
        labels = np.stack([np.asarray(item[1]) for item in items])
    except DatasetError:
        raise
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise DatasetError(f"items must be (array, label or one-hot label, ...) of one shape: {error}") from error
    if labels.ndim == 2 and labels.shape[1] > 1:
        # Probabilities will do as well, but a row must say something.
        if (bad := np.flatnonzero(~(np.isfinite(labels).all(axis=1) & (labels > 0).any(axis=1)))).size:
            raise DatasetError(f"the dataset: item {bad[0]} has the label {labels[bad[0]]}, which names no class")
        names, y = [str(k) for k in range(labels.shape[1])], labels.argmax(axis=1)
    else:
        y = labels[:, 0] if labels.ndim == 2 else labels  # a label in an array of its own is still a label
        names = numbered_classes(y, "the dataset")
    metadata = getattr(dataset, "metadata", None)
    index2label = metadata.get("index2label") if isinstance(metadata, Mapping) else None
    known_names = index2label if isinstance(index2label, Mapping) else {}
    arrays = ArrayDataset(x, y, [str(known_names.get(k, name)) for k, name in enumerate(names)])
    _materialised[id(dataset)] = (dataset, arrays)
    while len(_materialised) > _KEPT:
        _materialised.popitem(last=False)
    return arrays


def select(x: NDArray[Any], y: NDArray[Any], start: int, limit: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return `limit` items from `start` on."""
    if start < 0 or (limit is not None and limit < 1):
        raise DatasetError(f"start must be 0 or more and limit 1 or more; got start={start}, limit={limit}")
    stop = None if limit is None else start + limit
    return x[start:stop], y[start:stop]


def verify_splits(train: Any, test: Any) -> tuple[dict[str, Any], str]:
    """Check that two splits belong together; return what is in them, and their fingerprint.

    Raises
    ------
    DatasetError
        For items of different shape or different features, or test items of a class that the training split lacks.
    """
    first, second = materialise(train), materialise(test)
    if first.input_shape != second.input_shape:
        raise DatasetError(f"training items have shape {first.input_shape}, test items {second.input_shape}")
    if first.feature_names and second.feature_names and first.feature_names != second.feature_names:
        pairs = zip(first.feature_names, second.feature_names, strict=True)
        at, (ours, theirs) = next((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1])
        raise DatasetError(
            f"feature {at} is {ours!r} in the training split and {theirs!r} in the test split; name the features in "
            "one order, and where they are categories, split one file"
        )
    if unknown := [name for name in second.class_names if name not in first.class_names]:
        raise DatasetError(f"the test split has classes that the training split lacks: {', '.join(unknown[:5])}")
    if first.class_names[: second.num_classes] != second.class_names:
        raise DatasetError("the two splits number their classes differently; give both the same classes")

    def counts(split: ArrayDataset) -> dict[str, Any]:
        return {"size": len(split), "class_counts": np.bincount(split.y, minlength=first.num_classes).tolist()}

    info = {
        "train": counts(first),
        "test": counts(second),
        "input_shape": list(first.input_shape),
        "class_names": list(first.class_names),
    }
    digest = hashlib.sha256(f"{first.fingerprint()}{second.fingerprint()}".encode())
    return info, digest.hexdigest()
