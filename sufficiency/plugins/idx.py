"""The IDX files of MNIST and its kin, local or downloaded."""

import hashlib
import os
import string
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.idx_files import Pair, find_pair, read_idx
from sufficiency.data.labels import targets_of
from sufficiency.data.layout import channels_first
from sufficiency.data.paths import resolve_inside
from sufficiency.data.pixels import as_unit
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.plugins.datasets import Limit, Start
from sufficiency.settings import get_settings

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_QMNIST_COLUMNS = 8
_MERGED = [*string.digits, *string.ascii_uppercase, *"abdefghnqrt"]
_EMNIST = {
    "byclass": [*string.digits, *string.ascii_uppercase, *string.ascii_lowercase],
    "bymerge": _MERGED,
    "balanced": _MERGED,
    "letters": [*string.ascii_lowercase],
    "digits": [*string.digits],
    "mnist": [*string.digits],
}
# MNIST never changes; these are the sums that its distributors publish.
_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}


def load_idx(
    path: str,
    split: Literal["train", "t10k", "test"] = "train",
    start: Start = 0,
    limit: Limit = None,
    download: bool = False,
    name: str | None = None,
    transpose: bool | None = None,
) -> ArrayDataset:
    """Load images and labels from IDX files, as MNIST and its kin have them, packed or not, by any of their names.

    Parameters
    ----------
    path : str
        Folder inside a data root with ``train-images-idx3-ubyte[.gz]`` and so on, in it or in folders in it.
    split : {"train", "t10k", "test"}
        Which pair of files; the last two are the same.
    start, limit : int
        Take `limit` images from `start` on.
    download : bool
        Fetch MNIST's files into the folder when they are not there, and check that they are MNIST's.
    name : str
        What the files' names begin with, where the folder has several sets, such as ``emnist-letters``.
    transpose : bool
        Whether the images lie on their side; EMNIST's do, and are set upright where nothing is said.
    """
    if download:
        _fetch(path, "train" if split == "train" else "t10k")
    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder; give the one that holds the files")
    pair = find_pair(folder, path, split, name)
    source = f"{path} ({split})"
    images = read_idx(pair.images, f"{path}/{pair.images.name}")
    labels, names, notes = _labels(read_idx(pair.labels, f"{path}/{pair.labels.name}"), pair, path)
    if images.ndim < 2:
        raise DatasetError(f"{path}/{pair.images.name} has {images.ndim} dimension; images need two at least")
    if len(images) != len(labels):
        raise DatasetError(f"{path}: the {split} files hold {len(images)} images but {len(labels)} labels")
    rows = chosen_rows(len(images), start, limit)
    cut = Description(tuple(notes), tuple(cut_off(labels, rows, names, source)))
    taken, moved = channels_first(images[rows], "chw" if images.ndim == 3 else "auto", source)
    if images.ndim == 3:
        moved = Description()  # what every such file is needs no saying
    if (_is_emnist(pair) if transpose is None else transpose) and taken.ndim == 4:
        taken = taken.swapaxes(2, 3)
        said = f"{source}: images that lie on their side, as EMNIST's do, are set upright"
        cut = cut.joined(Description((Remark("images_transposed", said),)))
    return ArrayDataset(as_unit(taken), labels[rows], names, source, description=cut.joined(moved))


def _labels(found: NDArray[np.generic], pair: Pair, path: str) -> tuple[NDArray[np.generic], list[str], list[Remark]]:
    """Return one label an item, and the classes' names."""
    what, notes = f"{path}/{pair.labels.name}", []
    if found.ndim == 2 and found.shape[1] == _QMNIST_COLUMNS:
        notes.append(Remark("label_column", f"{what}: of its {_QMNIST_COLUMNS} columns the first is the class"))
        found = found[:, 0]
    labels, numbered = targets_of(found, None, "classification", what)
    names = _emnist_classes(pair) or numbered
    assert names is not None, "a classification has classes"
    if pair.prefix.lower().endswith("letters") and _is_emnist(pair) and labels.size and labels.min() >= 1:
        notes.append(Remark("labels_shifted", f"{what}: its labels 1 … 26 are the classes a … z"))
        labels = labels.astype(np.int64) - 1
    return labels, names, notes


def _is_emnist(pair: Pair) -> bool:
    return pair.prefix.lower().startswith("emnist")


def _emnist_classes(pair: Pair) -> list[str] | None:
    return _EMNIST.get(pair.prefix.lower().removeprefix("emnist-")) if _is_emnist(pair) else None


def _find(folder: Path, name: str) -> Path | None:
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.exists():
            return resolve_inside(str(candidate), told=candidate.name)
    return None


def _fetch(path: str, split: str) -> None:
    folder = _folder_for(path)
    import httpx  # here, and not above: every trainer would wait for it, and few download anything

    for name in (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"):
        if folder.is_dir() and _find(folder, name) is not None:
            continue
        try:
            answer = httpx.get(f"{MIRROR}{name}.gz", timeout=60, follow_redirects=True).raise_for_status()
        except httpx.HTTPError as error:
            raise DatasetError(
                f"{name}.gz could not be downloaded ({type(error).__name__}: {error}); put it into {path} by hand"
            ) from error
        if hashlib.md5(answer.content, usedforsecurity=False).hexdigest() != _MD5[name]:
            raise DatasetError(f"{name}.gz arrived damaged: it is not MNIST's file, and was not kept; try again")
        try:
            _write(folder / f"{name}.gz", answer.content)
        except OSError as error:
            raise DatasetError(f"{path}/{name}.gz cannot be written: {error}") from error


def _folder_for(path: str) -> Path:
    """Return the folder of that name, or where it is to be made: inside the first data root."""
    try:
        return resolve_inside(path)
    except DatasetError:
        roots = get_settings().data_roots
        if not roots or "\0" in path:
            raise
        folder = (roots[0] / path).resolve()
        if not any(folder.is_relative_to(root) for root in roots):
            raise
        return folder


def _write(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.chmod(temporary, 0o644)  # other workers may run as other users
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
