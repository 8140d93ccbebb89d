"""What the plugins' own modules hold: caches, counters, generators, ready-made instances, as digests to be compared."""

import functools
import itertools
import logging
import random
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from types import CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

from sufficiency.training.state.owners import is_plugins

MOST_OBJECTS = 300_000
MOST_BYTES = 1 << 30

Imprint = dict[str, bytes]


class TooMuch(Exception):
    """There is more than can be looked at."""


def imprint_of(modules: Mapping[str, ModuleType]) -> Imprint | None:
    """Return a digest of each name of some modules; None where there is more than can be looked at.

    It is compared with another one of the same process only, and none of a plugin's own code is called for it.
    """
    budget = _Budget()
    found: Imprint = {}
    try:
        for module in modules.values():
            for name, value in list(vars(module).items()):
                if not name.startswith("__"):
                    found[f"{module.__name__}.{name}"] = _Walk(budget).digest(value)
    except (TooMuch, RecursionError):
        return None
    return found


def difference(before: Imprint | None, now: Imprint | None) -> str | None:
    """Return the name of something that is not what it was, or None."""
    if before is None or now is None:
        return "more than can be compared"
    return next((name for name in before.keys() | now.keys() if before.get(name) != now.get(name)), None)


class _Budget:
    def __init__(self) -> None:
        self.objects, self.bytes = MOST_OBJECTS, MOST_BYTES

    def spend(self, objects: int, size: int = 0) -> None:
        self.objects -= objects
        self.bytes -= size
        if self.objects < 0 or self.bytes < 0:
            raise TooMuch


class _Walk:
    """One walk through what a name leads to."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is given out twice

    def digest(self, value: Any) -> bytes:
        digest = blake2b(digest_size=16)
        for part in self._parts(value):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()

    def _parts(self, value: Any) -> Iterator[Any]:
        self._budget.spend(1)
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str, bytes, np.dtype, torch.dtype, torch.device):
            yield f"{kind.__name__} {value!r}".encode()
            return
        if id(value) in self._seen:
            yield f"again {self._seen[id(value)]}".encode()
            return
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        yield kind.__qualname__.encode()
        if (plain := _array(value)) is not None:
            self._budget.spend(0, plain.nbytes)
            yield repr((plain.dtype.str, plain.shape)).encode()
            yield from (
                self._all(plain.tolist()) if plain.dtype.hasobject else (np.ascontiguousarray(plain).data.cast("B"),)
            )
            yield from self._parts(value.grad if issubclass(kind, torch.nn.Parameter) else None)
        elif (drawn := _generator_state(value)) is not None:
            yield from self._parts(drawn)
        elif issubclass(kind, set | frozenset):
            yield from sorted(_Walk(self._budget).digest(one) for one in set(value))
        else:
            yield from self._held(value)

    def _held(self, value: Any) -> Iterator[Any]:
        kind = type(value)  # and no isinstance, which asks the object itself too
        if issubclass(kind, _OPAQUE) or (issubclass(kind, FunctionType | type) and not is_plugins(value)):
            yield str(id(value)).encode()
        elif issubclass(kind, FunctionType):
            cells = [_content(cell) for cell in value.__closure__ or ()]
            yield from self._all((id(value.__code__), value.__defaults__, value.__kwdefaults__, vars(value), *cells))
        elif issubclass(kind, type):
            yield from self._named(
                {k: v for k, v in vars(value).items() if not (k.startswith("__") or k == "_abc_impl")}
            )
        elif issubclass(kind, MethodType):
            yield from self._all((value.__func__, value.__self__))
        elif issubclass(kind, functools.partial):
            yield from self._all((value.func, value.args, value.keywords))
        elif issubclass(kind, staticmethod | classmethod):
            yield from self._parts(value.__func__)
        elif issubclass(kind, property):
            yield from self._all((value.fget, value.fset, value.fdel))
        elif callable(info := getattr(type(value), "cache_info", None)) and hasattr(value, "__wrapped__"):
            size = info(value)
            yield from self._all((size.misses, size.currsize, value.__wrapped__))
        elif issubclass(kind, GeneratorType):
            yield from self._all((id(value), value.gi_frame and value.gi_frame.f_lasti))
        elif issubclass(kind, itertools.count):
            yield repr(value).encode()
        else:
            yield from self._object(value)

    def _object(self, value: Any) -> Iterator[Any]:
        kind = type(value)
        if issubclass(kind, dict):
            yield from self._named(dict.copy(value))
        elif issubclass(kind, list | tuple | deque):
            yield from self._all(list(value))
        held = False
        with suppress(AttributeError, TypeError):
            attributes = object.__getattribute__(value, "__dict__")
            held = True
            yield from self._named(dict(attributes))
        for owner in kind.__mro__:
            for name in _slots(owner):
                with suppress(AttributeError):
                    held = True
                    yield from self._parts(object.__getattribute__(value, name))
        if not held and not issubclass(kind, dict | list | tuple | deque | bytearray):
            yield str(id(value)).encode()
        elif issubclass(kind, bytearray):
            yield bytes(value)

    def _named(self, values: Mapping[Any, Any]) -> Iterator[Any]:
        for key, one in values.items():
            yield from self._parts(key)
            yield from self._parts(one)

    def _all(self, values: Iterable[Any]) -> Iterator[Any]:
        held = list(values)
        yield str(len(held)).encode()
        for one in held:
            yield from self._parts(one)


# What leads to the whole process, or cannot be looked into.
_OPAQUE = (ModuleType, CodeType, logging.Logger, logging.Handler, threading.Thread, weakref.ref, torch.jit.ScriptModule)


def _slots(owner: type) -> tuple[str, ...]:
    slots = vars(owner).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    kind = type(value)
    if issubclass(kind, np.ndarray | np.generic):
        return np.asarray(value)
    if issubclass(kind, torch.Tensor):
        with suppress(Exception), torch.no_grad():
            flat = value.detach().cpu().contiguous().reshape(-1)
            return flat.view(torch.uint8).numpy() if flat.numel() else np.empty(0, np.uint8)
    return None


def _generator_state(value: Any) -> Any:
    """Return where a generator of random numbers stands."""
    kind = type(value)
    if issubclass(kind, np.random.Generator):
        return value.bit_generator.state
    if issubclass(kind, np.random.BitGenerator):
        return value.state
    if issubclass(kind, np.random.RandomState):
        return value.get_state()
    if issubclass(kind, random.Random):
        return random.Random.getstate(value)
    if issubclass(kind, torch.Generator):
        return value.get_state()
    return None
