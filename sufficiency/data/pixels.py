"""Pixels on one scale."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_unit(x: NDArray[Any]) -> NDArray[Any]:
    """Scale bytes to [0, 1]; leave anything else as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x
