"""What was made a moment ago, and is made again only for another key: bounded, and by one thread for all who wait."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Memory(Generic[V]):
    """The values of the keys that were asked for last.

    Parameters
    ----------
    most : int
        What the values may weigh together; one that weighs more alone is not kept.
    weight : callable
        Of a value.
    """

    def __init__(self, most: int, weight: Callable[[V], int]) -> None:
        self._most, self._weight = most, weight
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._weighs = 0
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> V | None:
        """Return the value of a key, or None where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key; `make` makes it where it is not kept, and may raise."""
        if (found := self.find(key)) is not None:
            return found
        with self._lock:
            mine = self._making.setdefault(key, threading.Lock())
        with mine:
            if (found := self.find(key)) is not None:
                return found
            try:
                value = make()
                self._keep(key, value)
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _keep(self, key: Hashable, value: V) -> None:
        weight = self._weight(value)
        if weight > self._most:
            return
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self._weighs += weight
            while self._weighs > self._most:
                _, dropped = self._kept.popitem(last=False)
                self._weighs -= self._weight(dropped)
