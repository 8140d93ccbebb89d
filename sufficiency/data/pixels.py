"""Pixels whose type says what their range is: bytes, and images of 16 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.layout import looks_like_an_image


def as_unit(x: NDArray[Any]) -> NDArray[Any]:
    """Scale bytes, and images of unsigned 16 bits, to [0, 1]; leave anything else as it is.

    Parameters
    ----------
    x : ndarray, shape (N, ...)
        Two numbers an item may be anything, so that only what has the shape of images is taken for 16-bit pixels.
    """
    if has_a_range(x):
        return x.astype(np.float32) / np.float32(np.iinfo(x.dtype).max)
    return x


def has_a_range(x: NDArray[Any]) -> bool:
    """Return whether the type of an array says what its pixels' range is."""
    if x.dtype.kind != "u":
        return False
    return x.dtype.itemsize == 1 or (x.dtype.itemsize == 2 and looks_like_an_image(x.shape[1:]))
