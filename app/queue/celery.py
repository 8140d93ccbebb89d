"""The Celery application that API and worker share: how a message looks, never what it does."""

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.connection import Connection

from app.settings import Settings

# What does not train anything: datasets to verify, schedules to ask. It must not wait behind what does.
QUESTIONS = "questions"
QUEUES = ("cpu", "cuda", QUESTIONS)
# Messages of a queue that the broker is given at a time: many more than all slots take between two turns. What waits
# behind them waits as well in the database, where it costs nothing to send, is ordered, and cannot get lost.
ENOUGH = 1000
BROKER_PATIENCE_SECONDS = 5


def make_celery(settings: Settings) -> Celery:
    """Return a Celery application on the settings' broker.

    Recovery belongs to the lease, so messages are acknowledged early and no result is kept: late
    acknowledgement with Redis delivers a long task again at the visibility timeout.
    """
    celery = Celery("sufficiency", broker=settings.redis_url)
    celery.conf.update(
        task_acks_late=False,
        task_ignore_result=True,
        task_default_queue="cpu",
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "queue_order_strategy": "priority",
            "priority_steps": list(range(10)),
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            # A broker that vanished without a word: a publish gives up, and a consumer asks anew.
            "socket_timeout": 10,
            "health_check_interval": 5,
            # Who asks tries twice and is told. kombu would wait two seconds, then four: a slot would idle for six after
            # each unit while the broker is away, and the relay keep a transaction open for as long.
            "max_retries": 1,
            "interval_start": 0,
        },
        task_publish_retry=False,  # the outbox keeps what could not be sent
        enable_utc=True,
    )
    return celery


def waiting_messages(celery: Celery) -> dict[str, int]:
    """Return how many messages each queue holds, over a connection that is kept; raises as the transport does."""
    with celery.pool.acquire(block=True, timeout=BROKER_PATIENCE_SECONDS) as connection:
        return {queue: _held(connection, queue) for queue in QUEUES}


def holds_messages(celery: Celery, queues: Sequence[str]) -> bool:
    """Return whether any of the queues holds a message, over a connection that is kept; raises as does the other."""
    with celery.pool.acquire(block=True, timeout=BROKER_PATIENCE_SECONDS) as connection:
        return any(_held(connection, queue) for queue in queues)


def _held(connection: Connection, queue: str) -> int:
    try:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:  # Redis has no empty lists
        return 0
