"""A database of its own for each test, a worker that is known to it, and a job in it."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from app.db.engine import Database
from tests.support.jobs import add_job, add_worker


@pytest.fixture
def database(fresh_database: str) -> Iterator[Database]:
    database = Database(fresh_database)
    yield database
    database.dispose()


@pytest.fixture
def worker_id(database: Database) -> UUID:
    return add_worker(database)


@pytest.fixture
def job_id(database: Database) -> UUID:
    return add_job(database)
