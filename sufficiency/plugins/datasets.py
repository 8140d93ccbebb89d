"""Loaders of datasets in common forms: scikit-learn's digits, and arrays in NPZ and NPY files."""

import zipfile
import zlib
from dataclasses import replace
from tokenize import TokenError
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset, Task
from sufficiency.data.description import Description, Remark, Scale
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import targets_of
from sufficiency.data.layout import Layout, channels_first
from sufficiency.data.mapped import MappedDataset
from sufficiency.data.paths import resolve_inside
from sufficiency.data.pixels import as_unit
from sufficiency.data.rows import chosen_rows, select
from sufficiency.data.suspicions import cut_off
from sufficiency.first_bytes import NPY, ZIP, begins_as, mistaken_file
from sufficiency.plugins.digits import read_digits, stratified

Start = Annotated[int, Field(ge=0)]
Limit = Annotated[int | None, Field(ge=1)]

DIGITS_TEST_ITEMS = 297
# What NumPy raises for a damaged file: it reads the head of an array as a piece of Python, takes its word for the size,
# and leaves archives to others.
_DAMAGED = (
    *(OSError, ValueError, EOFError, SyntaxError, TokenError, MemoryError),
    *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
)


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
    x, y = read_digits()
    train, test = stratified(y, test_fraction or DIGITS_TEST_ITEMS)
    part = train if split == "train" else test
    x, y = select(x[part].reshape(-1, 1, 8, 8) / 16.0, y[part], start, limit)
    return ArrayDataset(x, y, [str(digit) for digit in range(10)], "digits")


