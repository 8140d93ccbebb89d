"""What follows in the events, and in the output, of jobs that are followed: a query for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Select, Uuid, bindparam, column, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from app.db.tables import Event, Job, JobLog
from app.queue.feed import Place
from sufficiency.schemas.words import ENDED

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


@dataclass(frozen=True)
class LogBatch:
    """Some of a job's output in order.

    Attributes
    ----------
    pieces : sequence of JobLog
    state : str or None
        The job's; None when it is deleted.
    last : bool
        No more can follow unless the job is taken up again.
    """

    pieces: Sequence[JobLog]
    state: str | None
    last: bool


def events_after(session: Session, places: Sequence[Place]) -> Iterator[tuple[Place, EventBatch]]:
    """Yield the events that follow at those places where there are any, or where none can follow."""
    for place, state, events in _after(session, places, _MOVED, _EVENTS):
        last = (state is None or state in ENDED) and len(events) < MOST_EVENTS
        if events or last:
            yield place, EventBatch(events, last, pruned=events[0].seq - place[1] - 1 if events else 0)


def output_after(session: Session, places: Sequence[Place]) -> Iterator[tuple[Place, LogBatch]]:
    """Yield the output that follows at those places where there is any, or where none can follow."""
    for place, state, pieces in _after(session, places, _WRITTEN, _PIECES):
        last = (state is None or state in ENDED) and len(pieces) < MOST_EVENTS
        if pieces or last:
            yield place, LogBatch(pieces, state, last)


def _after(
    session: Session, places: Sequence[Place], moved: Select[Any], following: Select[Any]
) -> Iterator[tuple[Place, str | None, list[Any]]]:
    # The states first: if a job has ended, all there is of it is there to be seen by the second query.
    states = {(id, seq): state for id, seq, state in session.execute(moved, _arrays(places))}
    told = list(states)
    for first in range(0, len(told), JOBS_AT_A_TIME):
        found: dict[Place, list[Any]] = {place: [] for place in told[first : first + JOBS_AT_A_TIME]}
        for id, seq, row in session.execute(following, _arrays(list(found))):
            found[id, seq].append(row)
        for place, rows in found.items():
            yield place, states[place], rows
        session.expunge_all()


def _arrays(places: Sequence[Place]) -> Mapping[str, list[UUID] | list[int]]:
    return {"ids": [id for id, _ in places], "seqs": [seq for _, seq in places]}


_PLACES = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(BigInteger)))
    .table_valued(column("id", Uuid), column("seq", BigInteger))
    .render_derived("place")
)


def _moved(newest: Any) -> Select[Any]:
    """Return the query for the places behind which there is something; of those where not, it reads an index alone."""
    return (
        select(_PLACES.c.id, _PLACES.c.seq, Job.state)
        .select_from(_PLACES.outerjoin(Job, Job.id == _PLACES.c.id))
        .where(or_(Job.id.is_(None), newest > _PLACES.c.seq, Job.state.in_(ENDED)))
    )


def _behind(table: type[Event] | type[JobLog]) -> Select[Any]:
    """Return the query for what is behind places."""
    found = (
        select(table)
        .where(table.job_id == _PLACES.c.id, table.seq > _PLACES.c.seq)
        .order_by(table.seq)
        .limit(MOST_EVENTS)
        .lateral()
    )
    row = aliased(table, found)
    return (
        select(_PLACES.c.id, _PLACES.c.seq, row)
        .select_from(_PLACES)
        .join(found, true())
        .order_by(_PLACES.c.id, _PLACES.c.seq, row.seq)
    )


_MOVED = _moved(Job.event_seq)
_EVENTS = _behind(Event)
_WRITTEN = _moved(
    select(func.max(JobLog.seq)).where(JobLog.job_id == _PLACES.c.id).correlate(_PLACES).scalar_subquery()
)
_PIECES = _behind(JobLog)
