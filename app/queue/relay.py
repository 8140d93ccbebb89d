"""Carries the outbox to the broker: at least once, in order of writing."""

from datetime import UTC, datetime, timedelta

from celery import Celery
from sqlalchemy import delete, select

from app.db.engine import Database
from app.db.tables import Outbox
from app.queue.background import Background
from app.queue.celery import MESSAGE_EXPIRES_SECONDS, message_priority

BATCH = 200


class Relay(Background):
    """Sends what is in the outbox; a message is deleted only once the broker has it."""

    def __init__(self, database: Database, celery: Celery, *, period: float = 1.0) -> None:
        super().__init__(period)
        self._database = database
        self._celery = celery

    def turn(self) -> None:
        """Send all that waits."""
        while self._send_batch() == BATCH:
            pass

    def _send_batch(self) -> int:
        with self._database.transaction() as session:
            # Several API processes relay side by side: each takes rows that no other holds.
            rows = session.scalars(
                select(Outbox).order_by(Outbox.id).limit(BATCH).with_for_update(skip_locked=True)
            ).all()
            if not rows:
                return 0
            expires = datetime.now(UTC) + timedelta(seconds=MESSAGE_EXPIRES_SECONDS)
            sent: list[int] = []
            try:
                with self._celery.producer_pool.acquire(block=True, timeout=5) as producer:
                    for row in rows:
                        self._celery.send_task(
                            f"sufficiency.{row.task}",
                            args=[str(row.subject)],
                            queue=row.queue,
                            priority=message_priority(row.priority),
                            expires=expires,
                            producer=producer,
                        )
                        sent.append(row.id)
            finally:
                # What the broker took before it failed must not be sent again for nothing.
                session.execute(delete(Outbox).where(Outbox.id.in_(sent)))
                if sent and len(sent) < len(rows):
                    session.commit()
            return len(rows)
