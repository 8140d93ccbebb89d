"""The API as it is shipped, on a database of its own with a catalog, a ready dataset and ways to play the worker."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.catalog.plugins import advertise
from app.catalog.verification import dataset_invalid, dataset_ready
from app.catalog.workers import register_worker
from app.db.engine import Database
from app.db.tables import Outbox, Unit
from app.main import create_app
from app.settings import Settings
from app.units.giving_up import give_up_cell
from app.units.lease import CellResult, claim_of, fail_unit, finish_unit, record_cell
from sufficiency.schemas.work import CellFailure, UnitCell
from tests.support.servers import TEMPLATE, Servers, new_database, run_sql, url_of

with warnings.catch_warnings():
    # Starlette's test client asks for httpx2, which this project does not use.
    warnings.simplefilter("ignore")
    from fastapi import testclient


class TestClient(testclient.TestClient):
    """The framework's, under a name that the service answers to, and declaring JSON as every client must."""

    __test__ = False

    def __init__(self, *args: Any, **more: Any) -> None:
        headers = {"Content-Type": "application/json", **(more.pop("headers", None) or {})}
        super().__init__(*args, headers=headers, **{"base_url": "http://localhost", **more})


CLASSES = ["cat", "dog", "hen"]
INFO = {
    "train": {"size": 1000, "class_counts": [400, 300, 300]},
    "test": {"size": 200, "class_counts": [80, 60, 60]},
    "input_shape": [1, 8, 8],
    "class_names": CLASSES,
}


def _schema(**properties: Any) -> dict[str, Any]:
    required = [name for name, field in properties.items() if "default" not in field]
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _plugin(kind: str, name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "version": "1.0",
        "summary": f"{name}.",
        "params_schema": schema,
        "capabilities": {},
        "devices": ["cpu"],
        **more,
    }


PLUGINS = [
    _plugin("model", "mlp", _schema(width={"type": "integer", "minimum": 1, "default": 64})),
    _plugin("model", "tutorial-cnn", _schema()),
    _plugin(
        "training",
        "sgd-classifier",
        _schema(
            lr={"type": "number", "exclusiveMinimum": 0, "default": 0.01},
            epochs={"type": "integer", "minimum": 1, "default": 10},
            batch_size={"type": "integer", "minimum": 1, "default": 8},
        ),
    ),
    _plugin(
        "evaluation",
        "classification",
        _schema(metrics={"type": "array", "items": {"type": "string"}, "default": ["accuracy"]}),
        capabilities={
            "metrics": {
                "Accuracy": {"direction": "maximize", "bounds": [0.0, 1.0]},
                "Loss": {"direction": "minimize", "bounds": [0.0, None]},
                "Recall": {"direction": "maximize", "bounds": [0.0, 1.0]},
            }
        },
    ),
    _plugin("reset", "deepcopy", _schema()),
    _plugin("dataset", "npz", _schema(path={"type": "string"})),
    _plugin("dataset", "digits", _schema(split={"enum": ["train", "test"]})),
    _plugin("schedule", "halves", _schema(factor={"type": "number", "default": 2})),
]
NAMES = [f"{p['kind']}:{p['name']}" for p in PLUGINS]

Measure = Callable[[int, int, int], list[tuple[str, int, float | None]]]


