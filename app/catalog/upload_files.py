"""Files that callers send, in the service's own data folder: whole and of the kind that their name says, or not at all.

A file comes into being under a name of its own beside the others, is looked at, and is moved to its place when all of
it is on the disk. What a process that was killed has left there is known by its lock, which nobody holds any more.
"""

import fcntl
import hashlib
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import BinaryIO, Self
from uuid import UUID, uuid4

from sufficiency.first_bytes import ENCODING_MARKS, mistaken, unmarked_utf16
from sufficiency.schemas.uploads import UploadKind

INCOMING = ".incoming"
# So much is left of the disk, for the database that may lie on it too.
RESERVE_BYTES = 500_000_000
_SEEN_BYTES = 1 << 20
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"
# Neither text nor the marks of old files' ends, which Latin-1 has all the same.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")


class WrongKind(ValueError):
    """A file does not hold what its name says, and why."""


def kind_of(name: str) -> UploadKind:
    """Return what a file is by the end of its name."""
    end = name.rpartition(".")[2]
    return "npz" if end == "npz" else "parquet" if end == "parquet" else "table"


class Incoming:
    """A file while it comes in.

    Parameters
    ----------
    folder : Path
        The service's own, for uploads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        place = folder / INCOMING
        place.mkdir(parents=True, exist_ok=True)
        self._path = place / uuid4().hex
        self._file: BinaryIO = open(self._path, "xb")  # noqa: SIM115 (closed by `close`)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._digest = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, and remove it where it has not been moved to its place."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    @property
    def sha256(self) -> str:
        """Of what has come in."""
        return self._digest.hexdigest()

    def write(self, part: bytes) -> None:
        """Append what has come in."""
        self._file.write(part)
        self._digest.update(part)
        self.bytes += len(part)

    def has_room(self, more: int) -> bool:
        """Return whether the disk has room for so many bytes more."""
        return shutil.disk_usage(self._path.parent).free - more >= RESERVE_BYTES

    def check(self, name: str) -> None:
        """Look whether the file is what its name says.

        Raises
        ------
        WrongKind
        """
        self._file.flush()
        kind = kind_of(name)
        with open(self._path, "rb") as file:
            if kind == "npz":
                _check_npz(file)
            elif kind == "parquet":
                _check_parquet(file)
            else:
                _check_table(file)

    def keep(self, upload_id: UUID, name: str) -> None:
        """Move the file to its place, with all of it on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        place = self._folder / str(upload_id)
        place.mkdir()
        os.rename(self._path, place / name)
        for folder in (place, self._folder):
            _sync(folder)


def forget(folder: Path, upload_id: UUID) -> None:
    """Remove a file that is no longer known."""
    shutil.rmtree(folder / str(upload_id), ignore_errors=True)


def left_behind(folder: Path) -> list[UUID]:
    """Remove what nobody is writing any more, and return the ids of the files that have come to their place."""
    place = folder / INCOMING
    for path in place.iterdir() if place.is_dir() else ():
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it is coming in
            path.unlink(missing_ok=True)
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            found.append(UUID(path.name))
        except ValueError:
            continue
    return found


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_npz(file: BinaryIO) -> None:
    wrong = "is no .npz: what numpy.savez writes is a zip of arrays"
    if file.read(4) != _ZIP:
        raise WrongKind(wrong)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WrongKind(f"{wrong} ({error})") from None
    if not names or not all(name.endswith(".npy") for name in names):
        other = next((name for name in names if not name.endswith(".npy")), "nothing")
        raise WrongKind(f"{wrong}; it holds {other[:80]!r}")


def _check_parquet(file: BinaryIO) -> None:
    head = file.read(4)
    file.seek(0, os.SEEK_END)
    if file.tell() < 12:
        raise WrongKind("is no Parquet file: it is too short for one")
    file.seek(-4, os.SEEK_END)
    if head != _PARQUET or file.read(4) != _PARQUET:
        raise WrongKind("is no Parquet file: it neither begins nor ends with PAR1, or its end is missing")


def _check_table(file: BinaryIO) -> None:
    seen = file.read(_SEEN_BYTES)
    if said := mistaken(seen):
        raise WrongKind(f"is no table: {said}")
    text = _text(seen)
    if len([line for line in text.splitlines() if line.strip()]) < 2:
        raise WrongKind("is no table: it takes a line with the columns' names, and one with values")


def _text(seen: bytes) -> str:
    """Return what a text file begins with, in any of the encodings that a table's loader finds."""
    for mark, encoding in ENCODING_MARKS:
        if seen.startswith(mark):
            return seen.decode(encoding, "replace")  # what was seen may end in the middle of a character
    if (name := unmarked_utf16(seen)) is not None:
        text = seen.decode(name, "replace")
        if not _BINARY.search(text.encode("utf-8")):
            return text
    if _BINARY.search(seen):
        raise WrongKind("is no table as text: it holds characters that only binary files do")
    return seen.decode("utf-8", "replace")
