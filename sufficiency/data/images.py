"""One decoding of pictures for every loader: as a viewer shows them, on a scale of 0 to 1, and what that took."""

import io
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError

if TYPE_CHECKING:
    from PIL import Image

Background = Annotated[str, Field(description="a colour's name, or #rrggbb")]

_ORIENTATION = 0x0112  # EXIF's and TIFF's tag
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
# Pillow gives the pixels of these files as 32-bit integers, but they hold 16 bits (PPM's are scaled to them).
_DEEP_FORMATS = {"PNG", "PPM", "JPEG2000"}


@dataclass
class _Seen:
    """How many pictures needed what."""

    all: int = 0
    turned: int = 0
    composed: int = 0
    blank: int = 0
    deep: int = 0
    unbounded: int = 0
    more_frames: int = 0
    inks: int = 0
    resized: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)


class Decoder:
    """Turns pictures into arrays, each as a viewer shows it.

    A turn that EXIF asks for is made; what is transparent shows the background; pixels of 8 and 16 bits are scaled by
    the range of their type. Pixels that are floats or 32-bit integers have no range of their own: they stay what they
    are, and `description` has them scaled by the training split's when the two splits are brought together.

    Parameters
    ----------
    size : int or None
        Pictures are resized to size × size; None leaves them as large as they are.
    grayscale : bool
        One channel in place of three; None takes as many as the picture has.
    background : str
        Colour behind what is transparent.

    Raises
    ------
    DatasetError
        For a background that is no colour.
    """

    def __init__(self, size: int | None, grayscale: bool | None = False, background: str = "white") -> None:
        from PIL import ImageColor

        self._size, self._grayscale, self._background = size, grayscale, background
        self._seen = _Seen()
        try:
            self._paper = ImageColor.getrgb(background)[:3]
        except ValueError as error:
            raise DatasetError(
                f"the background must be a colour, such as white, black or #ff8800, not {background!r}"
            ) from error

    def __call__(self, image: "Image.Image") -> NDArray[np.float32]:
        """Return a picture's pixels, shape (channels, height, width).

        Raises
        ------
        Exception
            Whatever Pillow's decoder of a damaged file raises; ValueError for pixels that are NaN or infinite.
        """
        seen = self._seen
        several = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
        white_is_zero = image.mode.startswith("I;16") and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO
        image.load()
        turned = _upright(image)
        seen.all, seen.turned = seen.all + 1, seen.turned + (turned is not image)
        seen.more_frames += several
        seen.sizes.add(turned.size)
        if turned.mode[0] in "IF":
            full = _range_of(image)
            return self._deep(turned, full, inverted=white_is_zero)
        return self._eight_bits(turned)

    def read(self, content: bytes) -> NDArray[np.float32]:
        """Return the pixels of a picture's file."""
        from PIL import Image, UnidentifiedImageError

        if not content:
            raise ValueError("it is empty")
        try:
            opened = Image.open(io.BytesIO(content))
        except UnidentifiedImageError as error:  # which speaks of the place in memory
            raise ValueError(f"it is no image that Pillow reads; it begins with {content[:8]!r}") from error
        with opened as image:
            return self(image)

    def description(self, source: str) -> Description:
        """Return what was done to the pictures so far.

        Raises
        ------
        DatasetError
            Where some of them have a range and others have none.
        """
        seen = self._seen
        if seen.unbounded and seen.unbounded < seen.all:
            raise DatasetError(
                f"{source}: {seen.unbounded} of {seen.all} images hold floats or 32-bit integers, which have no range, "
                "beside others of 8 or 16 bits; save all of them alike"
            )
        said = [
            (seen.turned, "images_turned", "are turned as their EXIF tag says"),
            (seen.composed, "images_composed", f"are transparent, and lie on a background of {self._background}"),
            (seen.inks, "images_converted", "are in inks or another colour space, and become RGB"),
            (seen.deep, "images_deep", "have 16 bits, and are scaled by 16 bits' range"),
            (seen.more_frames, "images_frames", "have several frames, of which the first is read"),
            (seen.resized, "images_resized", self._resizing()),
        ]
        notes = [Remark(code, f"{source}: {n} of {seen.all} images {what}") for n, code, what in said if n]
        warnings = []
        if seen.blank:
            warnings.append(
                Remark(
                    "images_blank",
                    f"{source}: {seen.blank} of {seen.all} images are drawn in their transparency, and are all "
                    f"{self._background} on a background of {self._background}; choose another background",
                )
            )
        return Description(tuple(notes), tuple(warnings), scale="range" if seen.unbounded else "auto")

    def _resizing(self) -> str:
        low, high = (f(self._seen.sizes) for f in (min, max)) if self._seen.sizes else ((0, 0), (0, 0))
        of = f"{low[0]}×{low[1]}" if low == high else f"{low[0]}×{low[1]} … {high[0]}×{high[1]}"
        return f"are resized to {self._size}×{self._size} (all are {of})"

    def _channels(self, image: "Image.Image") -> int:
        if self._grayscale is None:
            return 1 if image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF" else 3
        return 1 if self._grayscale else 3

    def _eight_bits(self, image: "Image.Image") -> NDArray[np.float32]:
        channels = self._channels(image)
        image = self._composed(image)
        self._seen.inks += image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
        image = _by_profile(image).convert("L" if channels == 1 else "RGB")
        if self._size is not None and image.size != (self._size, self._size):
            self._seen.resized += 1
            image = image.resize((self._size, self._size))
        pixels = np.asarray(image, np.float32) / 255.0
        return np.ascontiguousarray(pixels.reshape(image.height, image.width, -1).transpose(2, 0, 1))

    def _composed(self, image: "Image.Image") -> "Image.Image":
        """Return a picture without transparency; one that has none as it is."""
        from PIL import Image

        if not image.has_transparency_data:
            return image
        coloured = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        low, high = coloured.getchannel("A").getextrema()
        if low == 255:
            return coloured.convert("RGB") if image.mode in ("La", "RGBa") else image
        self._seen.composed += 1
        shown = Image.alpha_composite(Image.new("RGBA", image.size, (*self._paper, 255)), coloured).convert("RGB")
        self._seen.blank += low != high and not np.ptp(np.asarray(shown), axis=(0, 1)).any()
        return shown

    def _deep(self, image: "Image.Image", full: float | None, *, inverted: bool) -> NDArray[np.float32]:
        from PIL import Image

        pixels = np.asarray(image, dtype=np.float64)
        if not np.isfinite(pixels).all():
            raise ValueError("it holds NaN or infinite pixels")
        transparent = pixels == image.info["transparency"] if isinstance(image.info.get("transparency"), int) else None
        if full is None:
            self._seen.unbounded += 1
        else:
            self._seen.deep += 1
            pixels = 1 - pixels / full if inverted else pixels / full
            if transparent is not None and transparent.any():
                self._seen.composed += 1
                paper = Image.new("RGB", (1, 1), self._paper).convert("L").getpixel((0, 0))
                pixels[transparent] = float(np.asarray(paper)) / 255
        low, high = pixels.min(), pixels.max()
        if self._size is not None and image.size != (self._size, self._size):
            self._seen.resized += 1
            resized = Image.fromarray(pixels.astype(np.float32)).resize((self._size, self._size))
            pixels = np.asarray(resized, dtype=np.float64).clip(low, high)  # as 8 bits are, where a filter overshoots
        return np.repeat(pixels[None], self._channels(image), axis=0).astype(np.float32)


def is_picture(value: object) -> bool:
    """Return whether something is a picture of Pillow's; without a need of Pillow where there is none."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged tags are no damage to the picture, and viewers show it
        return image
    return ImageOps.exif_transpose(image) if orientation in range(2, 9) else image


def _range_of(image: "Image.Image") -> float | None:
    """Return the largest value that a deep picture's type has; None where that says nothing."""
    if image.mode.startswith("I;16"):
        return 4095.0 if _tag(image, _BITS) == (12,) else 65535.0
    return 65535.0 if image.mode == "I" and image.format in _DEEP_FORMATS else None


def _tag(image: "Image.Image", number: int) -> object:
    return getattr(image, "tag_v2", {}).get(number)


def _by_profile(image: "Image.Image") -> "Image.Image":
    """Return a picture of a colour space that needs a profile as RGB; as it is, where its profile is no good."""
    from PIL import ImageCms

    own = image.info.get("icc_profile") if image.mode == "CMYK" else None
    if own is None and image.mode != "LAB":
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(own)) if own else ImageCms.createProfile("LAB")
        made = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        made = None
    if made is None and image.mode == "LAB":
        raise ValueError("its pixels are LAB, which could not be turned into RGB; save it as RGB")
    return image if made is None else made
