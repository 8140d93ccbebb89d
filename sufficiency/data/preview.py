"""A picture of some of a dataset's items: for each class a row of them."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems

SIDE = 40
MOST_ROWS, COLUMNS = 12, 10
_LABEL_WIDTH, _GAP = 90, 3
_PAPER, _INK, _BOX = (255, 255, 255), (60, 60, 60), (214, 40, 40)


def contact_sheet(dataset: Any) -> bytes | None:
    """Return a PNG of the first items of each class, or None where the items are no images.

    Boxes of an object detection dataset are drawn. The number of items that are read is small and fixed, whatever the
    dataset's size.
    """
    from PIL import Image, ImageDraw

    rows = [(label, pictures) for label, pictures in _rows(dataset) if pictures]
    if not rows:
        return None
    width = _LABEL_WIDTH + COLUMNS * (SIDE + _GAP)
    sheet = Image.new("RGB", (width, len(rows) * (SIDE + _GAP) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, (label, pictures) in enumerate(rows):
        top = _GAP + k * (SIDE + _GAP)
        draw.text((_GAP, top + SIDE // 2 - 6), label if len(label) < 15 else f"{label[:13]}…", fill=_INK)
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (_LABEL_WIDTH + column * (SIDE + _GAP), top))
    out = io.BytesIO()
    # A palette makes the file a third as large, and at this size nobody sees it.
    sheet.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(out, "PNG", optimize=True)
    return out.getvalue()


def _rows(dataset: Any) -> Iterator[tuple[str, list[Any]]]:
    if not isinstance(dataset, StoredItems):
        # Somebody's own: the first items in their order, which is all that can be had without reading it whole.
        chosen = range(min(len(dataset), 4 * COLUMNS))
        pictures = [picture for index in chosen if (picture := _picture(dataset[index])) is not None]
        for k in range(0, len(pictures), COLUMNS):
            yield f"items {k} …", pictures[k : k + COLUMNS]
        return
    if not _is_image(dataset.input_shape):
        return
    classes: Sequence[str] = dataset.class_names or ("",)
    for k, label in enumerate(classes[:MOST_ROWS]):
        if dataset.task == "multilabel":
            of_class = np.flatnonzero(dataset.y[:, k])
        else:
            of_class = np.flatnonzero(dataset.y == k) if dataset.class_names else np.arange(len(dataset))
        yield label, [_drawn(item) for item in dataset.take(of_class[:COLUMNS])]


def _is_image(shape: Sequence[int]) -> bool:
    return len(shape) in (2, 3) and min(shape[-2:]) >= 4 and (len(shape) == 2 or shape[0] in (1, 3, 4))


def _picture(item: Any) -> Any:
    try:
        pixels = np.asarray(item[0], dtype=np.float32)
    except (TypeError, ValueError):
        return None
    if pixels.ndim == 3 and pixels.shape[0] not in (1, 3, 4) and pixels.shape[2] in (1, 3, 4):
        pixels = pixels.transpose(2, 0, 1)
    return _drawn(pixels, getattr(item[1], "boxes", None)) if _is_image(pixels.shape) else None


def _drawn(pixels: NDArray[np.float32], boxes: Any = None) -> Any:
    from PIL import Image, ImageDraw

    image: NDArray[Any] = np.nan_to_num(pixels[None] if pixels.ndim == 2 else pixels[:3])
    # Bytes and unit floats keep their brightness; anything else, such as standardised pixels, fills the range.
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 255:
        image = (image - low) / max(high - low, 1e-12)
    elif high > 1:
        image = image / 255
    height, width = image.shape[1:]
    shown = Image.fromarray((np.broadcast_to(image, (3, height, width)).transpose(1, 2, 0) * 255).astype(np.uint8))
    scale = SIDE / max(height, width)
    shown = shown.resize((max(1, round(width * scale)), max(1, round(height * scale))))
    if boxes is not None:
        draw = ImageDraw.Draw(shown)
        for x0, y0, x1, y1 in np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale:
            draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=_BOX)
    return shown
