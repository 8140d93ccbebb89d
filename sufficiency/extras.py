"""What only some installations have: a missing extra is answered by its name, and by the command that brings it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class MissingExtra(ImportError):
    """Something was asked for that this installation lacks.

    Attributes
    ----------
    what : str
        What is missing.
    remedy : str
        The command that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.what = f"{what} is not installed here: it comes with the extra {extra!r}"
        self.remedy = install(extra)
        super().__init__(f"{self.what} (`{self.remedy}`)")


def install(extra: str, version: str | None = None) -> str:
    """Return the command that installs an extra; of exactly this version, if one is given."""
    return f"pip install 'sufficiency[{extra}]{f'=={version}' if version else ''}'"


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Have what cannot be imported in the block answered by the name of the extra that brings it.

    Raises
    ------
    MissingExtra
        Instead of a ModuleNotFoundError.
    """
    try:
        yield
    except MissingExtra:
        raise
    except ModuleNotFoundError as error:
        raise MissingExtra((error.name or str(error)).partition(".")[0], extra) from error


def installed(name: str) -> Any:
    """Return a package for tables that no extra brings, or say how to get it.

    Raises
    ------
    ImportError
    """
    try:
        return import_module(name)
    except ImportError as error:
        how = f"`pip install {name}`, or use the rows as they are"
        raise ImportError(f"{name} is not installed here: {how}") from error
