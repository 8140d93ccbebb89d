"""Takes datasets to verify and schedules to ask from a queue of their own: they wait for no training slot."""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import UUID

from celery import Celery

from app.queue.background import Background
from app.queue.celery import BROKER_PATIENCE_SECONDS, QUESTIONS
from sufficiency.training.faults import describe
from worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

# One dataset that takes long to read does not hold up the next.
LANES = 2
POLL_SECONDS = 1.0


class Lane(Background):
    """Sees to one question after the other, beside what Celery's pool is given.

    The pool is as large as there are slots, and while all of them train it asks the broker for nothing. A message that
    is lost with this process is sent again by the sweeper, as any other.

    Parameters
    ----------
    celery : Celery
        On the broker.
    supervisor : Supervisor
        Which has the questions answered.
    """

    def __init__(self, celery: Celery, supervisor: Supervisor) -> None:
        super().__init__(POLL_SECONDS)
        self._celery = celery
        self._answers: dict[str, Callable[[UUID], object]] = {
            "sufficiency.verify_dataset": supervisor.verify_dataset,
            "sufficiency.plan_job": supervisor.plan_job,
        }
        self._rest = supervisor.rest

    def turn(self) -> None:
        """Take what comes, until the broker is lost or the worker stops."""
        with self._celery.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_PATIENCE_SECONDS)
            with closing(connection.SimpleQueue(QUESTIONS)) as queue:
                while not self._stopping.is_set():
                    try:
                        message = queue.get(timeout=POLL_SECONDS)
                    except queue.Empty:
                        self._rest(time.monotonic())
                        continue
                    message.ack()
                    self._see_to(message)

    def _see_to(self, message: Any) -> None:
        """Have a question answered; what cannot be done now is brought back by the sweeper."""
        try:
            task, [subject] = message.headers["task"], message.payload[0]
            self._answers[task](UUID(subject))
        except Exception as error:
            logger.warning("a question was left to the sweeper: %s", describe(error).splitlines()[0])
            logger.debug("because of", exc_info=True)
