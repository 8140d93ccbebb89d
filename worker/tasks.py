"""The Celery tasks: each hands an id to the supervisor. The claim decides whether there is anything to do."""

import logging
from collections.abc import Callable
from uuid import UUID

from celery import Celery

from sufficiency.training.faults import describe
from worker.supervisor import Supervisor

logger = logging.getLogger(__name__)


def add_tasks(celery: Celery, supervisor: Supervisor) -> None:
    """Register the tasks that the service sends."""

    @celery.task(name="sufficiency.run_unit")  # type: ignore[untyped-decorator]
    def run_unit(unit_id: str) -> None:
        _quietly(supervisor.run_unit, unit_id)

    @celery.task(name="sufficiency.verify_dataset")  # type: ignore[untyped-decorator]
    def verify_dataset(dataset_id: str) -> None:
        _quietly(supervisor.verify_dataset, dataset_id)

    @celery.task(name="sufficiency.plan_job")  # type: ignore[untyped-decorator]
    def plan_job(job_id: str) -> None:
        _quietly(supervisor.plan_job, job_id)


def _quietly(work: Callable[[UUID], None], subject: str) -> None:
    """Do the work; what cannot be done now is brought back by the lease and the sweeper, not by Celery."""
    try:
        work(UUID(subject))
    except Exception as error:
        logger.warning("%s %s was left to the sweeper: %s", work.__name__, subject, describe(error).splitlines()[0])
        logger.debug("because of", exc_info=True)
