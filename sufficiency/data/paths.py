"""Which files a dataset may be read from: those inside the data roots, links resolved."""

from collections.abc import Sequence
from pathlib import Path

from sufficiency.data.errors import DatasetError
from sufficiency.data.stamps import note
from sufficiency.settings import get_settings


def resolve_inside(path: str, roots: Sequence[Path] | None = None) -> Path:
    """Return the file or folder that `path` names, absolute or relative to one of the roots.

    Parameters
    ----------
    roots : sequence of Path, optional
        Where files may lie; the settings' `data_roots` by default.

    Raises
    ------
    DatasetError
        When it lies outside every root, or is not there.
    """
    allowed = [Path(root).resolve() for root in (get_settings().data_roots if roots is None else roots)]
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
        raise DatasetError(f"{path!r} lies outside the data roots")
    for candidate in inside:
        if candidate.exists():
            note(candidate)
            return candidate
    raise DatasetError(f"{path!r} is not in any data root")
