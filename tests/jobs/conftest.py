"""The running API; or a database of the test's own, with a worker and a job; and the command line."""

from tests.support.command_line import sufficiency
from tests.support.jobs import database, job_id, worker_id
from tests.support.service import service, standing

__all__ = ["database", "job_id", "service", "standing", "sufficiency", "worker_id"]
