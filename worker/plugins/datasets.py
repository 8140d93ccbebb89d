"""Loaders of datasets in common forms: scikit-learn's digits, NPZ archives, folders of images."""

import zipfile
import zlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from worker.plugins.arrays import ArrayDataset, DatasetError, numbered_classes, select
from worker.plugins.paths import resolve_inside

if TYPE_CHECKING:
    from PIL import Image

Start = Annotated[int, Field(ge=0)]
Limit = Annotated[int | None, Field(ge=1)]

DIGITS_TEST_ITEMS = 297
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def load_digits(
    split: Literal["train", "test"] = "train",
    test_fraction: Annotated[float | None, Field(ge=0.01, le=0.99)] = None,
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load scikit-learn's 8×8 handwritten digits: 1,500 real images to train on, 297 to test on.

    Parameters
    ----------
    split : {"train", "test"}
        A fixed, stratified split.
    test_fraction : float
        Share of the images in the test split, 297 of them where not given; give both splits the same.
    start, limit : int
        Take `limit` items from `start` on.
    """
    from sklearn.datasets import load_digits as load
    from sklearn.model_selection import train_test_split

    x, y = load(return_X_y=True)
    parts = train_test_split(x, y, test_size=test_fraction or DIGITS_TEST_ITEMS, random_state=0, stratify=y)
    x, y = (parts[0], parts[2]) if split == "train" else (parts[1], parts[3])
    x, y = select(x.reshape(-1, 1, 8, 8) / 16.0, y, start, limit)
    return ArrayDataset(x, y, [str(digit) for digit in range(10)], "digits")


def load_npz(path: str, start: Start = 0, limit: Limit = None, classes: list[str] | None = None) -> ArrayDataset:
    """Load arrays `x` (items first) and `y` (labels 0 … C−1) from an NPZ file.

    Parameters
    ----------
    path : str
        File inside a data root.
    start, limit : int
        Take `limit` items from `start` on.
    classes : list of str
        Class names; numbers up to the largest label where not given.
    """
    file = resolve_inside(path)
    try:
        with file.open("rb") as opened:  # NumPy would leave a damaged file open
            archive = np.load(opened, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DatasetError(f"{path} is a single array; save both as an archive: np.savez(file, x=..., y=...)")
            with archive:
                x, y = _member(archive, "x", path), _member(archive, "y", path)
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path} is not a readable NPZ file: {error}") from error
    if x.ndim == 0 or y.ndim == 0:
        raise DatasetError(f"{path}: x and y must hold one entry an item, got shapes {x.shape} and {y.shape}")
    if x.dtype.kind not in "buif" or y.dtype.kind not in "buif":
        raise DatasetError(f"{path}: x and y must be numeric, got {x.dtype} and {y.dtype}")
    if len(x) != len(y):
        raise DatasetError(f"{path} has {len(x)} items but {len(y)} labels")
    if classes is None:
        classes = numbered_classes(y, path)
    x, y = select(x, y, start, limit)
    return ArrayDataset(_as_unit(x), y, classes, path)


def _member(archive: Any, name: str, path: str) -> NDArray[Any]:
    if name not in archive:
        raise DatasetError(f"{path} has no array {name!r}; it has {', '.join(archive.files[:10]) or 'none'}")
    array: NDArray[Any] = archive[name]
    return array


def _as_unit(x: NDArray[Any]) -> NDArray[Any]:
    """Scale bytes to [0, 1]; leave anything else as it is."""
    return x.astype(np.float32) / 255.0 if x.dtype == np.uint8 else x


def load_image_folder(
    path: str,
    size: Annotated[int, Field(ge=1, le=1024)] = 32,
    grayscale: bool = False,
    classes: list[str] | None = None,
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load images from one folder a class: ``path/CLASS/*.png``.

    Parameters
    ----------
    path : str
        Folder inside a data root.
    size : int
        Images are resized to size × size.
    grayscale : bool
        One channel in place of three.
    classes : list of str
        Names of all classes, in order; those of the sub-folders where not given. For a split that lacks some of them.
    start, limit : int
        Take `limit` images from `start` on, in an order that mixes the classes and never changes.
    """
    from PIL import Image

    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise DatasetError(f"{path} has no sub-folders; it needs one a class")
    names = found if classes is None else classes
    if extra := [name for name in found if name not in names]:
        raise DatasetError(f"{path} has a folder {extra[0]!r} that is not among the classes {', '.join(names[:20])}")
    files = [
        (image, names.index(name))
        for name in found
        for image in sorted((folder / name).iterdir())
        if image.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise DatasetError(f"{path} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    order = np.random.default_rng(0).permutation(len(files))
    chosen, _ = select(order, order, start, limit)
    x = np.empty((len(chosen), 1 if grayscale else 3, size, size), np.float32)
    for row, index in enumerate(chosen):
        file = resolve_inside(str(files[index][0]))  # a link may lead out of the roots
        try:
            with Image.open(file) as image:
                pixels = _eight_bits(image).convert("L" if grayscale else "RGB").resize((size, size))
        except Exception as error:  # the decoders of damaged files raise nearly anything, SyntaxError among it
            raise DatasetError(f"{path}: {file.parent.name}/{file.name} is not a readable image: {error}") from error
        x[row] = np.asarray(pixels, np.float32).reshape(size, size, -1).transpose(2, 0, 1) / 255.0
    return ArrayDataset(x, np.array([files[index][1] for index in chosen], dtype=np.int64), names, path)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Return an image whose pixels have eight bits a channel; Pillow by itself would cut deeper ones off at white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are {image.mode!r}, of unknown range; save it with 8 or 16 bits a channel")
    return image
