"""Datasets as arrays: what the loaders return, and what any other dataset is turned into once."""

import hashlib
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray


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

    Raises
    ------
    DatasetError
        For no items, unequal lengths, labels out of range, or values that are not finite.
    """

    def __init__(
        self, x: NDArray[Any], y: NDArray[Any], class_names: "tuple[str, ...] | list[str]", source: str = "the dataset"
    ) -> None:
        self.x = np.ascontiguousarray(x, dtype=np.float32)
        self.class_names = tuple(class_names)
        if len(x) != len(y):
            raise DatasetError(f"{source} has {len(x)} items but {len(y)} labels")
        if not len(x):
            raise DatasetError(f"{source} has no items; check start, limit and split")
        labels = np.asarray(y)
        if labels.ndim != 1 or not (np.issubdtype(labels.dtype, np.integer) or (labels == labels.astype(int)).all()):
            raise DatasetError(
                f"{source}: labels must be whole numbers in one dimension, got {labels.dtype} {labels.shape}"
            )
        self.y = labels.astype(np.int64)
        if (bad := np.flatnonzero((self.y < 0) | (self.y >= len(self.class_names)))).size:
            raise DatasetError(
                f"{source}: item {bad[0]} has label {self.y[bad[0]]}, outside 0 … {len(self.class_names) - 1}"
                f" ({bad.size} such items)"
            )
        if self.x.ndim < 2:
            raise DatasetError(f"{source}: items must have at least one dimension, got x of shape {self.x.shape}")
        flat = self.x.reshape(len(self.x), -1)
        if (bad := np.flatnonzero(~np.isfinite(flat).all(axis=1))).size:
            raise DatasetError(f"{source}: item {bad[0]} holds NaN or infinite values ({bad.size} such items)")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, int]]:
        # The end of the items must be an IndexError, or iterating over the dataset would never stop.
        one_hot = np.zeros(self.num_classes, dtype=np.float32)
        one_hot[self.y[index]] = 1.0
        return self.x[index], one_hot, {"id": int(index)}

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
        digest = hashlib.sha256(repr((self.x.shape, self.class_names)).encode())
        digest.update(self.x.data)
        digest.update(self.y.data)
        return digest.hexdigest()


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
        x = np.stack([np.asarray(item[0], dtype=np.float32) for item in items])
        labels = np.stack([np.asarray(item[1]) for item in items])
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise DatasetError(f"items must be (array, label or one-hot label, ...) of one shape: {error}") from error
    if labels.ndim == 2:
        names, y = [str(k) for k in range(labels.shape[1])], labels.argmax(axis=1)
    else:
        y = labels
        names = [str(k) for k in range(int(labels.max()) + 1 if len(labels) else 0)]
    index2label = getattr(dataset, "metadata", {}).get("index2label", {}) if hasattr(dataset, "metadata") else {}
    arrays = ArrayDataset(x, y, [str(index2label.get(k, name)) for k, name in enumerate(names)])
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
        For items of different shape, or test items of a class that the training split lacks.
    """
    first, second = materialise(train), materialise(test)
    if first.input_shape != second.input_shape:
        raise DatasetError(f"training items have shape {first.input_shape}, test items {second.input_shape}")
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
