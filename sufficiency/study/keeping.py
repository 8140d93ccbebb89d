"""Keeps a study's cells in its file, each as soon as it is measured: whoever kills the process loses none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sufficiency.schemas.work import CellResult
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.record import Record, unreadable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Keeper:
    """Writes what is measured to a file, or nowhere.

    Parameters
    ----------
    file : text file or None
        Open for appending.
    """

    def __init__(self, file: IO[str] | None, path: Path | None = None) -> None:
        self._file, self._path = file, path

    def keep(self, text: str) -> None:
        """Have a line in the file before this returns.

        Raises
        ------
        InvalidStudy
            When it cannot be written: a full disk.
        """
        if self._file is None:
            return
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            assert self._path is not None
            raise unreadable(self._path, f"cannot be written: {error.strerror or error}") from error

    def cell(self, record: Record, result: CellResult) -> None:
        """Keep a cell."""
        self.keep(record.line(result))

    def gap(self, record: Record, cell: tuple[int, int]) -> None:
        """Keep that a cell could not be measured."""
        self.keep(record.gap_line(cell))

    def end(self, record: Record) -> None:
        """Keep how the study ended."""
        self.keep(record.ending())


@contextmanager
def keeper(path: Path | None, record: Record) -> Iterator[Keeper]:
    """Yield what keeps a study in a file, which then holds all that the study has measured so far.

    Raises
    ------
    InvalidStudy
        When the file cannot be written, or another process is writing it.
    """
    if path is None:
        yield Keeper(None)
        return
    held: list[IO[str]] = []
    try:
        try:
            if path.exists():
                held.append(path.open("a", encoding="utf-8"))
                _lock(held[-1], path)
            # Whole or not at all; and the lock is on the new file before it is there to be opened.
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            held.append(unfinished.open("w", encoding="utf-8"))
            _lock(held[-1], path)
            record.write(held[-1])
            held[-1].flush()
            unfinished.replace(path)
        except OSError as error:
            raise unreadable(path, f"cannot be written: {error.strerror or error}") from error
        yield Keeper(held[-1], path)
    finally:
        for file in held:
            file.close()


def _lock(file: IO[str], path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InvalidStudy(
            [
                {
                    "pointer": str(path),
                    "detail": "another process is measuring this study; wait for it, or name another file",
                }
            ]
        ) from None
