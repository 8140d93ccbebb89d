"""A database of its own for each test of the core, and a job in it."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from app.db.engine import Database
from app.db.tables import Dataset, Job
from app.jobs.planning import create_cells
from app.units.lease import register_worker
from sufficiency.schemas.spec import JobSpec


@pytest.fixture
def database(fresh_database: str) -> Iterator[Database]:
    database = Database(fresh_database)
    yield database
    database.dispose()


@pytest.fixture
def worker_id(database: Database) -> UUID:
    with database.transaction() as session:
        return register_worker(
            session, hostname="here", pid=1, devices=["cpu"], slots=2, plugins=["model:mlp"], plugin_errors=[]
        )


def add_job(database: Database, *, runs: int = 2, steps: tuple[int, ...] = (10, 20, 40), **spec: object) -> UUID:
    """Write a job on a ready dataset of 100 items."""
    full = JobSpec.model_validate(
        {
            "model": {"name": "mlp"},
            "training": {"name": "sgd-classifier"},
            "evaluation": {"name": "classification"},
            "dataset": "d",
            "runs": runs,
            **spec,
        }
    )
    with database.transaction() as session:
        dataset = session.query(Dataset).filter_by(name="d").one_or_none()
        if dataset is None:
            dataset = Dataset(
                name="d",
                train={"loader": "digits", "params": {}},
                test={"loader": "digits", "params": {}},
                status="ready",
                fingerprint="f",
                info={"train": {"size": 100}, "test": {"size": 50}},
            )
            session.add(dataset)
            session.flush()
        job = Job(
            spec=full.model_dump(mode="json"),
            dataset_id=dataset.id,
            dataset_fingerprint="f",
            plugin_versions={},
            metrics={"Accuracy": {"direction": "maximize", "bounds": [0, 1]}},
            device="cpu",
            labels={},
            priority=full.priority,
        )
        session.add(job)
        session.flush()
        create_cells(session, job, list(steps))
        return job.id


@pytest.fixture
def job_id(database: Database) -> UUID:
    return add_job(database)
