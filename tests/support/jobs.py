"""Jobs without an API, and the ways to play their worker."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import select

from app.catalog.workers import register_worker
from app.db.engine import Database
from app.db.tables import Dataset, Job, Unit
from app.jobs.planning import create_cells
from app.queue.celery import make_celery
from app.settings import Settings
from app.units.lease import CellResult, ClaimedUnit, claim_of, finish_unit, record_cell
from app.units.sweeper import Sweeper
from sufficiency.schemas.spec import JobSpec

NEEDED = ["model:mlp", "training:sgd-classifier", "evaluation:classification"]
OFFERED = [*NEEDED, "dataset:digits"]


def add_worker(database: Database, *, slots: int = 2, **offer: object) -> UUID:
    """Register a worker that has what the jobs here need."""
    whole = {"hostname": "here", "pid": 1, "devices": ["cpu"], "plugins": OFFERED, "plugin_errors": [], **offer}
    with database.transaction() as session:
        return register_worker(session, slots=slots, **whole)  # type: ignore[arg-type]


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
            plugin_versions=dict.fromkeys(NEEDED, "1.0"),
            metrics={"Accuracy": {"direction": "maximize", "bounds": [0, 1]}},
            device="cpu",
            labels={},
            priority=full.priority,
        )
        session.add(job)
        session.flush()
        create_cells(session, job, list(steps))
        return job.id


def units(database: Database, job_id: UUID) -> list[UUID]:
    """Return a job's units in the order in which they are handed out."""
    with database.transaction() as session:
        return list(session.scalars(select(Unit.id).where(Unit.job_id == job_id).order_by(Unit.ordinal)))


def take(database: Database, job_id: UUID, worker_id: UUID, lease: float = 30.0) -> ClaimedUnit | None:
    """Claim the next unit of a job."""
    with database.transaction() as session:
        return claim_of(session, job_id, worker_id, lease)


def result(run: int, step: int, value: float | None = 0.5) -> CellResult:
    """Return what a cell measured."""
    return CellResult(run, step, n_unique=10, seconds=0.1, device="cpu", values=[("Accuracy", -1, value)])


def work_through(database: Database, claimed: ClaimedUnit) -> None:
    """Record all that a claimed unit lacks, and finish it."""
    for cell in claimed.cells:
        if not cell.done:
            with database.transaction() as session:
                assert record_cell(
                    session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step, 1 - cell.n**-0.5)
                )
    with database.transaction() as session:
        finish_unit(session, claimed.unit_id, claimed.attempt)


def state(database: Database, job_id: UUID) -> str:
    """Return the state of a job."""
    with database.transaction() as session:
        return session.get_one(Job, job_id).state


def sweeper_of(database: Database, settings: Settings) -> Sweeper:
    """Return a sweeper of an empty broker, to which nobody is given time after the start of PostgreSQL."""
    celery = make_celery(settings)
    celery.control.purge()
    return Sweeper(database, celery, settings.model_copy(update={"heartbeat_seconds": 0.0}))


@pytest.fixture
def database(fresh_database: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    database = Database(fresh_database)
    yield database
    database.dispose()


@pytest.fixture
def worker_id(database: Database) -> UUID:
    """A live worker that has what the jobs here need."""
    return add_worker(database)


@pytest.fixture
def job_id(database: Database) -> UUID:
    """A queued job."""
    return add_job(database)
