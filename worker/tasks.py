"""The Celery tasks: what a message makes the supervisor do. The claim decides whether there is anything to do."""

import logging
from collections.abc import Callable
from uuid import UUID

from celery import Celery, Task

from app.queue.celery import holds_messages
from sufficiency.training.faults import describe
from worker.supervisor import Supervisor

logger = logging.getLogger(__name__)


def add_tasks(celery: Celery, supervisor: Supervisor) -> None:
    """Register the tasks that the service sends."""

    @celery.task(name="sufficiency.run_unit", bind=True)  # type: ignore[untyped-decorator]
    def run_unit(task: Task, _unit_id: str | None = None) -> None:
        """Run the next unit of the queue that the message came by; which one, the claim decides, whatever it names.

        With no message left, the slot goes on by itself with what waits in the database: a message may have been lost,
        taken by a worker that could do nothing with it, or held up by a broker that is away.
        """
        queue: str = task.request.delivery_info["routing_key"]
        has_run = _quietly("run_unit", lambda: supervisor.run_unit([queue]))
        while has_run and not _has_message(celery, supervisor):
            has_run = _quietly("run_unit", lambda: supervisor.run_unit(supervisor.queues))

    @celery.task(name="sufficiency.verify_dataset")  # type: ignore[untyped-decorator]
    def verify_dataset(dataset_id: str) -> None:
        _quietly(f"verify_dataset {dataset_id}", lambda: supervisor.verify_dataset(UUID(dataset_id)))

    @celery.task(name="sufficiency.plan_job")  # type: ignore[untyped-decorator]
    def plan_job(job_id: str) -> None:
        _quietly(f"plan_job {job_id}", lambda: supervisor.plan_job(UUID(job_id)))


def _has_message(celery: Celery, supervisor: Supervisor) -> bool:
    try:
        return holds_messages(celery, supervisor.queues)
    except Exception as error:  # whatever the transport raises
        logger.debug("the broker cannot be asked: %s", error)
        return False


def _quietly(what: str, work: Callable[[], bool | None]) -> bool:
    """Do the work; what cannot be done now is brought back by the lease and the sweeper, not by Celery."""
    try:
        return bool(work())
    except Exception as error:
        logger.warning("%s was left to the sweeper: %s", what, describe(error).splitlines()[0])
        logger.debug("because of", exc_info=True)
        return False
