"""Which items of a file there are: those from `start` on, `limit` of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError


def select(x: NDArray[Any], y: NDArray[Any], start: int, limit: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return `limit` items from `start` on."""
    rows = chosen_rows(len(x), start, limit)
    return x[rows], y[rows]


def chosen_rows(size: int, start: int, limit: int | None) -> NDArray[np.int64]:
    """Return the numbers of `limit` items from `start` on."""
    if start < 0 or (limit is not None and limit < 1):
        raise DatasetError(f"start must be 0 or more and limit 1 or more; got start={start}, limit={limit}")
    return np.arange(size)[start : None if limit is None else start + limit]
