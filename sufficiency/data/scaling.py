"""Pixels without a range of their own, floats and wide integers: scaled by what the training split has, or said.

What is learnt is learnt of the whole training split, never of one image, and never of the test split.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description, Remark
from sufficiency.data.layout import looks_like_an_image

# Standardised pixels, and small counts, train well as they are.
_SMALL = 32.0
_BYTES = 255.0
_DARK = 1 / 8
_FEWEST_PIXELS = 16
_PICTURE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Scaling:
    """How pixels are brought to [0, 1]: ``(value - offset) / width``."""

    offset: float
    width: float

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the scaled values."""
        return (np.asarray(values, dtype=np.float64) - self.offset) / self.width


def scaled(train: StoredItems, test: StoredItems) -> tuple[StoredItems, StoredItems]:
    """Return both splits with their pixels scaled by the training split's range, where they need it.

    A dataset's own `description.scale` says how: "auto" for images beyond what a model trains well on, "range" for any
    that are not within [0, 1], "none" never.
    """
    how = train.description.scale
    if how == "none":
        return train, test
    if how != "range" and not looks_like_an_image(train.input_shape):
        return _flat(train), test
    low, high = _range_of(train)
    if low >= 0 and high <= 1:
        return (train.described(_dark(train.source, high)), test) if high < _DARK else (train, test)
    if how == "auto" and low >= -_SMALL and high <= _SMALL:
        said = f"its pixels, {low:g} … {high:g}, are given as they are; scale=range puts them on 0 … 1"
        return train.described(Description((Remark("pixels_unscaled", f"{train.source}: {said}"),))), test
    scaling = _scaling_of(train, low, high)
    if scaling is None:
        doubt = Remark(
            "pixels_unscaled",
            f"{train.source}: its values, {low:g} … {high:g}, are given as they are, for it is not clear that they are "
            "pixels; scale=range puts them on 0 … 1, standardise every feature at mean 0 and SD 1",
        )
        return train.described(Description(warnings=(doubt,))), test
    by = "by bytes' range" if scaling.width == _BYTES and not scaling.offset else "by the training split's range"
    spread = f"{scaling.offset:g} … {scaling.offset + scaling.width:g}"
    note = Remark("pixels_scaled", f"{train.source}: its pixels, {low:g} … {high:g}, are scaled {by}, {spread}")
    done = Description((note,))
    return train.rescaled(scaling).described(done), test.rescaled(scaling).described(done)


def _scaling_of(train: StoredItems, low: float, high: float) -> Scaling | None:
    """Return how pixels of a range are scaled; None where they may be no pixels at all."""
    shape = train.input_shape
    picture = len(shape) == 3 and shape[0] in _PICTURE_CHANNELS
    square = len(shape) == 2 and shape[0] == shape[1]
    asked = train.description.scale == "range"
    if not asked and low >= 0 and high <= _BYTES and (picture or square or _whole(train)):
        return Scaling(0.0, _BYTES)
    if not (asked or picture or square) or high == low:
        return None
    return Scaling(0.0, high) if low >= 0 else Scaling(low, high - low)


def _flat(train: StoredItems) -> StoredItems:
    """Return the split, with a warning where items of one dimension may be pixels that nobody scaled."""
    if len(train.input_shape) != 1 or train.feature_names or train.input_shape[0] < _FEWEST_PIXELS:
        return train
    low, high = _range_of(train)
    if high <= _SMALL or low < 0 or not _whole(train):
        return train
    said = f"its whole numbers, {low:g} … {high:g}, are given as they are; if they are pixels, scale=range puts them on"
    doubt = f"{train.source}: {said} 0 … 1; standardise puts every feature at mean 0 and SD 1"
    return train.described(Description(warnings=(Remark("pixels_unscaled", doubt),)))


def _range_of(items: StoredItems) -> tuple[float, float]:
    ends = [(float(part.min()), float(part.max())) for _, part in items.rows_in_parts()]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _whole(items: StoredItems) -> bool:
    return all(np.array_equal(part, np.floor(part)) for _, part in items.rows_in_parts())


def _dark(source: str, high: float) -> Description:
    doubt = Remark(
        "pixels_dark",
        f"{source}: its pixels use the range's lowest part alone, 0 … {high:.3g} of 1, as 12 bits in 16 do; "
        "scale=range or standardise spreads them",
    )
    return Description(warnings=(doubt,))
