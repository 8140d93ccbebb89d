"""IDX files as they are found in the wild: by other names, unpacked, in folders of their own, of any type."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError
from sufficiency.data.paths import resolve_inside

_NAME = re.compile(
    r"(?:(?P<prefix>.+?)[-_.])?(?P<split>train|t10k|test)(?:ing)?[-_.](?P<what>images?|labels?)"
    r"(?:[-_.]idx\d(?:[-_.](?:u?byte|int|short|float|double))?)?(?:\.(?:idx|bin|dat|txt))?"
    r"(?: ?\(\d+\))?(?:\.gz)?(?: ?\(\d+\))?",  # browsers count what they have fetched twice
    re.IGNORECASE,
)
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
_DEEPEST = 3
_MOST_NAMED = 10


@dataclass(frozen=True)
class Pair:
    """The two files of a split, and what their names begin with, such as ``emnist-letters``; else nothing."""

    images: Path
    labels: Path
    prefix: str


def find_pair(folder: Path, path: str, split: str, name: str | None) -> Pair:
    """Return the files of a split in a folder, or in the folders in it.

    Parameters
    ----------
    path : str
        What to call the folder in an error.
    split : str
        train, t10k or test, of which the last two are the same.
    name : str or None
        What the files' names begin with, where a folder has several sets.

    Raises
    ------
    DatasetError
        Where there are none, or more than one pair.
    """
    near, seen = _pairs(folder, split, name, 0)
    pairs, seen = (near, seen) if near else _pairs(folder, split, name, _DEEPEST)
    if len(pairs) == 1:
        (files,) = pairs.values()
        return files
    if pairs:
        known = ", ".join(_called(at.relative_to(folder).as_posix(), prefix) for at, prefix in pairs)
        raise DatasetError(
            f"{path} holds several sets: {known}; choose by path, or by name where their files' names differ"
        )
    first = f"{name + '-' if name else ''}{'train' if split == 'train' else 't10k'}"
    has = f"it has {', '.join(seen[:_MOST_NAMED])}{' …' if len(seen) > _MOST_NAMED else ''}" if seen else "it is empty"
    raise DatasetError(
        f"{path} has no {first}-images-idx3-ubyte[.gz] with {first}-labels-idx1-ubyte[.gz], nor what is called like "
        f"them; {has}; set download to fetch MNIST where there is a net"
    )


def _pairs(folder: Path, split: str, name: str | None, deepest: int) -> tuple[dict[tuple[Path, str], Pair], list[str]]:
    """Return the pairs of a split by where they lie and what their names begin with, and all files that were seen."""
    wanted = {"train"} if split == "train" else {"t10k", "test"}
    sets: dict[tuple[Path, str], dict[str, Path]] = {}
    seen = []
    for file in _files(folder, deepest):
        seen.append(file.relative_to(folder).as_posix())
        match = _NAME.fullmatch(file.name)
        if match is None or match["split"].lower() not in wanted:
            continue
        # Kaggle's archives have a folder around each file, of the file's name.
        at = file.parent.parent if _NAME.fullmatch(file.parent.name) else file.parent
        found = sets.setdefault((at, match["prefix"] or ""), {})
        found.setdefault(match["what"].lower().rstrip("s"), file)
    pairs = {
        key: Pair(resolve_inside(str(files["image"])), resolve_inside(str(files["label"])), key[1])
        for key, files in sets.items()
        if len(files) == 2 and name in (None, key[1])
    }
    return pairs, seen


def _called(at: str, prefix: str) -> str:
    return " ".join(part for part in (prefix, f"in {at}" if at != "." else "") if part) or "one without a prefix"


def _files(folder: Path, deepest: int) -> Iterator[Path]:
    """Yield files, those nearest first, the packed before the unpacked of one name."""
    entries = sorted(folder.iterdir(), key=lambda entry: (entry.suffix != ".gz", "." in entry.stem, entry.name))
    yield from (entry for entry in entries if entry.is_file() and not entry.name.startswith("."))
    for entry in entries:
        if deepest and entry.is_dir() and not entry.is_symlink() and not entry.name.startswith((".", "__")):
            yield from _files(entry, deepest - 1)


def read_idx(file: Path, what: str) -> NDArray[np.generic]:
    """Return the array of an IDX file, packed or not, whatever its name says of that.

    Parameters
    ----------
    what : str
        What to call the file in an error.

    Raises
    ------
    DatasetError
        For anything else, saying what it is.
    """
    raw = file.read_bytes()
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f"{what} is damaged: {error}; fetch it again") from error
        if raw[:2] == _GZIP:
            raise DatasetError(f"{what} is packed twice: unpack it once (gunzip)")
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _TYPES:
        raise DatasetError(f"{what} is no IDX file: {_guessed(raw)}")
    dtype, dimensions = np.dtype(_TYPES[raw[2]]), raw[3]
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(raw[k : k + 4], "big") for k in range(4, header, 4))
    expected = header + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(raw) != expected:
        magic = int.from_bytes(raw[:4], "big")
        raise DatasetError(
            f"{what} has {len(raw)} bytes where its header announces {expected} (magic number {magic}: {dimensions} "
            f"dimension{'' if dimensions == 1 else 's'} of {dtype.name}); fetch it again"
        )
    array = np.frombuffer(raw, dtype, offset=header).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _guessed(raw: bytes) -> str:
    begin = raw[:64].lstrip().lower()
    if not raw:
        return "it is empty"
    if begin.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, as a server sends in place of a file it does not have; fetch it again"
    if begin.startswith(b"version https://git-lfs"):
        return "it is Git LFS's pointer to the file; run git lfs pull"
    if raw[:4] == b"PK\3\4":
        return "it is a zip archive; unpack it"
    return f"its magic number is {raw[:4].hex(' ')}, where IDX's is 00 00, a type and the number of dimensions"
