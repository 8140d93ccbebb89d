"""Finds what got lost: expired leases, messages that nobody has any more, jobs past their time, silent workers."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import Celery
from psycopg.errors import LockNotAvailable
from sqlalchemy import ColumnElement, Row, Select, delete, func, or_, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.catalog.workers import is_silent, live_workers
from app.curves.untold import tell_untold
from app.db.engine import Database, is_away
from app.db.tables import Dataset, Job, Outbox, Unit, Worker
from app.jobs.ending import expire_job
from app.queue.background import Background
from app.queue.celery import QUESTIONS, QUEUES, waiting_messages
from app.queue.outbox import enqueue
from app.settings import Settings
from app.units.lease import LONGEST_BACKOFF_SECONDS, expire_lease, is_over

logger = logging.getLogger(__name__)

ADVISORY_LOCK = 0x5F_FF_1C_1E_4C_1E
SILENT_WORKER = timedelta(minutes=5)
BATCH = 500
CLOCK_STEP_SECONDS = 2.0


class Sweeper(Background):
    """Runs in every API process; an advisory lock lets one of them work at a time.

    Attributes
    ----------
    broker_problem : str or None
        Why the broker could not be asked at the last turn.
    """

    def __init__(self, database: Database, celery: Celery, settings: Settings) -> None:
        super().__init__(settings.sweep_seconds)
        self._database = database
        self._celery = celery
        self._settings = settings
        self._last_turn = self._trust_after = time.monotonic()
        self.broker_problem: str | None = None  # why the broker could not be asked the last time
        self._told: set[UUID] = set()
        self._clock: tuple[float, float] | None = None  # the database's, and the monotonic one

    def turn(self) -> None:
        """Free expired leases, end overdue jobs, send lost messages again, forget silent workers."""
        now = time.monotonic()
        if now - self._last_turn > self._settings.lease_seconds / 2 + self._settings.sweep_seconds:
            # The database was away: leases ran out because nobody could renew them. Give their owners the chance.
            self._trust_after = now + 2 * self._settings.heartbeat_seconds
        self._mind_the_clock()
        if now >= self._trust_after:
            self._free_expired()
        self._end_overdue()
        tell_untold(self._database)
        waiting = self._waiting()
        with self._database.transaction() as session:
            if session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=ADVISORY_LOCK)):
                self._send_due(session)
                if waiting is not None:
                    self._send_lost(session, waiting)
                session.execute(delete(Worker).where(is_silent(SILENT_WORKER)))
        self._last_turn = time.monotonic()

    def _mind_the_clock(self) -> None:
        """Let workers renew their leases by a clock that has been set: until then, what it says of leases is untrue."""
        with self._database.transaction() as session:
            told = float(session.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)
        now = time.monotonic()
        if self._clock is not None:
            step = (told - self._clock[0]) - (now - self._clock[1])
            if abs(step) > CLOCK_STEP_SECONDS:
                logger.warning("the database's clock was set by %+.0f s", step)
                self._trust_after = now + 2 * self._settings.heartbeat_seconds
        self._clock = told, now

    def _free_expired(self) -> None:
        seen: set[tuple[UUID, UUID | None]] = set()
        for unit_id, attempt, job_id, worker_id in self._expired():
            holder = (job_id, worker_id)
            try:
                with self._database.transaction() as session:
                    if expire_lease(
                        session,
                        unit_id,
                        attempt,
                        lease_seconds=self._settings.lease_seconds,
                        counts_for_job=holder not in seen,
                        max_attempts=self._settings.max_attempts,
                        max_deaths=self._settings.max_deaths,
                    ):
                        logger.warning("lease of unit %s (attempt %d) expired: taken back", unit_id, attempt)
                        seen.add(holder)
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                # Somebody holds the job, such as who is fitting its many curves: the others are not to wait for it.
                logger.warning("the expired lease of unit %s cannot be looked at yet: its job is locked", unit_id)
            except Exception as error:
                self._pass_over(f"the expired lease of unit {unit_id}", unit_id, error)

    def _expired(self) -> list[tuple[UUID, int, UUID, UUID | None]]:
        # A PostgreSQL that has just started was away as well, also for an API process that started with it.
        patience = timedelta(seconds=2 * self._settings.heartbeat_seconds)
        with self._database.transaction() as session:
            rows = session.execute(
                select(Unit.id, Unit.attempt, Unit.job_id, Unit.worker_id)
                .where(
                    Unit.state == "leased",
                    is_over(self._settings.lease_seconds),
                    func.now() > func.pg_postmaster_start_time() + patience,
                )
                .limit(BATCH)
            )
            return [(row.id, row.attempt, row.job_id, row.worker_id) for row in rows]

    def _end_overdue(self) -> None:
        limit = self._settings.job_timeout_seconds
        if limit is None:
            return
        with self._database.transaction() as session:
            overdue = select(Job.id).where(
                Job.state == "running", Job.started_at < func.now() - timedelta(seconds=limit)
            )
            ids = session.scalars(overdue.limit(BATCH)).all()
        for job_id in ids:
            try:
                with self._database.transaction() as session:
                    expire_job(session, job_id, limit)
            except Exception as error:
                self._pass_over(f"the end of job {job_id}, which is out of time,", job_id, error)

    def _pass_over(self, what: str, subject: UUID, error: Exception) -> None:
        """Say once that something cannot be done, and go on: what is behind it is not to wait for it."""
        if is_away(error):
            raise error
        if subject not in self._told:
            logger.error("%s cannot be written, now and at each turn", what, exc_info=error)
            self._told.add(subject)

    def _waiting(self) -> dict[str, int] | None:
        """Return how many messages the broker holds, or None when it cannot be asked: then nothing can be sent."""
        try:
            waiting = waiting_messages(self._celery)
        except Exception as error:  # whatever the transport raises
            if self.broker_problem is None:
                logger.warning("the broker is away, will go on trying: %s", error)
            self.broker_problem = type(error).__name__
            return None
        self.broker_problem = None
        return waiting

    def _send_due(self, session: Session) -> None:
        """Send the units whose pause after a death is over."""
        units = session.execute(
            _queued_units()
            .where(Unit.sent_at.is_(None), _is_due())
            .limit(BATCH)
            .with_for_update(of=Unit, skip_locked=True)
        ).all()
        self._send_units(session, units)
        due = [unit.id for unit in units]
        session.execute(update(Unit).where(Unit.id.in_(due), Unit.not_before > func.now()).values(not_before=None))

    def _send_lost(self, session: Session, waiting: dict[str, int]) -> None:
        """Send again what waits in the database and no more in the broker: a flush or a dying worker took the message.

        Whatever waits has a message, and slots that are free leave no message lying: so as long as there are as many
        messages as things that wait, nothing that could be done now is held up, and more of them would only pile up.
        A message about a unit is as good for any other, also once that unit is taken or cancelled.
        """
        unsent = dict(session.execute(select(Outbox.queue, func.count()).group_by(Outbox.queue)).all())
        live = live_workers(session, self._settings)
        for queue in QUEUES:
            units = _queued_units().where(Unit.sent_at.is_not(None), Job.device == queue)
            waits = session.scalar(select(func.count()).select_from(units.subquery())) or 0
            plans = self._stale_plans(session) if queue == QUESTIONS else []
            datasets = self._stale_datasets(session) if queue == QUESTIONS else []
            missing = waits + len(plans) + len(datasets) - waiting[queue] - unsent.get(queue, 0)
            if missing <= 0:
                continue
            # A turn wakes no more slots than there are. It may be that no worker is able to run what waits, and each
            # message is then taken for nothing; and who has run a unit and finds no message asks without one.
            _, slots = live.slots(worker for worker in live.workers if queue in worker.devices)
            lost = session.execute(
                units.where(self._is_stale(Unit.sent_at))
                .order_by(Unit.sent_at, Unit.id)
                .limit(min(missing, slots, BATCH))
                .with_for_update(of=Unit, skip_locked=True)
            ).all()
            self._send_units(session, lost)
            for job_id, priority in plans:
                enqueue(session, "plan_job", job_id, queue, priority)
            for dataset_id in datasets:
                enqueue(session, "verify_dataset", dataset_id, queue)
            ids = [job_id for job_id, _ in plans]
            session.execute(update(Job).where(Job.id.in_(ids)).values(plan_sent_at=func.now()))
            session.execute(update(Dataset).where(Dataset.id.in_(datasets)).values(sent_at=func.now()))
            if lost or plans or datasets:
                logger.info("queue %s had lost messages: sent %d units again", queue, len(lost))

    def _is_stale(self, sent_at: InstrumentedAttribute[datetime | None]) -> ColumnElement[bool]:
        """Return the condition that what was sent, and still waits, counts as lost if there are too few messages."""
        # What was sent far after now was sent before the clock was set back; a little after, while this looks.
        pause = timedelta(seconds=self._settings.resend_seconds)
        return or_(sent_at < func.now() - pause, sent_at > func.now() + pause)

    def _stale_plans(self, session: Session) -> list[tuple[UUID, int]]:
        unplanned = Job.state == "queued", Job.steps.is_(None), self._is_stale(Job.plan_sent_at)
        rows = session.execute(select(Job.id, Job.priority).where(*unplanned).limit(BATCH))
        return [(job_id, priority) for job_id, priority in rows]

    def _stale_datasets(self, session: Session) -> Sequence[UUID]:
        unverified = Dataset.status == "verifying", self._is_stale(Dataset.sent_at)
        return session.scalars(select(Dataset.id).where(*unverified).limit(BATCH)).all()

    def _send_units(self, session: Session, units: Sequence[Row[*tuple[Any, ...]]]) -> None:
        for unit_id, device, priority in units:
            enqueue(session, "run_unit", unit_id, device, priority)
        session.execute(update(Unit).where(Unit.id.in_([unit.id for unit in units])).values(sent_at=func.now()))


def _is_due() -> ColumnElement[bool]:
    """Return the condition that a unit's pause is over, or longer than any: the clock was set back since."""
    longest = timedelta(seconds=2 * LONGEST_BACKOFF_SECONDS)
    return or_(Unit.not_before <= func.now(), Unit.not_before > func.now() + longest)


def _queued_units() -> Select[*tuple[Any, ...]]:
    return (
        select(Unit.id, Job.device, Job.priority)
        .join(Job, Job.id == Unit.job_id)
        .where(Unit.state == "queued", Job.state.in_(("queued", "running")))
    )
