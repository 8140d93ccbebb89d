"""The application on a free port, and a hand-driven worker that stands in for training."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from sqlalchemy import select

from app.catalog.plugins import advertise
from app.catalog.verification import dataset_invalid, dataset_ready
from app.catalog.workers import register_worker
from app.db.engine import Database
from app.db.tables import Dataset
from app.main import create_app
from app.settings import Settings
from app.units import lease
from sufficiency import Client, Job
from tests.support.servers import Servers, new_database

SPLIT = {"loader": "digits", "params": {"split": "train"}}
SPEC: dict[str, Any] = {
    "model": {"name": "mlp"},
    "training": {"name": "sgd-classifier", "params": {"lr": 0.1}},
    "evaluation": {"name": "classification"},
    "dataset": "digits",
    "runs": 2,
    "schedule": [20, 50, 100, 200, 400],
}
CLASSES = ["cat", "dog"]


def plugin(kind: str, name: str, capabilities: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """Return a plugin as a worker describes it."""
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {
        "kind": kind,
        "name": name,
        "version": "1",
        "summary": f"The {name}.",
        "params_schema": schema,
        "capabilities": capabilities or {},
        "devices": ["cpu"],
    }


PLUGINS = [
    plugin("model", "mlp", width={"type": "integer", "default": 8, "description": "Width of the hidden layer."}),
    plugin("training", "sgd-classifier", lr={"type": "number", "default": 0.01, "description": "Learning rate."}),
    plugin("evaluation", "classification", {"metrics": {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}}}),
    plugin("dataset", "digits", split={"enum": ["train", "test"], "default": "train", "description": "Which part."}),
]


class HandWorker:
    """Does what a worker does to the database, without training anything."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as session:
            advertise(session, PLUGINS)
            offers = [f"{p['kind']}:{p['name']}" for p in PLUGINS]
            self.id = register_worker(
                session, hostname="lab", pid=7, devices=["cpu"], slots=2, plugins=offers, plugin_errors=[]
            )

    def verify(self, name: str, error: dict[str, Any] | None = None) -> None:
        """Find a dataset to be whole, or not."""
        split = {"size": 400, "class_counts": [200, 200]}
        info = {"train": split, "test": split, "input_shape": [1, 8, 8], "class_names": CLASSES}
        info["features"] = [{"name": "age", "kind": "number", "numbers": 2}]
        info["notes"] = [{"code": "rows_dropped", "detail": "3 rows lack a value"}]
        info["warnings"] = [{"code": "identifier", "detail": "'id' has another value in every row"}]
        filled = {"name": "age", "value": 41.5, "train": 1200, "test": 3, "flagged": True}
        info["missing"] = {"handling": "impute", "columns": [filled]}
        with self.database.transaction() as session:
            id = session.scalars(select(Dataset.id).where(Dataset.name == name)).one()
            if error is None:
                dataset_ready(session, id, info, "sha256:0")
            else:
                dataset_invalid(session, id, error)

    def measure(self, job: str, pause: float = 0.0) -> None:
        """Measure all cells of a job: accuracies that follow a power law, and a recall for each class."""
        while (claim := self._claim(job)) is not None:
            for cell in claim.cells:
                value = 1 - (2 * cell.n**-0.5 + 0.01) + 0.001 * cell.run
                values: list[tuple[str, int, float | None]] = [("Accuracy", -1, value)]
                values += [("Recall", index, value - 0.01 * index) for index in range(len(CLASSES))]
                result = lease.CellResult(cell.run, cell.step, cell.n, 0.1, "cpu", values)
                with self.database.transaction() as session:
                    assert lease.record_cell(session, claim.unit_id, claim.attempt, result)
                time.sleep(pause)
            with self.database.transaction() as session:
                lease.finish_unit(session, claim.unit_id, claim.attempt)

    def fail(self, job: str) -> None:
        """Let a unit of a job fail as a plugin would make it."""
        error = {"code": "plugin_raised", "detail": "training raised ValueError.", "where": {"run": 0, "n": 400}}
        claim = self._claim(job)
        assert claim is not None
        with self.database.transaction() as session:
            lease.fail_unit(session, claim.unit_id, claim.attempt, error)

    def _claim(self, job: str) -> lease.ClaimedUnit | None:
        with self.database.transaction() as session:
            return lease.claim_of(session, UUID(job), self.id, 60)


@pytest.fixture(scope="module")
def settings(servers: Servers) -> Iterator[Settings]:
    """Settings that point to a database of this module's own."""
    with new_database(servers) as url:
        yield Settings(database_url=url, redis_url=servers.redis_url)


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    """The application, listening on a free port."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def worker(settings: Settings) -> Iterator[HandWorker]:
    database = Database(settings.database_url)
    yield HandWorker(database)
    database.dispose()


@pytest.fixture(scope="module")
def client(url: str, worker: HandWorker) -> Iterator[Client]:
    with Client(url) as client:
        client.add_dataset("digits", SPLIT, SPLIT)
        worker.verify("digits")
        assert client.wait_dataset("digits")["status"] == "ready"
        yield client


@pytest.fixture(scope="module")
def measured(client: Client, worker: HandWorker) -> str:
    """A completed job."""
    id = client.submit(SPEC)["id"]
    worker.measure(id)
    assert client.wait(id, timeout=60)["state"] == "completed"
    return id


@pytest.fixture
def job(client: Client, measured: str) -> Job:
    """The completed job."""
    return client.job(measured)
