"""Looks for new events on behalf of all event streams of a process: one look for however many streams."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, bindparam, column, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from app.db.engine import Database
from app.db.tables import Event, Job
from app.queue.background import Background
from sufficiency.schemas.words import ENDED

LOOK_SECONDS = 0.25
MOST_EVENTS = 500  # of one job, handed out at a time
JOBS_AT_A_TIME = 20  # whose events are in memory together


@dataclass(frozen=True)
class EventBatch:
    """Events of a job in order.

    Attributes
    ----------
    events : sequence of Event
    last : bool
        No more can follow unless the job is taken up again.
    pruned : int
        How many before the first of them have been dropped; see `app.jobs.retention`.
    """

    events: Sequence[Event]
    last: bool
    pruned: int


Place = tuple[UUID, int]  # a job, and the last of its events that is known
Asking = dict[Place, set["asyncio.Future[EventBatch | None]"]]


class Feed(Background):
    """Hands each stream the next events of its job.

    A stream asks for what follows the last event that it has sent. Who has just come, or has more to read, is looked
    for at once; all others together, once a period. A slow client asks late, and so nothing piles up for it here.
    """

    def __init__(self, database: Database, *, period: float = LOOK_SECONDS) -> None:
        super().__init__(period)
        self._database = database
        self._lock = threading.Lock()
        self._new: Asking = {}
        self._waiting: Asking = {}
        self._look_at = 0.0
        self._closed = False

    async def next(self, job_id: UUID, seq: int, *, at_once: bool) -> EventBatch | None:
        """Return what follows a job's event `seq`, as soon as there is something.

        Parameters
        ----------
        job_id : UUID
        seq : int
        at_once : bool
            There may be something already.

        Returns
        -------
        EventBatch or None
            None: the server ends, or its database is away; the stream is to end, and its client will come back.
        """
        place = job_id, seq
        future: asyncio.Future[EventBatch | None] = asyncio.get_running_loop().create_future()
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
                _forget(self._new, place, future)
                _forget(self._waiting, place, future)

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
                    for place, batch in _news(session, asking):
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

    def _answer(self, place: Place, batch: EventBatch | None) -> None:
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


def _forget(asking: Asking, place: Place, future: "asyncio.Future[EventBatch | None]") -> None:
    futures = asking.get(place, set())
    futures.discard(future)
    if not futures:
        asking.pop(place, None)


def _give(future: "asyncio.Future[EventBatch | None]", batch: EventBatch | None) -> None:
    def give() -> None:
        if not future.done():
            future.set_result(batch)

    with suppress(RuntimeError):  # the loop has ended, and the stream with it
        future.get_loop().call_soon_threadsafe(give)


PLACES = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(BigInteger)))
    .table_valued(column("id", Uuid), column("seq", BigInteger))
    .render_derived("place")
)
# Of 2,000 jobs that nothing happens to, this reads an index and answers nothing.
MOVED = (
    select(PLACES.c.id, PLACES.c.seq, Job.state)
    .select_from(PLACES.outerjoin(Job, Job.id == PLACES.c.id))
    .where(or_(Job.id.is_(None), Job.event_seq > PLACES.c.seq, Job.state.in_(ENDED)))
)
_following = (
    select(Event)
    .where(Event.job_id == PLACES.c.id, Event.seq > PLACES.c.seq)
    .order_by(Event.seq)
    .limit(MOST_EVENTS)
    .lateral()
)
_FOLLOWING_EVENT = aliased(Event, _following)
FOLLOWING = (
    select(PLACES.c.id, PLACES.c.seq, _FOLLOWING_EVENT)
    .select_from(PLACES)
    .join(_following, true())
    .order_by(PLACES.c.id, PLACES.c.seq, _FOLLOWING_EVENT.seq)
)


def _news(session: Session, places: Sequence[Place]) -> Iterator[tuple[Place, EventBatch]]:
    """Yield what there is to tell of some of the places."""
    # The states first: if a job has ended, all its events are there to be seen by the second query.
    states = {(id, seq): state for id, seq, state in session.execute(MOVED, _arrays(places))}
    moved = list(states)
    for first in range(0, len(moved), JOBS_AT_A_TIME):
        some = moved[first : first + JOBS_AT_A_TIME]
        found: dict[Place, list[Event]] = {place: [] for place in some}
        for id, seq, event in session.execute(FOLLOWING, _arrays(some)):
            found[id, seq].append(event)
        for place, events in found.items():
            last = (states[place] is None or states[place] in ENDED) and len(events) < MOST_EVENTS
            if events or last:
                yield place, EventBatch(events, last, pruned=events[0].seq - place[1] - 1 if events else 0)
        session.expunge_all()


def _arrays(places: Sequence[Place]) -> Mapping[str, list[UUID] | list[int]]:
    return {"ids": [id for id, _ in places], "seqs": [seq for _, seq in places]}
