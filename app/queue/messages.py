"""How a message to a worker is written: as Celery does (its protocol 2), once for all that are sent together.

Most of what `Celery.send_task` does is the same for each of a job's dozens of messages, and takes ten times what it
takes to write one. So Celery writes the first of a kind, and the others are that one with another id and subject.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from celery import Celery
from kombu.messaging import Producer

# A message only says that there is work: the sweeper sends it again, so an old one may as well vanish.
MESSAGE_EXPIRES_SECONDS = 24 * 3600
_SUBJECT = "\x00subject"

# What is sent: task, subject, queue and priority.
Message = tuple[str, UUID, str, int]


def message_priority(priority: int) -> int:
    """Return Celery's Redis priority (0 is served first) of a job's priority (9 is served first)."""
    return 9 - priority


def publish(celery: Celery, producer: Producer, messages: Iterable[Message], most: int) -> None:
    """Hand messages to the broker, in one turn with it; should that fail, it may have some of them twice.

    Parameters
    ----------
    most : int
        How many there may be.
    """
    written: dict[str, tuple[dict[str, object], str]] = {}
    with producer.batch(max_size=most):  # type: ignore[no-untyped-call]
        for task, subject, queue, priority in messages:
            headers, body = written.get(task) or written.setdefault(task, _written(celery, task))
            id = str(uuid4())
            producer.publish(  # type: ignore[no-untyped-call]
                body.replace(_QUOTED, f'"{subject}"'),
                routing_key=queue,
                exchange="",  # it hands a message to the queue of that name, which is there: its messages were counted
                content_type="application/json",
                content_encoding="utf-8",
                headers={**headers, "id": id, "root_id": id},
                priority=message_priority(priority),
                correlation_id=id,
            )


def _written(celery: Celery, task: str) -> tuple[dict[str, object], str]:
    """Return headers and body of a message as Celery writes them, but for its id and its subject."""
    expires = datetime.now(UTC) + timedelta(seconds=MESSAGE_EXPIRES_SECONDS)
    # A unit's id is for workers of 0.1: one of this version takes the unit whose turn it is.
    message = celery.amqp.as_task_v2(
        "", f"sufficiency.{task}", args=[_SUBJECT], argsrepr="", kwargsrepr="", expires=expires, ignore_result=None
    )
    return dict(message.headers), json.dumps(message.body)


_QUOTED = json.dumps(_SUBJECT)
