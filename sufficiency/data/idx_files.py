"""IDX files as they are found in the wild: by other names, unpacked, in folders of their own, of any type."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.errors import DatasetError
from sufficiency.data.paths import resolve_inside
from sufficiency.first_bytes import mistaken

_NAME = re.compile(
    r"(?:(?P<prefix>.+?)[-_.])?(?P<split>train|t10k|test)(?:ing)?[-_.](?P<what>images?|labels?)"
    r"(?:[-_.]idx\d(?:[-_.](?:u?byte|int|short|float|double))?)?(?:\.(?:idx|bin|dat|txt))?"
    r"(?: ?\(\d+\))?(?:\.gz)?(?: ?\(\d+\))?",  # browsers count what they have fetched twice
    re.IGNORECASE,
)
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
_LOOK = 64  # bytes by which it is said what a file is that is none of these
_PIECE = 1 << 24
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
    other = "test" if split == "train" else "train"
    do = "set download to fetch MNIST where there is a net"
    if any(_pairs(folder, other, name, deepest)[0] for deepest in (0, _DEEPEST)):
        do = f"that is split={other}; or {do}"
    raise DatasetError(
        f"{path} has no {first}-images-idx3-ubyte[.gz] with {first}-labels-idx1-ubyte[.gz], nor what is called like "
        f"them; {has}; {do}"
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
        key: Pair(_inside(files["image"]), _inside(files["label"]), key[1])
        for key, files in sets.items()
        if len(files) == 2 and name in (None, key[1])
    }
    return pairs, seen


def _inside(file: Path) -> Path:
    return resolve_inside(str(file), told=file.name)


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
    with _unpacked(file) as opened:
        try:
            start = opened.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
                if start[:2] == _GZIP:
                    raise DatasetError(f"{what} is packed twice: unpack it once (gunzip)")
                raise DatasetError(f"{what} is no IDX file: {_guessed(start + opened.read(_LOOK))}")
            dtype, dimensions = np.dtype(_TYPES[start[2]]), start[3]
            sizes = opened.read(4 * dimensions)
            shape = tuple(int.from_bytes(sizes[k : k + 4], "big") for k in range(0, len(sizes), 4))
            announced = int(np.prod(shape, dtype=object)) * dtype.itemsize
            # Piece by piece, and never more than is announced: a few packed kilobytes may hold a thousand times that.
            raw, more = _read(opened, announced), opened.read(1)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f"{what} is damaged: {error}; fetch it again") from error
    if len(shape) != dimensions or len(raw) != announced or more:
        header = 4 + 4 * dimensions
        magic = int.from_bytes(start, "big")
        raise DatasetError(
            f"{what} has {'more than ' * bool(more)}{4 + len(sizes) + len(raw)} bytes where its header announces "
            f"{header + announced} (magic number {magic}: {dimensions} dimension{'' if dimensions == 1 else 's'} of "
            f"{dtype.name}); fetch it again"
        )
    array = np.frombuffer(raw, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _unpacked(file: Path) -> gzip.GzipFile | BufferedReader:
    """Open a file, packed or not."""
    with file.open("rb") as opened:
        packed = opened.read(2) == _GZIP
    return gzip.open(file) if packed else file.open("rb")


def _read(opened: gzip.GzipFile | BufferedReader, most: int) -> bytes:
    pieces, left = [], most
    while left and (piece := opened.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _guessed(raw: bytes) -> str:
    return (
        mistaken(raw)
        or f"its magic number is {raw[:4].hex(' ')}, where IDX's is 00 00, a type and the number of dimensions"
    )
