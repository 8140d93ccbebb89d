"""The files that a dataset was read from, as they were then: a later look says which have been written since."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

MOST_FILES = 100_000

Stamp = tuple[int, int, int]


class Stamps:
    """Size, time of change and inode of files and folders."""

    def __init__(self) -> None:
        self._files: dict[Path, Stamp | None] = {}

    def note(self, path: Path) -> None:
        """Look after a file, or a folder with all that is in it (up to a hundred thousand files)."""
        if path in self._files or len(self._files) >= MOST_FILES:
            return
        self._files[path] = _stamp(path)
        if path.is_dir():
            for folder, _, names in os.walk(path):
                for name in (".", *names):
                    if len(self._files) < MOST_FILES:
                        file = Path(folder) / name
                        self._files.setdefault(file, _stamp(file))

    def changed(self) -> list[Path]:
        """Return what has been written, replaced or removed since; what was only read is none of it."""
        return [path for path, before in self._files.items() if _stamp(path) != before]

    def renew(self) -> None:
        """Take what is there now for what there was: its contents have been compared."""
        self._files = {path: _stamp(path) for path in self._files}


_reading: ContextVar[Stamps | None] = ContextVar("_reading", default=None)


@contextmanager
def stamps_of_what_is_read() -> Iterator[Stamps]:
    """Collect the files that loaders resolve within the block."""
    stamps = Stamps()
    token = _reading.set(stamps)
    try:
        yield stamps
    finally:
        _reading.reset(token)


def note(path: Path) -> None:
    """Say that a dataset is read from a file or folder."""
    if (stamps := _reading.get()) is not None:
        stamps.note(path)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
