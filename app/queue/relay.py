"""Carries the outbox to the broker: at least once, urgent work first, and no more of it than workers soon take."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from celery import Celery
from kombu.messaging import Producer
from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.tables import Outbox
from app.queue.background import Background
from app.queue.celery import ENOUGH, MESSAGE_EXPIRES_SECONDS, QUEUES, message_priority

BATCH = 200
# For what is urgent there is room of its own: it overtakes in the broker, and only there.
ENOUGH_URGENT = 2 * ENOUGH


class Relay(Background):
    """Sends what is in the outbox; a message is deleted only once the broker has it."""

    def __init__(self, database: Database, celery: Celery, *, period: float = 1.0) -> None:
        super().__init__(period)
        self._database = database
        self._celery = celery
        self._broker_is_full = False

    def wake(self) -> None:
        """Ask for a turn at once; with enough in the broker the next one will do."""
        if not self._broker_is_full:
            super().wake()

    def turn(self) -> None:
        """Send what waits, as far as the broker has room."""
        while self._send_batch():
            pass

    def _send_batch(self) -> bool:
        """Send some of what waits; return whether there may be more to send."""
        with self._database.transaction() as session:
            # One query for all of them: it is asked every second, and most of the time nothing waits.
            waiting = [queue for queue, waits in zip(QUEUES, session.execute(_WAITING).one(), strict=True) if waits]
            if not waiting:
                self._broker_is_full = False
                return False
            with self._celery.producer_pool.acquire(block=True, timeout=5) as producer:
                held = {queue: _messages(producer, queue) for queue in waiting}
                self._broker_is_full = all(count >= ENOUGH for count in held.values())
                sent_all = [self._send(session, producer, queue, count) for queue, count in held.items()]
            return not all(sent_all)

    def _send(self, session: Session, producer: Producer, queue: str, held: int) -> bool:
        """Send the most urgent of a queue, as far as there is room; return whether no more can be sent now."""
        wanted, room = _of(queue), ENOUGH - held
        if room <= 0:
            wanted, room = wanted.where(Outbox.priority > 0), ENOUGH_URGENT - held
        if room <= 0:
            return True
        # Several API processes relay side by side: each takes rows that no other holds.
        limit = min(BATCH, room)
        rows = session.scalars(wanted.limit(limit).with_for_update(skip_locked=True)).all()
        self._publish(producer, rows)
        session.execute(delete(Outbox).where(Outbox.id.in_([row.id for row in rows])))
        return len(rows) < limit

    def _publish(self, producer: Producer, rows: Iterable[Outbox]) -> None:
        """Hand messages to the broker, in one turn with it; should that fail, it may have some of them twice."""
        expires = datetime.now(UTC) + timedelta(seconds=MESSAGE_EXPIRES_SECONDS)
        with producer.batch(max_size=BATCH):  # type: ignore[no-untyped-call]
            for row in rows:
                self._celery.send_task(
                    f"sufficiency.{row.task}",
                    # A unit's id is for workers of 0.1: one of this version takes the unit whose turn it is.
                    args=[str(row.subject)],
                    argsrepr="",
                    kwargsrepr="",
                    queue=row.queue,
                    declare=[],  # it was, for its messages to be counted
                    priority=message_priority(row.priority),
                    expires=expires,
                    producer=producer,
                )


_WAITING = select(*(exists().where(Outbox.queue == queue) for queue in QUEUES))


def _of(queue: str) -> Select[Outbox]:
    return select(Outbox).where(Outbox.queue == queue).order_by(Outbox.priority.desc(), Outbox.id)


def _messages(producer: Producer, queue: str) -> int:
    return int(producer.channel.queue_declare(queue).message_count)