def load_npz(
    path: str,
    start: Start = 0,
    limit: Limit = None,
    classes: list[str] | None = None,
    task: Task = "classification",
    x: str = "x",
    y: str = "y",
    layout: Layout = "auto",
    scale: Scale = "auto",
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
        Class names, in order; numbers up to the largest label where not given, the texts themselves where labels are
        text.
    task : {"classification", "regression", "multilabel"}
        Whether `y` holds classes, numbers to predict, or rows of 0 and 1, one number a class, of which several may be
        1; a classification whose rows have several ones is taken for the latter.
    x, y : str
        What the arrays are called in the file, such as ``x_train`` and ``y_train``.
    layout : {"auto", "chw", "hwc"}
        Where images have their channels: first, or last, from where they are moved first; "auto" moves those whose
        shape can only mean that. With "chw" or "hwc", images without channels become images of one channel.
    scale : {"auto", "range", "none"}
        How pixels are brought to [0, 1]: bytes and 16-bit images by the range of their type, other images beyond what
        trains well by the training split's range; "range" any numbers by the training split's range; "none" not at all.
    """
    file = resolve_inside(path)
    left_out: list[Remark] = []
    try:
        with file.open("rb") as opened:  # NumPy would leave a damaged file open
            archive = np.load(opened, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DatasetError(f"{path} is a single array; save both as an archive: np.savez(file, x=..., y=...)")
            with archive:
                items, targets = (_member(archive, name, path, what) for name, what in ((x, "x"), (y, "y")))
                about = _metadata(archive, {x, y}, path, left_out)
    except DatasetError:
        raise
    except _DAMAGED as error:
        said = mistaken_file(file, ZIP) or (_NO_ARRAYS if _of_objects(error) else error)
        raise DatasetError(f"{path} is not a readable NPZ file: {said}") from error
    if items.ndim == 0 or targets.ndim == 0:
        raise DatasetError(f"{path}: x and y must hold one entry an item, got shapes {items.shape} and {targets.shape}")
    if items.dtype.kind not in "buif":
        raise DatasetError(f"{path}: {x} must be numeric, got {items.dtype}")
    if len(items) != len(targets):
        last = f"; its last axis has {len(targets)}: save np.moveaxis({x}, -1, 0)"
        flat = f"; {y} has the shape {targets.shape}: save {y}.ravel()"
        more = flat if targets.size == len(items) else last if items.shape[-1] == len(targets) else ""
        raise DatasetError(f"{path} has {len(items)} items but {len(targets)} labels{more}")
    labels, names = targets_of(targets, classes, task, path)
    about = {name: values for name, values in about.items() if values.shape == (len(items),)}
    rows = chosen_rows(len(items), start, limit)
    about = {name: values[rows] for name, values in about.items()}
    items, description = channels_first(items[rows], layout, path)
    description = replace(description, notes=(*description.notes, *left_out), scale=scale)
    description = description.joined(Description(warnings=tuple(cut_off(labels, rows, names, path))))
    pixels = as_unit(items) if scale == "auto" else items
    return ArrayDataset(pixels, labels[rows], names, path, item_metadata=about, description=description)


def load_npy(
    path: str,
    x: str = "x.npy",
    y: str = "y.npy",
    metadata: list[str] = [],  # noqa: B006  (never changed; shown in the schema)
    classes: list[str] | None = None,
    task: Task = "classification",
    start: Start = 0,
    limit: Limit = None,
    layout: Layout = "auto",
    scale: Scale = "auto",
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
        Class names, in order; numbers up to the largest label where not given, the texts themselves where labels are
        text.
    task : {"classification", "regression", "multilabel"}
        Whether `y` holds classes, numbers to predict, or rows of 0 and 1, one number a class, of which several may be
        1; a classification whose rows have several ones is taken for the latter.
    start, limit : int
        Take `limit` items from `start` on.
    layout : {"auto", "chw", "hwc"}
        Where images have their channels: first, or last, from where they are moved first; "auto" moves those whose
        shape can only mean that. With "chw" or "hwc", images without channels become images of one channel.
    scale : {"auto", "range", "none"}
        How pixels are brought to [0, 1]: bytes and 16-bit images by the range of their type, other images beyond what
        trains well by the training split's range; "range" any numbers by the training split's range; "none" not at all.
    """
    store, targets = _mapped(path, x), np.asarray(_mapped(path, y, numeric=False))
    if store.ndim < 2 or targets.ndim == 0 or len(store) != len(targets):
        raise DatasetError(
            f"{path}: {x} must hold at least one number an item and {y} one for each, got shapes {store.shape} and "
            f"{targets.shape}"
        )
    labels, names = targets_of(targets, classes, task, f"{path}/{y}")
    rows = chosen_rows(len(store), start, limit)
    about = {}
    for name in metadata:
        values = np.asarray(_mapped(path, name, numeric=False))
        if values.shape != (len(store),):
            raise DatasetError(f"{path}: {name} must hold one value an item, got shape {values.shape}")
        about[name.removesuffix(".npy")] = values[rows]
    store, description = channels_first(store, layout, path)
    cut = Description(warnings=tuple(cut_off(labels, rows, names, path)))
    description = replace(description, scale=scale).joined(cut)
    return MappedDataset(store, rows, labels[rows], names, path, about, description)


def _mapped(path: str, name: str, *, numeric: bool = True) -> NDArray[Any]:
    file = resolve_inside(f"{path}/{name}")
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        said = mistaken_file(file, NPY)
        if _of_objects(error) and not said and not begins_as(file, NPY):
            said = _NO_ARRAYS
        if _of_objects(error) and not said:
            raise DatasetError(f"{path}/{name} {_OBJECTS}: np.save(file, {_AS_NUMBERS})") from error
        raise DatasetError(
            f"{path}/{name} is not a readable NPY file: {said or error}; write it with np.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"{path}/{name} is an archive; it must be one array, as np.save writes it")
    if numeric and array.dtype.kind not in "buif":
        raise DatasetError(f"{path}/{name} must be numeric, got {array.dtype}")
    return array


def _member(archive: Any, name: str, path: str, what: str) -> NDArray[Any]:
    if name not in archive:
        known = ", ".join(archive.files[:10]) or "none"
        raise DatasetError(f"{path} has no array {name!r}; it has {known}: say which it is with {what}=NAME")
    try:
        array: NDArray[Any] = archive[name]
    except ValueError as error:
        if not _of_objects(error):
            raise
        plain = _AS_NUMBERS if what == "x" else "np.asarray(list(y))"
        raise DatasetError(f"{path}: the array {name!r} {_OBJECTS}: np.savez(file, {name}={plain}, ...)") from error
    if not isinstance(array, np.ndarray):  # NumPy hands out as bytes what is no array
        raise DatasetError(f"{path}: what it holds as {name!r} is no array; write it with np.savez")
    return array


_OBJECTS = (
    "holds Python objects (dtype object), which only allow_pickle=True would read, and that runs whatever code is in "
    "the file; save it as a plain array"
)
# NumPy takes whatever it does not know for a pickle, and says to allow those.
_NO_ARRAYS = "it begins as none that NumPy writes; save its arrays with np.savez or np.save"
_AS_NUMBERS = "np.stack([np.asarray(item, dtype=np.float32) for item in x])"


def _of_objects(error: Exception) -> bool:
    return "allow_pickle" in str(error) or "Python objects" in str(error)


def _metadata(archive: Any, but: set[str], path: str, left_out: list[Remark]) -> dict[str, NDArray[Any]]:
    about = {}
    for name in archive.files:
        if name in but:
            continue
        try:
            found = archive[name]
            if isinstance(found, np.ndarray):
                about[name] = found
        except ValueError as error:
            if not _of_objects(error):
                raise
            said = f"{path}: the array {name!r} {_OBJECTS}, such as {name}.astype(str); it is no metadata of the items"
            left_out.append(Remark("array_left_out", said))
    return about
