"""Notices when messages wait and this worker, though free, takes none: a consumer that died without a word."""

import logging
import time
from collections.abc import Callable

from celery import Celery

from app.queue.background import Background
from app.queue.celery import waiting_messages
from worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 5.0
PATIENCE_SECONDS = 20.0


class ConsumerWatch(Background):
    """Compares what waits in the broker with what the worker does about it.

    Parameters
    ----------
    on_death : callable
        Called once, when the consumer has been found dead.
    """

    def __init__(self, celery: Celery, supervisor: Supervisor, on_death: Callable[[], object]) -> None:
        super().__init__(PERIOD_SECONDS)
        self._celery = celery
        self._supervisor = supervisor
        self._on_death = on_death
        self._taken = -1
        self._idle_since: float | None = None

    def turn(self) -> None:
        """Look once."""
        waiting = waiting_messages(self._celery)
        taken = self._supervisor.taken
        wanted = any(waiting[queue] for queue in self._supervisor.queues)
        if taken != self._taken or not wanted or not self._supervisor.has_free_slot:
            self._taken, self._idle_since = taken, None
            return
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > PATIENCE_SECONDS:
            logger.error(
                "messages wait and slots are free, but none was taken for %g s: starting anew", PATIENCE_SECONDS
            )
            self._idle_since = None
            self._on_death()
