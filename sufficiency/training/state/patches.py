"""Functions, classes and constants of libraries that a plugin has put others in the place of."""

import copy
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

from sufficiency.training.state.owners import bare, home_of, is_plugins, owner_of

_PLAIN = (bool, int, float, str, bytes, tuple)
_MISSING = object()
# Counters, and what follows the environment.
_EXEMPT = ("RemovableHandle.next_id", "time.timezone", "time.altzone", "time.daylight", "time.tzname")
# Whose functions are looked into: code and defaults may be changed where they stand.
_MADE_OF = ("torch.nn", "torch.optim", "torch.functional", "torch._tensor", "torch.utils.data", "sufficiency", "numpy")
# torch's compilers count what they do, and mark modules from their first use on: what they compile rests on that, and
# before another job all of it is forgotten.
_COMPILERS = ("torch._dynamo", "torch._functorch", "torch._inductor", "torch._subclasses", "torch.compiler", "torch.fx")
_DEEPEST_WRAPPING = 5


class Namespaces:
    """What every library's modules and classes hold, and what every function of Python's is made of.

    Plugins' own modules are not among them: what these hold is theirs, and looked at when the next job comes.
    """

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {}
        self._held: list[tuple[Any, dict[str, Any]]] = []
        self._made: list[tuple[FunctionType, Any, Any, Any]] = []
        self._filled: list[tuple[str, Any, Any]] = []
        self.take_in()

    def take_in(self) -> None:
        """Look after what has been imported since as well, as it is now."""
        later = {name: module for name, module in list(sys.modules.items()) if name not in self.modules}
        self.modules |= later
        for owner in _owners(later):
            held = dict(vars(owner))
            self._held.append((owner, held))
            home = owner.__module__ if isinstance(owner, type) else owner.__name__
            if home.startswith(_MADE_OF):
                functions = [value for value in held.values() if type(value) is FunctionType]
                self._made += [_made_of(function) for function in functions]
                self._filled += [one for function in functions for one in _filled_defaults(function)]

    def put_back(self) -> list[str]:
        """Have everything as it was; return what was not."""
        later = self.new_modules()
        found = self._modules() + [name for owner, held in self._held for name in _restored(owner, held, later)]
        for function, code, defaults, by_key in self._made:
            if function.__code__ is code and function.__defaults__ is defaults and _alike(function, by_key):
                continue
            with suppress(Exception):
                function.__code__, function.__defaults__ = code, defaults
                function.__kwdefaults__ = None if by_key is None else dict(by_key)
                found.append(f"{function.__module__}.{function.__qualname__}")
        for name, container, copied in self._filled:
            if _differs(container, copied):
                container.clear()
                (container.extend if isinstance(container, list) else container.update)(copy.deepcopy(copied))
                found.append(name)
        return found

    def new_modules(self) -> set[str]:
        """Return the names of the modules that have been imported since."""
        return set(sys.modules) - set(self.modules)

    def foreign_bodies(self) -> list[str]:
        """Return what a plugin has put into the modules that have been imported since, of libraries."""
        later = {name: module for name, module in list(sys.modules.items()) if name not in self.modules}
        return [
            f"{owner.__name__}.{name}"
            for owner in _owners(later)
            for name, value in list(vars(owner).items())
            if is_plugins(value)
        ]

    def _modules(self) -> list[str]:
        gone = [name for name, module in self.modules.items() if sys.modules.get(name, _MISSING) is not module]
        sys.modules.update({name: self.modules[name] for name in gone})
        return [f"sys.modules[{name!r}]" for name in gone]


def _owners(modules: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the libraries' modules among them, and the classes that these define."""
    seen: set[int] = set()
    for name, module in list(modules.items()):
        if (
            not isinstance(module, ModuleType)
            or module is sys.modules.get("__main__")
            or owner_of(name, vars(module).get("__file__")) == "plugins"
        ):
            continue
        yield module
        for value in list(vars(module).values()):
            # By its type alone: what is deprecated warns as soon as it is asked for anything.
            if issubclass(type(value), type) and id(value) not in seen and vars(value).get("__module__") == name:
                seen.add(id(value))
                yield value


def _made_of(function: FunctionType) -> tuple[FunctionType, Any, Any, Any]:
    by_key = function.__kwdefaults__
    return function, function.__code__, function.__defaults__, None if by_key is None else dict(by_key)


def _filled_defaults(function: FunctionType) -> Iterator[tuple[str, Any, Any]]:
    """Yield a function's defaults that a caller can change in place, each with a copy."""
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        if type(value) in (list, dict, set):
            with suppress(Exception):
                yield f"a default of {function.__module__}.{function.__qualname__}", value, copy.deepcopy(value)


def _differs(container: Any, copied: Any) -> bool:
    try:
        return bool(container != copied)
    except Exception:  # what has been put there cannot be compared
        return True


def _alike(function: FunctionType, by_key: Any) -> bool:
    try:
        return bool(function.__kwdefaults__ == by_key)
    except Exception:  # what has changed cannot be compared
        return False


def _restored(owner: Any, held: dict[str, Any], later: set[str]) -> list[str]:
    now = vars(owner)
    try:
        if now == held:  # by identity, as long as nothing has changed
            return []
    except Exception:  # what has changed cannot be compared
        pass
    found = []
    home = owner.__module__ if isinstance(owner, type) else owner.__name__
    counts = home.startswith(_COMPILERS)
    for name, before in list(held.items()):
        value = now.get(name, _MISSING)
        if counts and not _is_code(before):
            continue
        if value is before or _equal(value, before) or not (_is_code(before) or _is_constant(name, before)):
            continue
        if f"{owner.__name__}.{name}" in _EXEMPT:
            continue
        if _is_librarys_own(value, before, later):
            held[name] = value
        else:
            found += _set(owner, name, before)
    for name in now.keys() - held.keys():
        if is_plugins(now[name]):
            found += _set(owner, name, _MISSING)
    return found


def _is_code(value: Any) -> bool:
    kind = type(value)
    return issubclass(kind, type | property | classmethod | staticmethod) or (
        callable(value) and kind is not ModuleType
    )


def _is_constant(name: str, value: Any) -> bool:
    # What begins with an underscore is often filled in when it is first needed.
    return type(value) in _PLAIN and not name.startswith("_")


def _is_librarys_own(value: Any, before: Any, later: set[str]) -> bool:
    """Whether a library has put it there: with an import, where a mark was, or around what was there before."""
    if is_plugins(value) or not _is_code(value):
        return False
    # A mark that stood for "there is one" until it was needed, as dill's for NumPy's types.
    home = home_of(value)[0]
    if home in later or home.startswith(_COMPILERS) or not _is_code(before):
        return True
    inner = bare(value)
    for _ in range(_DEEPEST_WRAPPING):
        inner = bare(getattr(inner, "__wrapped__", None))
        if is_plugins(inner):
            return False
        if inner is bare(before):
            return True
    return False


def _equal(value: Any, before: Any) -> bool:
    return type(value) is type(before) and type(before) in _PLAIN and bool(value == before)


def _set(owner: Any, name: str, before: Any) -> list[str]:
    try:
        if isinstance(owner, ModuleType):
            if before is _MISSING:
                del vars(owner)[name]
            else:
                vars(owner)[name] = before
        elif before is _MISSING:
            type.__delattr__(owner, name)
        else:
            type.__setattr__(owner, name, before)
    except (TypeError, AttributeError, KeyError):
        return []  # it does not let itself be set, and so has not been
    return [
        f"{owner.__module__}.{owner.__qualname__}.{name}" if isinstance(owner, type) else f"{owner.__name__}.{name}"
    ]
