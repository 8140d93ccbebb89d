"""A database of its own for each test, a worker that is known to it, and a job in it."""

from tests.support.jobs import database, job_id, worker_id
from tests.support.service import service

__all__ = ["database", "job_id", "service", "worker_id"]
