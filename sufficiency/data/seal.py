"""Whether a dataset that is kept for the next cell is still what it was when it was read."""

import zlib
from typing import Any

import numpy as np

from sufficiency.data.arrays import StoredItems

_PART_BYTES = 1 << 24


class Seal:
    """What a dataset holds now, to be compared with what it holds later.

    Its arrays are read-only, but a tensor that shares their memory is not.

    Parameters
    ----------
    dataset : dataset
        Somebody's own is not looked into: it is read anew for each job.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset if isinstance(dataset, StoredItems) else None
        self._held = dict(vars(dataset)) if isinstance(dataset, StoredItems) else {}
        self._sums = {name: _sum(value) for name, value in self._held.items() if _is_array(value)}

    def mended(self) -> list[str]:
        """Have the dataset's attributes as they were; return the names of arrays that hold something else."""
        if self._dataset is None:
            return []
        now = vars(self._dataset)
        if any(now.get(name) is not value for name, value in self._held.items()) or now.keys() != self._held.keys():
            now.clear()
            now.update(self._held)
        return [name for name, known in self._sums.items() if _sum(self._held[name]) != known]


def _is_array(value: Any) -> bool:
    # What is mapped stays in its file, whose own stamp is looked at.
    return isinstance(value, np.ndarray) and not isinstance(value, np.memmap)


def _sum(array: np.ndarray[Any, Any]) -> int:
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    total = 0
    for start in range(0, len(flat), _PART_BYTES):
        total = zlib.crc32(flat[start : start + _PART_BYTES].data, total)
    return total
