"""Notices a PostgreSQL that has stopped answering, and lets nobody wait for it: neither who asks nor who comes later.

A server that is stopped, or whose disk hangs, confirms every packet and says nothing: no timeout of the network or of
the server itself ends that. So it is looked at here, where the answer is waited for.
"""

import threading
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")

ANSWER_SECONDS = 20.0  # more than the longest wait for a lock, of which the server tells
WHEN_FROZEN_SECONDS = 1.0  # so long is it given once it is known, by one who looks whether it is back
CONNECT_SECONDS = (5, 2)  # at first, and once it is known


class Silence:
    """Whether the server answers, as all connections of a process see it.

    Parameters
    ----------
    patience : float
        How long an answer may take, in seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._frozen = False
        self._look_at = 0.0

    def refuse(self) -> None:
        """Let one a second ask a server that does not answer.

        Raises
        ------
        psycopg.OperationalError
            For all others.
        """
        if not self._frozen:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._look_at:
                raise psycopg.OperationalError("PostgreSQL does not answer")
            self._look_at = now + WHEN_FROZEN_SECONDS

    def answered(self) -> None:
        """Note that it does."""
        self._frozen = False

    def note(self) -> None:
        """Note that it does not."""
        self._frozen = True

    def is_too_long(self, seconds: float) -> bool:
        """Return whether an answer has been waited for in vain; then it is known to all who wait."""
        if seconds > self._patience:
            self._frozen = True
        return self._frozen and seconds > WHEN_FROZEN_SECONDS

    @property
    def connect_timeout(self) -> int:
        """How long a new connection may take, in seconds."""
        return CONNECT_SECONDS[self._frozen]


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is closed when an answer takes too long."""

    silence: Silence

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Do what the driver does, as long as there is an answer in time."""
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        silence = getattr(self, "silence", None)  # it has none until it is connected
        began = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and silence is not None and silence.is_too_long(time.monotonic() - began):
                    self.pgconn.finish()
                    raise psycopg.OperationalError("PostgreSQL does not answer")
                wanted = gen.send(ready)
        except StopIteration as stop:
            if silence is not None:
                silence.answered()
            answer: T = stop.value
            return answer
