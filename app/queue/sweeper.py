"""Finds what got lost: expired leases, messages that nobody acted on, workers that went silent."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.tables import Dataset, Job, Unit, Worker
from app.queue.background import Background
from app.queue.lease import surrender_unit
from app.queue.outbox import enqueue
from app.settings import Settings

logger = logging.getLogger(__name__)

ADVISORY_LOCK = 0x5F_FF_1C_1E_4C_1E
SILENT_WORKER = timedelta(minutes=5)
BATCH = 500


class Sweeper(Background):
    """Runs in every API process; an advisory lock lets one of them work at a time."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(settings.sweep_seconds)
        self._database = database
        self._settings = settings
        self._last_turn = self._trust_after = time.monotonic()

    def turn(self) -> None:
        """Free expired leases, send waiting work again, forget silent workers."""
        now = time.monotonic()
        if now - self._last_turn > self._settings.lease_seconds / 2 + self._settings.sweep_seconds:
            # The database was away: leases ran out because nobody could renew them. Give their owners the chance.
            self._trust_after = now + 2 * self._settings.heartbeat_seconds
        if now >= self._trust_after:
            self._free_expired()
        with self._database.transaction() as session:
            if session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=ADVISORY_LOCK)):
                self._resend(session)
                session.execute(delete(Worker).where(Worker.heartbeat_at < func.now() - SILENT_WORKER))
        self._last_turn = time.monotonic()

    def _free_expired(self) -> None:
        seen: set[tuple[UUID, UUID | None]] = set()
        for unit_id, attempt, job_id, worker_id in self._expired():
            holder = (job_id, worker_id)
            with self._database.transaction() as session:
                logger.warning("lease of unit %s (attempt %d) expired: taken back", unit_id, attempt)
                error = {
                    "code": "worker_lost",
                    "detail": "The worker went silent and its lease expired.",
                    "where": {"phase": "lease"},
                }
                surrender_unit(
                    session,
                    unit_id,
                    attempt,
                    error,
                    counts=True,
                    counts_for_job=holder not in seen,
                    max_attempts=self._settings.max_attempts,
                    max_deaths=self._settings.max_deaths,
                )
            seen.add(holder)

    def _expired(self) -> list[tuple[UUID, int, UUID, UUID | None]]:
        with self._database.transaction() as session:
            rows = session.execute(
                select(Unit.id, Unit.attempt, Unit.job_id, Unit.worker_id)
                .where(Unit.state == "leased", Unit.lease_expires_at < func.now())
                .limit(BATCH)
            )
            return [(row.id, row.attempt, row.job_id, row.worker_id) for row in rows]

    def _resend(self, session: Session) -> None:
        stale = func.now() - timedelta(seconds=self._settings.resend_seconds)
        due = or_(
            and_(Unit.not_before.is_not(None), Unit.not_before <= func.now(), Unit.sent_at.is_(None)),
            and_(Unit.not_before.is_(None) | (Unit.not_before <= func.now()), Unit.sent_at < stale),
        )
        # The oldest of each job first, and not a flood of them: what waits behind busy slots is not lost.
        units = session.execute(
            select(Unit.id, Job.device, Job.priority)
            .join(Job, Job.id == Unit.job_id)
            .where(Unit.state == "queued", Job.state.in_(("queued", "running")), due)
            .order_by(Unit.sent_at.nulls_first(), Unit.id)
            .limit(BATCH)
        ).all()
        for unit_id, device, priority in units:
            enqueue(session, "run_unit", unit_id, device, priority)
        if units:
            session.execute(update(Unit).where(Unit.id.in_([u.id for u in units])).values(sent_at=func.now()))
        datasets = select(Dataset.id).where(Dataset.status == "verifying", Dataset.sent_at < stale).limit(BATCH)
        for dataset_id in session.scalars(datasets).all():
            enqueue(session, "verify_dataset", dataset_id, "cpu")
            session.execute(update(Dataset).where(Dataset.id == dataset_id).values(sent_at=func.now()))
        plans = select(Job.id).where(Job.state == "queued", Job.steps.is_(None), Job.plan_sent_at < stale).limit(BATCH)
        for job_id in session.scalars(plans).all():
            enqueue(session, "plan_job", job_id, "cpu")
            session.execute(update(Job).where(Job.id == job_id).values(plan_sent_at=func.now()))
