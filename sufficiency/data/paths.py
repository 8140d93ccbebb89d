"""Which files a dataset may be read from: those inside the data roots, links resolved."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sufficiency.data.errors import DatasetError
from sufficiency.data.stamps import note
from sufficiency.settings import get_settings

# Who runs a study in a process of their own may read what that process may: the roots keep a service's callers out.
_own_process: ContextVar[bool] = ContextVar("own_process", default=False)


@contextmanager
def own_files() -> Iterator[None]:
    """Let paths name any file where no data roots are set, relative ones from the working directory on."""
    token = _own_process.set(True)
    try:
        yield
    finally:
        _own_process.reset(token)


def resolve_inside(path: str, roots: Sequence[Path] | None = None, *, told: str | None = None) -> Path:
    """Return the file or folder that `path` names, absolute or relative to one of the roots.

    Parameters
    ----------
    roots : sequence of Path, optional
        Where files may lie; the settings' `data_roots` by default.
    told : str, optional
        What an error calls it, where the path was found below one that was given.

    Raises
    ------
    DatasetError
        When it lies outside every root, or is not there.
    """
    told = path if told is None else told
    wanted = get_settings().data_roots if roots is None else roots
    if roots is None and not wanted and _own_process.get():
        wanted = [Path.cwd(), Path(Path.cwd().anchor)]
    allowed = [Path(root).resolve() for root in wanted]
    if not allowed:
        raise DatasetError("no data root is set: start the service with SUFFICIENCY_DATA_ROOTS=/path/to/data")
    if "\0" in path:
        raise DatasetError("a path cannot hold a NUL character")
    inside = [
        candidate
        for root in allowed
        if any((candidate := (root / path).resolve()).is_relative_to(other) for other in allowed)
    ]
    if not inside:
        raise DatasetError(
            f"{told!r} lies outside the data roots ({_listed(allowed)}); put it inside one of them, or have the "
            "workers started with its folder in SUFFICIENCY_DATA_ROOTS"
        )
    for candidate in inside:
        if candidate.exists():
            _refuse_strange(candidate, told)
            note(candidate)
            return candidate
    raise DatasetError(
        f"{told!r} is not in any data root ({_listed(allowed)}); SUFFICIENCY_DATA_ROOTS says where the workers look"
    )


def only_files(folder: Path, path: str) -> None:
    """Refuse a folder that others will read if anything in it, links resolved, is neither a file nor a folder.

    Raises
    ------
    DatasetError
    """
    for at, _, names in os.walk(folder):
        for name in names:
            file = Path(at, name)
            if file.exists():  # a link to nothing is its reader's to refuse
                _refuse_strange(file, f"{path}: {file.relative_to(folder)}")


def _refuse_strange(file: Path, path: str) -> None:
    # To open a named pipe is to wait for who writes into it; a device may never end.
    mode = file.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = next((name for is_kind, name in _STRANGE if is_kind(mode)), "something else")
        raise DatasetError(f"{path!r} is {kind}, where a dataset is read from files; put a copy of its data in a file")


_STRANGE = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _listed(roots: Sequence[Path]) -> str:
    return ", ".join(map(str, roots))
