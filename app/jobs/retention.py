"""Drops what nothing needs any more of jobs that ended long ago; their results stay."""

from dataclasses import astuple, dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.tables import Dataset, Event, Extension, Job, JobLog, Outbox, Unit
from sufficiency.schemas.words import ENDED

# A batch is a transaction: short enough that nobody waits for it.
BATCH = 20


_is_measured = and_(Job.state == "completed", Job.cells_not_measurable == 0)


@dataclass(frozen=True)
class Dropped:
    """How much was dropped, or would be, and of how many jobs.

    Attributes
    ----------
    jobs : int
    events : int
        All but each job's last, which says how it ended.
    units : int
        Of completed jobs without a cell that could not be measured: nothing is handed out of them again.
    keys : int
        Idempotency keys of extensions.
    pieces : int
        Of what their plugins wrote.
    messages : int
        To workers, that never reached the broker and are about nothing that is still open.
    """

    jobs: int = 0
    events: int = 0
    units: int = 0
    keys: int = 0
    pieces: int = 0
    messages: int = 0

    def __add__(self, other: "Dropped") -> "Dropped":
        return Dropped(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def prune(database: Database, older_than: timedelta, *, dry_run: bool = False) -> Dropped:
    """Drop what jobs that ended before `older_than` ago no longer need.

    Jobs, cells, measurements and curves stay: they can be read, exported and extended as before. Failed and cancelled
    jobs, and completed ones with cells that could not be measured, keep their units too, so that they can be retried.

    Parameters
    ----------
    dry_run : bool
        Only count.
    """
    dropped = Dropped(messages=_messages(database, older_than, dry_run))
    last: UUID | None = None
    while True:
        with database.transaction() as session:
            jobs = _batch(session, older_than, last, lock=not dry_run)
            if not jobs:
                return dropped
            dropped += _counted(session, jobs) if dry_run else _dropped(session, jobs)
            last = jobs[-1]


def _batch(session: Session, older_than: timedelta, after: UUID | None, *, lock: bool) -> list[UUID]:
    has_events = exists().where(Event.job_id == Job.id, Event.seq < Job.event_seq)
    has_units = and_(_is_measured, exists().where(Unit.job_id == Job.id))
    has_keys = exists().where(Extension.job_id == Job.id)
    has_output = exists().where(JobLog.job_id == Job.id)
    has_any = or_(has_events, has_units, has_keys, has_output)
    statement = (
        select(Job.id)
        .where(Job.state.in_(ENDED), Job.finished_at < func.now() - older_than, has_any)
        .order_by(Job.id)
        .limit(BATCH)
    )
    if after is not None:
        statement = statement.where(Job.id > after)
    if lock:
        # Whoever holds one is about to take it up again.
        statement = statement.with_for_update(skip_locked=True)
    return list(session.scalars(statement))


def _conditions(jobs: list[UUID]) -> list[tuple[type[Event | Unit | Extension | JobLog], ColumnElement[bool]]]:
    last = select(Job.event_seq).where(Job.id == Event.job_id).scalar_subquery()
    completed = select(Job.id).where(Job.id.in_(jobs), _is_measured)
    return [
        (Event, and_(Event.job_id.in_(jobs), Event.seq < last)),
        (Unit, Unit.job_id.in_(completed)),
        (Extension, Extension.job_id.in_(jobs)),
        (JobLog, JobLog.job_id.in_(jobs)),
    ]


def _counted(session: Session, jobs: list[UUID]) -> Dropped:
    counts = [
        session.scalar(select(func.count()).select_from(table).where(condition)) or 0
        for table, condition in _conditions(jobs)
    ]
    return Dropped(len(jobs), *counts)


def _dropped(session: Session, jobs: list[UUID]) -> Dropped:
    return Dropped(len(jobs), *(_delete(session, table, condition) for table, condition in _conditions(jobs)))


def _delete(
    session: Session, table: type[Event | Unit | Extension | JobLog | Outbox], condition: ColumnElement[bool]
) -> int:
    result = session.execute(delete(table).where(condition), execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount


def _messages(database: Database, older_than: timedelta, dry_run: bool) -> int:
    is_open = or_(
        exists().where(Unit.id == Outbox.subject, Unit.state == "queued"),
        exists().where(Job.id == Outbox.subject, Job.state == "queued"),
        exists().where(Dataset.id == Outbox.subject, Dataset.status == "verifying"),
    )
    condition = and_(Outbox.created_at < func.now() - older_than, ~is_open)
    with database.transaction() as session:
        if dry_run:
            return session.scalar(select(func.count()).select_from(Outbox).where(condition)) or 0
        return _delete(session, Outbox, condition)
