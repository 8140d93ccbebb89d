"""A supervisor and its real trainers on a real database, without a broker: what it takes, writes and gives back."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import Cell, Dataset, Job, Measurement, Plugin, Unit, Worker
from app.jobs.planning import create_cells
from app.main import create_app
from app.settings import Settings
from sufficiency.schemas.spec import JobSpec
from tests.support.service import TestClient
from tests.training.specs import SPECS
from worker.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = (
    *SPECS,
    "training:forks=tests.external.broken_plugins:Forks",
    "training:nothing=tests.external.broken_plugins:TrainsNothing",
    "training:prints=tests.external.broken_plugins:Prints",
    "evaluation:size=bench.sleeping:Size",
    "model:lost=tests.external.no_such_module:Lost",
)
BLOBS = {"loader": "blobs", "params": {"size": 60, "seed": 0}}


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def supervisor(database: Database, database_url: str) -> Iterator[Supervisor]:
    supervisor = Supervisor(
        Settings(database_url=database_url, plugins=PLUGINS, plugin_path=(ROOT,), device="cpu", slots=1), database
    )
    supervisor.start()
    yield supervisor
    supervisor.close()


@pytest.fixture(scope="module")
def dataset(supervisor: Supervisor, database: Database) -> Dataset:
    return registered(supervisor, database, "blobs", BLOBS)


def registered(supervisor: Supervisor, database: Database, name: str, split: dict[str, Any]) -> Dataset:
    """Return a dataset that a trainer has looked at."""
    with database.transaction() as session:
        dataset = Dataset(name=name, train=split, test=split)
        session.add(dataset)
        session.flush()
        dataset_id = dataset.id
    supervisor.verify_dataset(dataset_id)
    with database.transaction() as session:
        dataset = session.get_one(Dataset, dataset_id)
        session.expunge(dataset)
        return dataset


def add_job(
    database: Database, dataset: Dataset, steps: list[int] | None, training: str = "nothing", **more: Any
) -> UUID:
    spec = JobSpec.model_validate(
        {
            "model": {"name": "linear"},
            "training": {"name": training},
            "evaluation": {"name": "size"},
            "dataset": dataset.name,
            "runs": 1,
            "reuse": False,
            **more,
        }
    )
    with database.transaction() as session:
        job = Job(
            spec=spec.model_dump(mode="json"),
            dataset_id=dataset.id,
            dataset_fingerprint=dataset.fingerprint,
            plugin_versions={},
            metrics={"Accuracy": {"direction": "maximize", "bounds": [0, 1]}},
            device="cpu",
            labels={},
            priority=0,
        )
        session.add(job)
        session.flush()
        if steps is not None:
            create_cells(session, job, steps)
        return job.id


def work_off(supervisor: Supervisor, database: Database, job_id: UUID) -> None:
    """Have each of the job's units tried once."""
    with database.transaction() as session:
        units = session.scalars(select(Unit.id).where(Unit.job_id == job_id)).all()
    for _ in units:
        supervisor.run_unit(supervisor.queues)


def accuracies(database: Database, job_id: UUID) -> dict[int, float | None]:
    with database.transaction() as session:
        rows = session.execute(
            select(Cell.n, Measurement.value)
            .join(Measurement, (Measurement.job_id == Cell.job_id) & (Measurement.step == Cell.step))
            .where(Cell.job_id == job_id)
        )
        return {row.n: row.value for row in rows}


def test_it_makes_itself_and_its_plugins_known(supervisor: Supervisor, database: Database) -> None:
    assert supervisor.slots == 1
    assert supervisor.queues == ["cpu"]
    with database.transaction() as session:
        [worker] = session.scalars(select(Worker))
        assert "training:forks" in worker.plugins
        [failure] = worker.plugin_errors
        assert failure["plugin"].startswith("model:lost=")
        assert "no_such_module" in failure["error"]
        assert worker.versions["training:forks"]
        plugin = session.scalars(select(Plugin).where(Plugin.name == "blobs")).one()
        assert plugin.params_schema["properties"]["size"]["description"] == "How many points."


def test_a_unit_is_measured_and_its_job_completed(supervisor: Supervisor, database: Database, dataset: Dataset) -> None:
    assert (dataset.status, dataset.info["train"]["size"]) == ("ready", 60)
    taken = supervisor.taken
    job_id = add_job(database, dataset, [10, 20, 40])
    work_off(supervisor, database, job_id)
    assert accuracies(database, job_id) == {n: 1 - n**-0.5 for n in (10, 20, 40)}
    assert supervisor.taken > taken
    assert supervisor.has_free_slot
    with database.transaction() as session:
        assert session.get_one(Job, job_id).state == "completed"


def test_a_fork_that_goes_on_is_a_death_and_leaves_no_number_behind(
    supervisor: Supervisor, database: Database, dataset: Dataset
) -> None:
    forking, after = (
        add_job(database, dataset, steps, training) for steps, training in (([10], "forks"), ([40], "nothing"))
    )
    work_off(supervisor, database, forking)
    with database.transaction() as session:
        unit = session.scalars(select(Unit).where(Unit.job_id == forking)).one()
        assert unit.error["code"] == "trainer_confused"
        assert unit.error["where"] == {"run": 0, "step": 0, "n": 10, "phase": "cell"}
        assert (unit.state, unit.failures) == ("queued", 1)
        assert session.get_one(Job, forking).deaths == 1
    assert accuracies(database, forking) == {}
    work_off(supervisor, database, after)
    assert accuracies(database, after) == {40: 1 - 40**-0.5}


def test_a_dataset_and_a_schedule_that_cannot_be_used_say_why(
    supervisor: Supervisor, database: Database, dataset: Dataset
) -> None:
    missing = registered(supervisor, database, "missing", {"loader": "blobs", "params": {"marker": "/nowhere"}})
    assert missing.status == "invalid"
    assert missing.error["code"] == "dataset_invalid"
    planned, impossible = (add_job(database, dataset, None, schedule={"name": name}) for name in ("thirds", "too-far"))
    for job_id in (planned, impossible):
        supervisor.plan_job(job_id)
    with database.transaction() as session:
        assert session.get_one(Job, planned).steps == [20, 40, 60]
        job = session.get_one(Job, impossible)
        assert (job.state, job.error["code"]) == ("failed", "schedule_invalid")


def test_what_a_training_prints_is_told_with_its_job(
    supervisor: Supervisor, database: Database, dataset: Dataset, database_url: str, redis_url: str
) -> None:
    silent, printing = (add_job(database, dataset, [10, 20], training) for training in ("nothing", "prints"))
    for _ in range(20):  # others have left units behind, whose turn may be first
        supervisor.run_unit(supervisor.queues)
        if accuracies(database, printing).keys() == accuracies(database, silent).keys() == {10, 20}:
            break
    app = create_app(Settings(database_url=database_url, redis_url=redis_url))
    with TestClient(app) as client:
        said = client.get(f"/jobs/{printing}/logs").json()["items"]
        assert client.get(f"/jobs/{silent}/logs").json()["items"] == []
    told = groupby(said, lambda piece: (piece["run"], piece["step"]))  # a second's end may part what a cell writes
    at = [(place, "\n".join(piece["text"] for piece in pieces)) for place, pieces in told]
    assert at == [((0, 0), "out: 10\nerr: 10"), ((0, 1), "out: 20\nerr: 20")]
