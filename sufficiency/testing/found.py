"""Finds what looks like a plugin in a module, and of what kind it is."""

import inspect
from importlib import import_module
from typing import Any

import torch

from sufficiency import moved
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.training.faults import describe


def found_plugins(target: str, kind: str | None = None) -> list[tuple[str, str, str]]:
    """Return what a target names: of each plugin its attribute, its ``module:attribute``, and its kind.

    Parameters
    ----------
    target : str
        ``module:attribute``, or a module.
    kind : str, optional
        Of the plugin, where it cannot be told by its methods.

    Raises
    ------
    LookupError
        When there is no such module or attribute, nothing in it that looks like a plugin, or no telling of what kind.
    """
    module_name, _, attribute = target.partition(":")
    module = _imported(module_name)
    found = {attribute: _attribute(module, attribute)} if attribute else _plugins_in(module)
    plugins: list[tuple[str, str, str]] = []
    for name, value in found.items():
        its_kind = kind or _kind_of(value)
        if its_kind is None:
            raise LookupError(
                f"{target} could be any kind of plugin; say which with --kind ({', '.join(PLUGIN_KINDS)})"
            )
        plugins.append((name, f"{module_name}:{name}", its_kind))
    return plugins


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except Exception as error:
        do = moved.hint(error) or "is it installed, or on PYTHONPATH?"
        raise LookupError(f"the module {name!r} cannot be imported ({describe(error)}); {do}") from error


def _plugins_in(module: Any) -> dict[str, Any]:
    name = module.__name__
    found = {
        attribute: value
        for attribute, value in vars(module).items()
        if not attribute.startswith("_") and getattr(value, "__module__", None) == name and _kind_of(value)
    }
    if not found:
        raise LookupError(
            f"nothing in {name!r} looks like a plugin; name it with its kind: "
            f"sufficiency plugins check {name}:ATTRIBUTE --kind model"
        )
    return found


def _attribute(module: Any, attribute: str) -> Any:
    value = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise LookupError(f"{module.__name__!r} has no {attribute!r}; it has {', '.join(known[:20])}")
        value = getattr(value, part)
    return value


def _kind_of(value: Any) -> str | None:
    """Tell a plugin's kind by its methods, or by its signature where it is a function."""
    for method, kind in (("train", "training"), ("evaluate", "evaluation"), ("get_steps", "schedule")):
        # Every torch module has a train(), which only switches its mode.
        if callable(getattr(value, method, None)) and not _is_module(value):
            return kind
    if _is_module(value):
        return "model"
    if all(callable(getattr(value, method, None)) for method in ("__len__", "__getitem__")):
        return "dataset"
    if inspect.isfunction(value):
        names = inspect.signature(value).parameters
        returned = value.__annotations__.get("return")
        if "input_shape" in names or "num_classes" in names or (inspect.isclass(returned) and _is_module(returned)):
            return "model"
        return "reset" if list(names) == ["model"] else None
    return "reset" if inspect.isclass(value) and "__call__" in vars(value) else None


def _is_module(value: Any) -> bool:
    return issubclass(value if inspect.isclass(value) else type(value), torch.nn.Module)
