"""Which test items a model was right about, a bit an item."""

import base64

import numpy as np
from numpy.typing import NDArray

from sufficiency.schemas.work import ItemMarks


def pack(right: NDArray[np.bool_]) -> ItemMarks:
    """Return which items were right, a bit an item."""
    return ItemMarks(len(right), base64.b64encode(np.packbits(right).tobytes()).decode("ascii"))


def unpack(marks: ItemMarks) -> NDArray[np.bool_]:
    """Return what `pack` was given."""
    bits = np.frombuffer(base64.b64decode(marks.bits), dtype=np.uint8)
    return np.unpackbits(bits, count=marks.items).astype(np.bool_)
