"""The files that the plugins' modules were read from, so that a changed one is noticed."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

Stamp = tuple[int, int, int]


class Sources:
    """Files as they were when they were first asked about.

    A file that was written anew with what it had held is the same.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp | None, bytes]] = {}

    def note(self, files: Iterable[str]) -> None:
        """Have these looked after too."""
        for file in files:
            if file not in self._known:
                self._known[file] = (_stamp(file), _digest(file))

    def changed(self) -> str | None:
        """Return a file that holds something else now, or None."""
        for file, (stamp, digest) in list(self._known.items()):
            now = _stamp(file)
            if now == stamp:
                continue
            if _digest(file) != digest:
                return file
            self._known[file] = (now, digest)
        return None


def _stamp(file: str) -> Stamp | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _digest(file: str) -> bytes:
    try:
        return blake2b(Path(file).read_bytes(), digest_size=16).digest()
    except OSError:
        return b""
