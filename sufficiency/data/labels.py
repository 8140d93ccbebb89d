"""Labels as whole numbers, and names for those that have none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError

MOST_CLASSES = 100_000


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
