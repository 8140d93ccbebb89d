"""Carries the outbox to the broker: at least once, urgent work first, and no more of it than workers soon take."""

from celery import Celery
from kombu.messaging import Producer
from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.tables import Outbox
from app.queue.background import Background
from app.queue.celery import ENOUGH, QUEUES
from app.queue.messages import publish

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
        room, least = ENOUGH - held, 0
        if room <= 0:
            room, least = ENOUGH_URGENT - held, 1
        if room <= 0:
            return True
        limit = min(BATCH, room)
        taken = session.execute(_TAKE, {"queue": queue, "least": least, "limit": limit}).all()
        # What is deleted comes in no order. Should the broker not take it, it stays.
        ordered = sorted(taken, key=lambda row: (-row.priority, row.id))
        messages = ((row.task, row.subject, queue, row.priority) for row in ordered)
        publish(self._celery, producer, messages, BATCH)
        return len(taken) < limit


_WAITING = select(*(exists().where(Outbox.queue == queue) for queue in QUEUES))
# Several API processes relay side by side: each takes rows that no other holds.
_TAKE = text(
    "DELETE FROM outbox WHERE id = ANY (ARRAY("
    "SELECT id FROM outbox WHERE queue = :queue AND priority >= :least "
    "ORDER BY priority DESC, id LIMIT :limit FOR UPDATE SKIP LOCKED"
    ")) RETURNING id, task, subject, priority"
)


def _messages(producer: Producer, queue: str) -> int:
    return int(producer.channel.queue_declare(queue).message_count)
