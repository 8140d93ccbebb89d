"""An array that is mapped from a file, and that is pickled as its place there."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FileMap:
    """An array whose numbers stay in a file, in another process too.

    NumPy pickles a memory map with all that is mapped, so that each spawned worker of a DataLoader would hold a copy of
    a set that is larger than memory (findings/numpy-memory-map-is-pickled-whole.sh).

    Parameters
    ----------
    array : ndarray
        A memory map, or a view of one.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self._array.shape

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, at: Any) -> Any:
        return self._array[at]

    def __reduce__(self) -> tuple[Any, ...]:
        root: Any = self._array
        while root is not None and not isinstance(getattr(root, "base", None), mmap.mmap):
            root = getattr(root, "base", None)
        if not isinstance(root, np.memmap) or root.filename is None:
            return FileMap, (np.asarray(self._array),)
        offset = root.offset + _address(self._array) - _address(root)
        return _mapped, (Path(root.filename), self._array.dtype, self._array.shape, self._array.strides, offset)


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _mapped(file: Path, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> FileMap:
    whole = np.memmap(file, np.uint8, mode="r")
    return FileMap(np.ndarray(shape, dtype, whole, offset, strides))
