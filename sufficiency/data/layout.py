"""Where an array of images has its channels: first, as models want them, or last, as TensorFlow has them."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError

Layout = Literal["auto", "chw", "hwc"]

_COLOURS = (1, 3, 4)
_MOST_BANDS = 32


def channels_first(x: NDArray[Any], layout: Layout, source: str) -> tuple[NDArray[Any], Description]:
    """Return images with their channels first, as a view, and what was done.

    Parameters
    ----------
    x : ndarray, shape (N, ...)
        Items of two dimensions are images of one channel where a layout is asked for; others are left as they are.
    layout : {"auto", "chw", "hwc"}
        Where the channels are; "auto" moves those that can only be last.

    Raises
    ------
    DatasetError
        For a layout that is asked for of items that are no images.
    """
    shape = x.shape[1:]
    if layout != "auto" and len(shape) not in (2, 3):
        raise DatasetError(
            f"{source}: layout={layout} is for images, but an item has the shape {_said(shape)}; leave layout out"
        )
    if layout != "auto" and len(shape) == 2:
        note = Remark("channel_added", f"{source}: items of {_said(shape)} are images of one channel")
        return x[:, None], Description((note,))
    if len(shape) != 3 or layout == "chw":
        return x, Description()
    if layout == "hwc" or _last(shape):
        moved = np.moveaxis(x, 3, 1)
        why = "as asked" if layout == "hwc" else "as their shape shows; layout=chw leaves them where they are"
        note = Remark(
            "channels_moved",
            f"{source}: the channels of its {_said(shape)} images are last, and were moved first ({why})",
        )
        return moved, Description((note,))
    if shape[0] in _COLOURS and shape[2] in _COLOURS:
        doubt = Remark(
            "channels_unclear",
            f"{source}: of {_said(shape)} the first number is taken for the channels; if the last is, set layout=hwc",
        )
        return x, Description(warnings=(doubt,))
    return x, Description()


def looks_like_an_image(shape: tuple[int, ...]) -> bool:
    """Return whether items of a shape are images: of one channel, or of channels that are first."""
    return (len(shape) == 2 and min(shape) > max(_COLOURS)) or (len(shape) == 3 and shape[0] <= _MOST_BANDS)


def looks_channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether items of a shape can only be images with their channels last."""
    return len(shape) == 3 and _last(shape)


def _last(shape: tuple[int, ...]) -> bool:
    height, width, channels = shape
    if height in _COLOURS:
        return False
    if channels in _COLOURS:
        return min(height, width) > channels
    # Bands of a satellite: nobody keeps 64 images of 64 × 13.
    return height == width > channels and channels <= _MOST_BANDS


def _said(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
