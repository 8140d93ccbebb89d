"""The IDX files of MNIST and its kin, local or downloaded."""

import gzip
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.labels import numbered_classes
from sufficiency.data.paths import resolve_inside
from sufficiency.data.rows import chosen_rows
from sufficiency.data.suspicions import cut_off
from sufficiency.plugins.datasets import Limit, Start
from sufficiency.settings import get_settings

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_IMAGES, _LABELS = 2051, 2049
# MNIST never changes; these are the sums that its distributors publish.
_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}


def load_idx(
    path: str,
    split: Literal["train", "t10k"] = "train",
    start: Start = 0,
    limit: Limit = None,
    download: bool = False,
) -> ArrayDataset:
    """Load images and labels from IDX files, as MNIST has them, gzipped or not.

    Parameters
    ----------
    path : str
        Folder inside a data root with ``train-images-idx3-ubyte[.gz]`` and so on.
    split : {"train", "t10k"}
        Which pair of files.
    start, limit : int
        Take `limit` images from `start` on.
    download : bool
        Fetch MNIST's files into the folder when they are not there, and check that they are MNIST's.
    """
    if download:
        _fetch(path, split)
    folder = resolve_inside(path)
    images = _read(folder, f"{split}-images-idx3-ubyte", path, _IMAGES)
    labels = _read(folder, f"{split}-labels-idx1-ubyte", path, _LABELS)
    if len(images) != len(labels):
        raise DatasetError(f"{path}: the {split} files hold {len(images)} images but {len(labels)} labels")
    classes = max(10, len(numbered_classes(labels, path)))
    names, source = [str(k) for k in range(classes)], f"{path} ({split})"
    rows = chosen_rows(len(images), start, limit)
    cut = Description(warnings=tuple(cut_off(labels, rows, names, source)))
    x = images[rows][:, None].astype(np.float32) / 255.0
    return ArrayDataset(x, labels[rows], names, source, description=cut)


def _find(folder: Path, name: str) -> Path | None:
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.exists():
            return resolve_inside(str(candidate))
    return None


def _read(folder: Path, name: str, path: str, magic: int) -> NDArray[np.uint8]:
    file = _find(folder, name)
    if file is None:
        raise DatasetError(f"{path} has neither {name}.gz nor {name}; set download to fetch MNIST where there is a net")
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}/{file.name} is damaged: {error}") from error
    dimensions = magic & 0xFF
    header = 4 + 4 * dimensions
    found = int.from_bytes(raw[:4], "big")
    if len(raw) < header or found != magic:
        raise DatasetError(f"{path}/{file.name} is no IDX file of that kind: magic number {found}, not {magic}")
    shape = tuple(int.from_bytes(raw[k : k + 4], "big") for k in range(4, header, 4))
    expected = header + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise DatasetError(f"{path}/{file.name} has {len(raw)} bytes where its header announces {expected}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _fetch(path: str, split: str) -> None:
    folder = _folder_for(path)
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
