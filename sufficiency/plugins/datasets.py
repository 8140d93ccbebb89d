"""Loaders of datasets in common forms: scikit-learn's digits, NPZ archives, folders of images."""

import zipfile
import zlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset, Task
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import numbered_classes
from sufficiency.data.mapped import MappedDataset
from sufficiency.data.paths import resolve_inside
from sufficiency.data.pixels import as_unit
from sufficiency.data.rows import chosen_rows, select
from sufficiency.data.suspicions import cut_off

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


def load_npz(
    path: str,
    start: Start = 0,
    limit: Limit = None,
    classes: list[str] | None = None,
    task: Task = "classification",
) -> ArrayDataset:
    """Load arrays `x` (items first) and `y` (labels 0 … C−1, or numbers to predict) from an NPZ file.

    Any other one-dimensional array of the same length is kept as metadata of the items, by which they can be grouped.

    Parameters
    ----------
    path : str
        File inside a data root.
    start, limit : int
        Take `limit` items from `start` on.
    classes : list of str
        Class names; numbers up to the largest label where not given.
    task : {"classification", "regression"}
        Whether `y` holds classes, or numbers to predict.
    """
    file = resolve_inside(path)
    try:
        with file.open("rb") as opened:  # NumPy would leave a damaged file open
            archive = np.load(opened, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DatasetError(f"{path} is a single array; save both as an archive: np.savez(file, x=..., y=...)")
            with archive:
                x, y = _member(archive, "x", path), _member(archive, "y", path)
                about = {name: _member(archive, name, path) for name in archive.files if name not in ("x", "y")}
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
    if classes is None and task == "classification":
        classes = numbered_classes(y, path)
    about = {name: values for name, values in about.items() if values.shape == (len(x),)}
    rows = chosen_rows(len(x), start, limit)
    about = {name: values[rows] for name, values in about.items()}
    names = _names(classes, task)
    cut = Description(warnings=tuple(cut_off(y, rows, names, path)))
    return ArrayDataset(as_unit(x[rows]), y[rows], names, path, item_metadata=about, description=cut)


def _names(classes: list[str] | None, task: Task) -> list[str] | None:
    if task == "regression" and classes is not None:
        raise DatasetError("a regression has no classes; leave them out, or make the task a classification")
    return classes


def load_npy(
    path: str,
    x: str = "x.npy",
    y: str = "y.npy",
    metadata: list[str] = [],  # noqa: B006  (never changed; shown in the schema)
    classes: list[str] | None = None,
    task: Task = "classification",
    start: Start = 0,
    limit: Limit = None,
) -> MappedDataset:
    """Load a large set from NPY files by memory map: items are read when they are trained on, bytes scaled to [0, 1].

    Parameters
    ----------
    path : str
        Folder inside a data root.
    x : str
        File in it with the items, first axis first, as `np.save` writes it.
    y : str
        File with one label 0 … C−1 an item, or one number to predict.
    metadata : list of str
        Further files with one value an item, by which the items can be grouped; called by their names without ``.npy``.
    classes : list of str
        Class names; numbers up to the largest label where not given.
    task : {"classification", "regression"}
        Whether `y` holds classes, or numbers to predict.
    start, limit : int
        Take `limit` items from `start` on.
    """
    store, targets = _mapped(path, x), np.asarray(_mapped(path, y))
    if store.ndim < 2 or targets.ndim != 1 or len(store) != len(targets):
        raise DatasetError(
            f"{path}: {x} must hold at least one number an item and {y} one for each, got shapes {store.shape} and "
            f"{targets.shape}"
        )
    if classes is None and task == "classification":
        classes = numbered_classes(targets, f"{path}/{y}")
    rows = chosen_rows(len(store), start, limit)
    about = {}
    for name in metadata:
        values = np.asarray(_mapped(path, name, numeric=False))
        if values.shape != (len(store),):
            raise DatasetError(f"{path}: {name} must hold one value an item, got shape {values.shape}")
        about[name.removesuffix(".npy")] = values[rows]
    names = _names(classes, task)
    cut = Description(warnings=tuple(cut_off(targets, rows, names, path)))
    return MappedDataset(store, rows, targets[rows], names, path, about, cut)


def _mapped(path: str, name: str, *, numeric: bool = True) -> NDArray[Any]:
    file = resolve_inside(f"{path}/{name}")
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}/{name} is not a readable NPY file: {error}; write it with np.save") from error
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"{path}/{name} is an archive; it must be one array, as np.save writes it")
    if numeric and array.dtype.kind not in "buif":
        raise DatasetError(f"{path}/{name} must be numeric, got {array.dtype}")
    return array


def _member(archive: Any, name: str, path: str) -> NDArray[Any]:
    if name not in archive:
        raise DatasetError(f"{path} has no array {name!r}; it has {', '.join(archive.files[:10]) or 'none'}")
    array: NDArray[Any] = archive[name]
    return array


def load_image_folder(
    path: str,
    size: Annotated[int, Field(ge=1, le=1024)] = 32,
    grayscale: bool = False,
    classes: list[str] | None = None,
    group_before: Annotated[str | None, Field(min_length=1)] = None,
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
    group_before : str
        Text that ends the part of a file's name by which images belong together: with "_", ``patient7_left.png`` and
        ``patient7_right.png`` are in group ``patient7``. A split by ``group`` then keeps them on one side.
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
    about = {"file": np.array([f"{files[index][0].parent.name}/{files[index][0].name}" for index in chosen])}
    if group_before is not None:
        about["group"] = np.array([files[index][0].stem.split(group_before)[0] for index in chosen])
    y = np.array([files[index][1] for index in chosen], dtype=np.int64)
    return ArrayDataset(x, y, names, path, item_metadata=about)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Return an image whose pixels have eight bits a channel; Pillow by itself would cut deeper ones off at white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are {image.mode!r}, of unknown range; save it with 8 or 16 bits a channel")
    return image
