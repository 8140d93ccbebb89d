"""Settings of the process that a plugin may change for whoever comes after it: read before, compared, put back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from sufficiency.training.state.owners import is_plugins

_BY_VALUE = (bool, int, float, complex, str, bytes, type(None), torch.device)


@dataclass(frozen=True)
class Setting:
    """One thing that is the process's, and not a job's.

    Attributes
    ----------
    name : str
        How a log line calls it.
    read : callable
        Returns it as plain values, tuples of them, or objects that are told apart by identity.
    write : callable or None
        Puts a value that `read` returned back. None: only a new process has it back.
    decides : bool
        Whether what a cell measures may depend on it.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object] | None = None
    decides: bool = True


def attribute(owner: Any, name: str, *, decides: bool = True) -> Setting:
    """Return the setting that is an attribute of a module or an object."""
    called = getattr(owner, "__name__", type(owner).__name__)
    return Setting(f"{called}.{name}", lambda: getattr(owner, name), lambda v: setattr(owner, name, v), decides)


def entries(name: str, container: Any, *, decides: bool = True) -> Setting:
    """Return the setting that is what a dictionary or a list holds; it stays the same object."""

    def write(before: tuple[Any, ...]) -> None:
        container.clear()
        (container.update if hasattr(container, "update") else container.extend)(before)

    is_mapping = hasattr(container, "items")
    return Setting(name, lambda: tuple(container.items() if is_mapping else container), write, decides)


def own_entries(name: str, container: Any) -> Setting:
    """Return the setting that is what a dictionary or a list holds, but for what a library adds when it is imported."""
    is_mapping = hasattr(container, "items")
    known = set(map(id, container.values() if is_mapping else container))

    def read() -> tuple[Any, ...]:
        pairs = list(container.items() if is_mapping else enumerate(container))
        kept = [(key, value) for key, value in pairs if id(value) in known or is_plugins(value)]
        return tuple(kept if is_mapping else (value for _, value in kept))

    def write(before: tuple[Any, ...]) -> None:
        if is_mapping:
            for key in [key for key, value in container.items() if is_plugins(value) and id(value) not in known]:
                del container[key]
            container.update(before)
        else:
            added = [value for value in container if id(value) not in known and not is_plugins(value)]
            container[:] = [*before, *added]

    return Setting(name, read, write)


@dataclass
class PutBack:
    """What was not as it had been.

    Attributes
    ----------
    settings : list of str
        What was put back.
    deciding : bool
        Whether measurements may depend on some of these.
    stuck : list of str
        What could not be put back.
    """

    settings: list[str]
    deciding: bool
    stuck: list[str]


class Snapshot:
    """Settings as they are now.

    Parameters
    ----------
    settings : iterable of Setting
        One that cannot be read here, such as a younger library's, is left out.
    """

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._before: list[tuple[Setting, Any]] = []
        for setting in settings:
            try:
                self._before.append((setting, setting.read()))
            except Exception:
                continue

    def put_back(self) -> PutBack:
        """Have every setting as it was."""
        found = PutBack([], False, [])
        for setting, before in self._before:
            if _is(setting, before):
                continue
            try:
                if setting.write is not None:
                    setting.write(before)
            except Exception:  # it is looked at once more below
                pass
            if _is(setting, before):
                found.settings.append(setting.name)
                found.deciding |= setting.decides
            else:
                found.stuck.append(setting.name)
        return found


def _is(setting: Setting, before: Any) -> bool:
    try:
        return same(setting.read(), before)
    except Exception:
        return False


def same(one: Any, other: Any) -> bool:
    """Return whether two readings are the same, without asking objects of a plugin's for their equality."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    # The members of torch's own enumerations are made anew each time.
    return (type(one) in _BY_VALUE or type(one).__module__ == "torch._C") and bool(one == other)
