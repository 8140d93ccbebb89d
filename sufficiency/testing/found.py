"""Finds what looks like a plugin in a module, and of what kind it is."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch

from sufficiency import moved
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.training.faults import describe
from sufficiency.training.parameters import INJECTED

METHODS = {"train": "training", "evaluate": "evaluation", "get_steps": "schedule"}
MODEL_NAMES = ("model", "net", "network", "module")
RESET_WORDS = ("reset", "init", "fresh", "forget")
PLAIN_TYPES = (str, bytes, int, float, bool, dict, list, tuple, Path)
# They have a length and items, and hold no labelled data.
CONTAINERS = (tuple, list, Mapping, str, bytes, set, frozenset)


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
    if not attribute:
        return [(name, f"{module_name}:{name}", its_kind) for name, its_kind in _plugins_in(module, kind)]
    value = _attribute(module, attribute)
    kinds = [kind] if kind else kinds_of(value, named=True)
    if not kinds:
        raise LookupError(f"{target} could be any kind of plugin; say which with --kind ({', '.join(PLUGIN_KINDS)})")
    return [(attribute, f"{module_name}:{attribute}", its_kind) for its_kind in kinds]


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except Exception as error:
        do = moved.hint(error) or "is it installed, or on PYTHONPATH?"
        raise LookupError(f"the module {name!r} cannot be imported ({describe(error)}); {do}") from error


def _plugins_in(module: Any, kind: str | None) -> list[tuple[str, str]]:
    """Return the names and kinds of what looks like a plugin among what a module itself defines."""
    name = module.__name__
    found = [
        (attribute, its_kind)
        for attribute, value in vars(module).items()
        if not attribute.startswith("_") and getattr(value, "__module__", None) == name
        for its_kind in kinds_of(value, named=False)
        if kind in (None, its_kind)
    ]
    if not found:
        raise LookupError(
            f"nothing in {name!r} looks like a {kind or 'plugin'}; name it with its kind: "
            f"sufficiency plugins check {name}:ATTRIBUTE --kind {kind or 'model'}"
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


def kinds_of(value: Any, *, named: bool) -> list[str]:
    """Tell of what kinds a plugin is: by its methods, or by its signature where it is a function.

    Parameters
    ----------
    value : object
        A class, a function or an instance.
    named : bool
        Somebody says that it is a plugin. Else it may as well be a helper beside them.
    """
    if _is_module(value):
        return ["model"]  # every torch module has a train(), which only switches its mode
    if inspect.isroutine(value):
        return _kinds_of_function(value, named)
    # A protocol or an abstract class is what plugins are made after.
    if inspect.isclass(value) and (inspect.isabstract(value) or getattr(value, "_is_protocol", False)):
        return []
    if kinds := [kind for method, kind in METHODS.items() if _has(value, method)]:
        return kinds
    if _has(value, "__len__") and _has(value, "__getitem__") and not _is_container(value):
        return ["dataset"]
    if inspect.isclass(value) and "__call__" in vars(value) and _resets(vars(value)["__call__"], 1, named=named):
        return ["reset"]
    return []


def _kinds_of_function(function: Any, named: bool) -> list[str]:
    if not inspect.isfunction(function):
        return []
    if _resets(function, 0, named=named):
        return ["reset"]
    hints = _hints(function)
    makes_one = _is_module_type(hints.pop("return", None)) and not any(map(_is_module_type, hints.values()))
    return ["model"] if makes_one or set(INJECTED) & set(inspect.signature(function).parameters) else []


def _resets(function: Any, bound: int, *, named: bool) -> bool:
    """Return whether a function takes a model and returns one: a reset strategy, and no maker of models.

    Parameters
    ----------
    bound : int
        How many of its first parameters are given already, such as `self`.
    named : bool
        Somebody says that it is a plugin; else, without annotations, its name must tell.
    """
    parameters = list(inspect.signature(function).parameters.values())[bound:]
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) != 1 or needed[0].kind is needed[0].KEYWORD_ONLY:
        return False
    hints = _hints(function)
    taken, given = hints.get(needed[0].name), hints.get("return")
    takes_a_model = _is_module_type(taken) or (needed[0].name in MODEL_NAMES and taken not in PLAIN_TYPES)
    if "return" in hints:
        return takes_a_model and (_is_module_type(given) or given is Any or (taken is not None and given is taken))
    return takes_a_model and (named or bound > 0 or any(word in function.__name__.lower() for word in RESET_WORDS))


def _hints(function: Any) -> dict[str, Any]:
    """Return a function's annotations, those written as strings resolved; what cannot be resolved is left out."""
    try:
        return get_type_hints(function)
    except Exception:  # whatever evaluating somebody's annotations raises
        return {name: hint for name, hint in function.__annotations__.items() if not isinstance(hint, str)}


def _has(value: Any, method: str) -> bool:
    """Return whether it has a method of its own or its bases': that of a metaclass, as of an enumeration, is none."""
    kind = value if inspect.isclass(value) else type(value)
    return any(callable(vars(base).get(method)) or _is_bound(vars(base).get(method)) for base in kind.__mro__)


def _is_bound(value: Any) -> bool:
    return isinstance(value, staticmethod | classmethod)


def _is_container(value: Any) -> bool:
    return issubclass(value if inspect.isclass(value) else type(value), CONTAINERS)


def _is_module(value: Any) -> bool:
    return issubclass(value if inspect.isclass(value) else type(value), torch.nn.Module)


def _is_module_type(hint: Any) -> bool:
    bound = hint.__bound__ if isinstance(hint, TypeVar) else hint
    return inspect.isclass(bound) and issubclass(bound, torch.nn.Module)
