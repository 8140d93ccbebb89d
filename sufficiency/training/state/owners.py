"""Whose a module is: the interpreter's, a library's, this program's, or the plugins'."""

import sys
import sysconfig
from functools import partialmethod
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, Literal

_OURS = str(Path(__file__).parents[2])
_PYTHONS = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib"))
_INSTALLED = ("site-packages", "dist-packages")


def owner_of(name: str, file: Any) -> Literal["libraries", "plugins"]:
    """Return whose a module is, by its name and file; one that was made by hand, without a file, is a library's."""
    if not isinstance(file, str) or name in ("__main__", "__mp_main__"):
        return "libraries"
    if file.startswith((_OURS, *_PYTHONS)) or any(f"/{folder}/" in file.replace("\\", "/") for folder in _INSTALLED):
        return "libraries"
    return "plugins"


def plugin_modules() -> dict[str, ModuleType]:
    """Return the modules that are the plugins' own, and what they import of the same owner."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and owner_of(name, vars(module).get("__file__")) == "plugins"
    }


def home_of(value: Any) -> tuple[str, Any]:
    """Return name and file of the module where a function, a class or an object's class was made."""
    value = bare(value)
    if issubclass(type(value), FunctionType):
        # Its own word for it may be another's: functools.wraps copies that.
        return str(value.__globals__.get("__name__")), value.__globals__.get("__file__")
    made = value if issubclass(type(value), type) else type(value)
    name = vars(made).get("__module__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return str(name), vars(module).get("__file__") if isinstance(module, ModuleType) else None


def is_plugins(value: Any) -> bool:
    """Return whether a plugin's module made a function, a class or an object, or a test's library did for it."""
    name, file = home_of(value)
    if name == "unittest.mock":
        return not issubclass(type(value), type | FunctionType)
    return owner_of(name, file) == "plugins"


def bare(value: Any) -> Any:
    """Return the function behind a method or a property."""
    kind = type(value)  # and no isinstance, which asks the object itself too: what is deprecated then warns
    if issubclass(kind, staticmethod | classmethod | MethodType):
        return value.__func__
    if issubclass(kind, partialmethod):
        return value.func
    return value.fget if issubclass(kind, property) else value
