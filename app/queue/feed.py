"""Looks for news on behalf of all streams of a process: one look for however many."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.db.engine import Database
from app.queue.background import Background

LOOK_SECONDS = 0.25

T = TypeVar("T")
Place = tuple[UUID, int]  # a job, and the number of the last that is known of it
Look = Callable[[Session, Sequence[Place]], Iterator[tuple[Place, T]]]


class Feed(Background, Generic[T]):
    """Hands each stream what follows its place.

    A stream asks for what follows the last that it has sent. Who has just come, or has more to read, is looked for at
    once; all others together, once a period. A slow client asks late, and so nothing piles up for it here.

    Parameters
    ----------
    look : callable
        Yields what there is to tell of some of the places that it is given.
    """

    def __init__(self, database: Database, look: Look[T], *, period: float = LOOK_SECONDS) -> None:
        super().__init__(period)
        self._database = database
        self._look = look
        self._lock = threading.Lock()
        self._new: dict[Place, set[asyncio.Future[T | None]]] = {}
        self._waiting: dict[Place, set[asyncio.Future[T | None]]] = {}
        self._look_at = 0.0
        self._closed = False

    async def next(self, job_id: UUID, seq: int, *, at_once: bool) -> T | None:
        """Return what follows a job's number `seq`, as soon as there is something.

        Parameters
        ----------
        job_id : UUID
        seq : int
        at_once : bool
            There may be something already.

        Returns
        -------
        object or None
            None: the server ends, or its database is away; the stream is to end, and its client will come back.
        """
        place = job_id, seq
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                return None
            (self._new if at_once else self._waiting).setdefault(place, set()).add(future)
        if at_once:
            self.wake()
        try:
            return await future
        finally:
            with self._lock:
                for asking in (self._new, self._waiting):
                    futures = asking.get(place, set())
                    futures.discard(future)
                    if not futures:
                        asking.pop(place, None)

    def close(self) -> None:
        """End all streams, and those to come."""
        with self._lock:
            self._closed = True
        self._end_all()

    def turn(self) -> None:
        """Look for those who have just come and, if it is time, for all."""
        try:
            if asking := self._due():
                with self._database.transaction() as session:
                    for place, batch in self._look(session, asking):
                        self._answer(place, batch)
        except Exception:
            self._end_all()
            raise

    def _due(self) -> list[Place]:
        with self._lock:
            new, self._new = self._new, {}
            for place, futures in new.items():
                self._waiting.setdefault(place, set()).update(futures)
            if time.monotonic() < self._look_at:
                return list(new)
            self._look_at = time.monotonic() + self._period
            return list(self._waiting)

    def _answer(self, place: Place, batch: T | None) -> None:
        with self._lock:
            futures = self._waiting.pop(place, set())
        for future in futures:
            _give(future, batch)

    def _end_all(self) -> None:
        with self._lock:
            asking, self._new, self._waiting = [self._new, self._waiting], {}, {}
        for futures in (futures for some in asking for futures in some.values()):
            for future in futures:
                _give(future, None)


def _give(future: "asyncio.Future[T | None]", batch: T | None) -> None:
    def give() -> None:
        if not future.done():
            future.set_result(batch)

    with suppress(RuntimeError):  # the loop has ended, and the stream with it
        future.get_loop().call_soon_threadsafe(give)