def power_law(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
    """Return what a cell measures: two scalars, and one metric a class, each on a law of its own."""
    error = 2.0 * n**-0.5
    recalls = [("Recall", c, 1.0 - (0.05 * c + error)) for c in range(3)]
    return [("Accuracy", -1, 1.0 - error + 1e-4 * run), ("Loss", -1, 0.1 + error), *recalls]


@dataclass
class Service:
    """A client of the API, and the database behind it."""

    client: TestClient
    database: Database
    settings: Settings

    def spec(self, **changes: Any) -> dict[str, Any]:
        """Return a job's body."""
        return {
            "model": {"name": "mlp"},
            "training": {"name": "sgd-classifier"},
            "evaluation": {"name": "classification"},
            "dataset": "small",
            "runs": 2,
            "substeps": 4,
            **changes,
        }

    def submit(self, **changes: Any) -> dict[str, Any]:
        """Submit a job."""
        answer = self.client.post("/jobs", json=self.spec(**changes))
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def worker(self, *, devices: Sequence[str] = ("cpu",), plugins: Sequence[str] = tuple(NAMES)) -> UUID:
        """Register a live worker."""
        with self.database.transaction() as session:
            return register_worker(
                session,
                hostname="here",
                pid=1,
                devices=list(devices),
                slots=2,
                plugins=list(plugins),
                plugin_errors=[],
            )

    def claim(self, job_id: str, worker_id: UUID | None = None) -> tuple[Any, UUID]:
        """Claim the next unit of a job, for a new worker where none is named."""
        worker_id = worker_id or self.worker()
        with self.database.transaction() as session:
            claimed = claim_of(session, UUID(job_id), worker_id, 60.0)
            assert claimed is not None
            return claimed, claimed.unit_id

    def record(self, claimed: Any, measure: Measure = power_law) -> None:
        """Record every cell of a claimed unit and finish it."""
        for cell in claimed.cells:
            values = measure(cell.run, cell.step, cell.n)
            with self.database.transaction() as session:
                result = CellResult(cell.run, cell.step, n_unique=cell.n, seconds=0.5, device="cpu", values=values)
                assert record_cell(session, claimed.unit_id, claimed.attempt, result)
        with self.database.transaction() as session:
            finish_unit(session, claimed.unit_id, claimed.attempt)

    def give_up(self, claimed: Any, cell: UnitCell, error: dict[str, Any]) -> bool:
        """Say of a cell of a claimed unit that it cannot be measured."""
        with self.database.transaction() as session:
            return give_up_cell(session, claimed.unit_id, claimed.attempt, CellFailure(cell.run, cell.step, error))

    def work(self, job_id: str, measure: Measure = power_law, *, units: int | None = None) -> None:
        """Do the work of a job, all of it or some units."""
        with self.database.transaction() as session:
            waiting = session.scalars(
                select(Unit.id).where(Unit.job_id == UUID(job_id), Unit.state == "queued").order_by(Unit.ordinal)
            ).all()
        worker_id = self.worker() if waiting else None
        for _ in waiting[:units]:
            claimed, _ = self.claim(job_id, worker_id)
            self.record(claimed, measure)

    def work_open(self, job_id: str, measure: Measure = power_law) -> None:
        """Do the work of a job of which some cells are measured already."""
        with self.database.transaction() as session:
            waiting = session.scalars(select(Unit.id).where(Unit.job_id == UUID(job_id), Unit.state == "queued")).all()
        for _ in waiting:
            claimed, _ = self.claim(job_id)
            self.record(replace(claimed, cells=[cell for cell in claimed.cells if not cell.done]), measure)

    def fail(self, job_id: str) -> dict[str, Any]:
        """Let a unit of a job fail by its plugin's fault."""
        error = {"code": "plugin_raised", "detail": "The training raised.", "where": {"run": 0}}
        claimed, unit_id = self.claim(job_id)
        with self.database.transaction() as session:
            fail_unit(session, unit_id, claimed.attempt, error)
        return error

    def dataset(self, name: str, *, status: str = "ready", info: dict[str, Any] = INFO) -> None:
        """Register a dataset, and verify it as a worker would."""
        body = {
            "name": name,
            "train": {"loader": "npz", "params": {"path": f"{name}.npz"}},
            "test": {"loader": "npz", "params": {"path": "test.npz"}},
        }
        answer = self.client.post("/datasets", json=body)
        assert answer.status_code == 201, answer.text
        dataset_id = UUID(answer.json()["id"])
        with self.database.transaction() as session:
            if status == "ready":
                dataset_ready(session, dataset_id, info, "sha256:1")
            elif status == "invalid":
                dataset_invalid(session, dataset_id, {"code": "dataset_invalid", "detail": "test.npz is not there."})

    def keep_messages(self) -> None:
        """Have the relay send no more: whether the tests' broker has room is nothing to rely on."""
        self.client.app.state.relay.stop()  # type: ignore[attr-defined]

    def wait_sent(self, seconds: float = 60) -> None:
        """Wait until the relay has sent all messages that there are."""
        deadline = time.monotonic() + seconds
        while True:
            with self.database.transaction() as session:
                if session.scalar(select(Outbox.id).limit(1)) is None:
                    return
            assert time.monotonic() < deadline, "the relay does not send"
            time.sleep(0.02)


def problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Check that an answer is a whole problem document, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance", "code"} <= set(body)
    assert body["type"].endswith(body["code"])
    assert body["detail"]
    if code is not None:
        assert body["code"] == code
    return body


def pointers(body: dict[str, Any]) -> list[str]:
    """Return where the errors of a problem point."""
    return [error["pointer"] for error in body["errors"]]


@contextmanager
def running(
    database_url: str,
    redis_url: str,
    *,
    headers: Mapping[str, str] | None = None,
    has_catalog: bool = False,
    **changes: Any,
) -> Iterator[Service]:
    """Run the API with a catalog and a ready dataset `small` of 1000 items; no worker lives.

    `headers` are sent with every request, and `changes` are of its settings. What a database copied from that of
    `make_catalogued` holds already need not be written again.
    """
    usual = {"max_cells": 100, "max_body_bytes": 20_000, "sweep_seconds": 3600.0}
    settings = Settings(database_url=database_url, redis_url=redis_url, **{**usual, **changes})
    with TestClient(create_app(settings), raise_server_exceptions=False, headers=headers) as client:
        service = Service(client, Database(database_url), settings)
        if not has_catalog:
            with service.database.transaction() as session:
                advertise(session, PLUGINS)
            service.dataset("small")
        yield service
        service.database.dispose()


def make_catalogued(servers: Servers) -> str:
    """Make a database with a catalog and a dataset, to be copied by `new_database`; return its name."""
    name = "catalogued"
    run_sql(servers, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    with running(url_of(servers, name), servers.redis_url) as service:
        service.wait_sent()
    return name


@pytest.fixture
def service(servers: Servers, catalogued: str) -> Iterator[Service]:
    """The running API, on a database of the test's own."""
    with new_database(servers, catalogued) as url, running(url, servers.redis_url, has_catalog=True) as service:
        yield service


@pytest.fixture(scope="module")
def standing(servers: Servers, catalogued: str) -> Iterator[Service]:
    """The running API for tests that change nothing."""
    with new_database(servers, catalogued) as url, running(url, servers.redis_url, has_catalog=True) as service:
        yield service
