"""Packages that not everybody installs."""

from importlib import import_module
from typing import Any


def installed(name: str, *, extra: str | None = None) -> Any:
    """Return an optional package, or say how to get it.

    Parameters
    ----------
    name : str
    extra : str, optional
        The extra of this project that brings it; default none does, and there are rows to use without it.

    Raises
    ------
    ImportError
    """
    try:
        return import_module(name)
    except ImportError as error:
        how = (
            f"`pip install {name}`, or use the rows as they are"
            if extra is None
            else f"`pip install 'sufficiency[{extra}]'`"
        )
        raise ImportError(f"{name} is not installed here: {how}") from error
