"""Client and command line against the real application; a hand-driven worker stands in for training."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
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
from sufficiency import ApiError, Client
from tests.cli.conftest import Outcome
from tests.conftest import Servers, new_database

Run = Callable[..., Outcome]
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
    assert client.wait(id, timeout=5)["state"] == "completed"
    return id


def test_the_catalog(client: Client) -> None:
    assert client.ready()
    assert [p["name"] for p in client.plugins("model")] == ["mlp"]
    assert client.plugin("training", "sgd-classifier")["available"]
    assert client.workers()[0]["hostname"] == "lab"
    assert [d["name"] for d in client.datasets()] == ["digits"]


def test_a_job_submitted_twice_under_a_key_is_one(client: Client) -> None:
    first = client.submit(SPEC, idempotency_key="k")
    assert client.submit(SPEC, idempotency_key="k")["id"] == first["id"]
    with pytest.raises(ApiError) as refused:
        client.submit(SPEC | {"runs": 3}, idempotency_key="k")
    assert refused.value.status == 422
    client.cancel(first["id"])
    client.delete(first["id"])
    with pytest.raises(ApiError) as gone:
        client.job(first["id"])
    assert gone.value.status == 404


def test_a_dry_run_stores_nothing(client: Client, measured: str) -> None:
    before = [job["id"] for job in client.jobs()]
    assert client.submit(SPEC, dry_run=True)["cells"] == 10
    assert [job["id"] for job in client.jobs()] == before


def test_bad_fields_are_named(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        client.submit(SPEC | {"runs": 0, "modle": {}})
    assert {error["pointer"] for error in refused.value.errors} == {"#/runs", "#/modle"}


def test_events_while_it_runs(client: Client, worker: HandWorker) -> None:
    id = client.submit(SPEC)["id"]
    measuring = threading.Thread(target=worker.measure, args=(id, 0.02))
    measuring.start()
    events = list(client.events(id))
    measuring.join()
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.data["state"] for event in events if event.type == "state"] == ["queued", "running", "completed"]
    assert sum(event.type == "cell" for event in events) == 10
    assert list(client.events(id, last_id=events[-2].id)) == events[-1:]


def test_answers(client: Client, measured: str) -> None:
    averages = client.measurements(measured)["items"]
    assert [item["n"] for item in averages if item["metric"] == "Accuracy"] == SPEC["schedule"]
    assert len(client.measurements(measured, "cells")["items"]) == 2 * 5 * 3
    law = {"method": "power_law"}
    projected = client.project(measured, [1000, 10_000], metric=["Accuracy"], **law)["metrics"]["Accuracy"]
    assert projected[1]["value"] == pytest.approx(1 - (2 * 10_000**-0.5 + 0.01) + 0.0005, abs=1e-3)
    answer = client.inv_project(measured, ["Accuracy:0.95"], **law)["metrics"]["Accuracy"][0]
    assert answer["status"] == "needs"
    assert answer["n"] == pytest.approx(2430, rel=0.02)
    [point] = client.project(measured, [1000], metric=["Accuracy"], level=0.8, of="training")["metrics"]["Accuracy"]
    assert point["lower"] < 1 - (2 * 1000**-0.5 + 0.01) < point["upper"]
    verdict = client.verdict(measured, min_gain=["Accuracy:0.001"], metric=["Accuracy"])["metrics"]
    assert [one["min_gain"] for one in verdict["Accuracy"]] == [0.001]
    assert {item["method"] for item in client.curves(measured, **law)["items"]} == {"power_law"}
    assert {item["metric"] for item in client.curves(measured)["items"]} == {"Accuracy", "Recall"}
    assert json.loads(client.export(measured))["steps"] == SPEC["schedule"]
    assert client.table(measured, "project", {"n": [1000]}).startswith("step,")


def test_the_commands_print_tables(sufficiency: Run, url: str, measured: str) -> None:
    def printed(*arguments: str) -> str:
        outcome = sufficiency(*arguments, "--url", url)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out

    assert "0.8905 ±0.0007" in printed("measurements", measured)
    assert len(printed("measurements", measured, "--view", "cells").splitlines()) == 1 + 2 * 5 * 3
    assert printed("measurements", measured, "--csv").startswith("step,Accuracy,Recall_cat,Recall_dog")
    projected = printed("project", measured, "1000", "5000")
    assert "5,000" in projected
    assert "dog" in projected
    assert "method calibrated, measured up to n = 400" in projected
    assert " [0." in projected, "with intervals"
    far = sufficiency("project", measured, "10000", "--url", url)
    assert far.code == 0
    assert "warning: n = 10,000 is 25 times the largest measured size" in far.err
    assert "1 − (" in printed("curves", measured, "--method", "power_law")
    assert "through 5 steps" in printed("curves", measured)
    needed = printed("inv-project", measured, "0.8", "Accuracy:0.95")
    assert "(reached)" in needed
    assert "% likely)" in needed
    assert "unreachable" in printed("inv-project", measured, "Accuracy:0.995", "--method", "power_law")
    verdict = printed("verdict", measured, "--metric", "Accuracy")
    assert verdict.startswith("Accuracy: yes\nAccuracy is 0.89")
    assert "800 (+1×)" in verdict
    assert "Recall of dog" in printed("verdict", measured)
    assert "lab:7" in printed("workers")
    assert "The mlp." in printed("plugins", "--kind", "model")
    assert "Width of the hidden layer." in printed("plugins", "mlp")
    assert "measures Accuracy" in printed("plugins", "classification")
    assert "400" in printed("datasets", "list")
    shown = printed("datasets", "show", "digits")
    assert "cat 200/200" in shown
    assert "features: age (number)\nnote: 3 rows lack a value\nwarning: 'id' has another" in shown
    assert "filled: age with 41.5 (1,200 in training, 3 in test)" in shown
    assert measured in printed("jobs", "--state", "completed")
    assert json.loads(printed("jobs", "--limit", "1", "--json"))["items"]
    assert json.loads(printed("export", measured))["steps"]


def test_a_job_is_watched_in_lines(sufficiency: Run, url: str, measured: str) -> None:
    outcome = sufficiency("watch", measured, "--url", url)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "queued"
    assert lines[-1] == "completed"
    assert any(line.startswith("100%  10/10 cells") for line in lines)
    again = sufficiency("watch", measured, "--json", "--url", url)
    assert json.loads(again.out)["state"] == "completed"


def test_a_failed_job_says_why_and_can_be_retried(
    sufficiency: Run, url: str, client: Client, worker: HandWorker, tmp_path: Path
) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(SPEC | {"labels": {"from": "test"}}))
    assert "2 runs of 5 steps" in sufficiency("submit", str(file), "--dry-run", "--url", url).out
    id = sufficiency("submit", str(file), "--url", url).out.strip()
    worker.fail(id)
    outcome = sufficiency("watch", id, "--url", url)
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "error: the job failed: training raised ValueError.",
        "  where: run 0, n 400",
        f"  do: `sufficiency retry {id}` queues it again, without measuring again what it has",
    ]
    assert sufficiency("retry", id, "--url", url).code == 0
    assert sufficiency("delete", id, "--url", url).code == 1  # it runs again
    assert sufficiency("cancel", id, "--url", url).out.strip() == f"Job {id} is cancelled."
    assert id in sufficiency("jobs", "--label", "from:test", "--url", url).out
    assert sufficiency("delete", id, "--url", url).code == 0
    outcome = sufficiency("cancel", id, "--url", url)
    assert outcome.code == 1
    assert "`sufficiency jobs`" in outcome.err


def test_a_job_is_extended_and_started_anew(sufficiency: Run, url: str, client: Client, worker: HandWorker) -> None:
    def told(code: int, *arguments: str) -> str:
        outcome = sufficiency(*arguments, "--url", url)
        assert outcome.code == code, outcome
        return outcome.out if code == 0 else outcome.err

    id = client.submit(SPEC)["id"]
    assert "cancel it" in told(1, "extend", id, "--runs", "3")
    worker.measure(id)
    plan = told(0, "extend", id, "--runs", "3", "--step", "300", "--dry-run")
    assert plan.startswith("The extension is valid: 3 runs of 6 steps.\nsteps: 20, 50, 100, 200, 300, 400\n")
    assert "8 cells to measure, 10 kept" in plan
    anew = told(0, "extend", id, "--runs", "3", "--start-anew", "--dry-run")
    assert "It would drop 10 measured cells." in anew
    keyed = ("extend", id, "--runs", "3", "--step", "300", "--idempotency-key", "k")
    assert told(0, *keyed) == f"Job {id} is queued: 10 of 18 cells are measured.\n"
    assert json.loads(told(0, *keyed, "--json"))["progress"]["cells_total"] == 18
    worker.measure(id)
    watched = told(0, "watch", id)
    assert watched.splitlines()[-1] == "completed"
    assert client.measurements(id)["items"][0]["runs"] == 3
    assert "#/steps/0: 300 is a step of the job already" in told(1, "extend", id, "--step", "300")
    with worker.database.transaction() as session:
        advertise(session, [PLUGINS[0] | {"version": "2"}])
    refused = told(1, "extend", id, "--runs", "4")
    assert "model:mlp is version 2, and was 1" in refused
    assert "add --start-anew" in refused
    assert told(0, "retry", id, "--start-anew") == f"Job {id} is queued.\n"
    assert "started anew: 18 measured cells are dropped" in _watched_to(sufficiency, url, client, id)
    with worker.database.transaction() as session:
        advertise(session, PLUGINS)
    client.delete(id)


def _watched_to(sufficiency: Run, url: str, client: Client, id: str) -> str:
    client.cancel(id)
    return sufficiency("watch", id, "--url", url).out


def test_a_dataset_is_verified_again(sufficiency: Run, url: str, client: Client, worker: HandWorker) -> None:
    client.add_dataset("again", SPLIT, SPLIT)
    worker.verify("again")
    assert "verifying" in sufficiency("datasets", "verify", "again", "--no-wait", "--url", url).out
    worker.verify("again", {"code": "dataset_invalid", "detail": "a file is gone"})
    assert "a file is gone" in sufficiency("datasets", "show", "again", "--url", url).err
    assert client.verify_dataset("again")["status"] == "verifying"
    client.remove_dataset("again")


def test_an_invalid_dataset_says_why(sufficiency: Run, url: str, worker: HandWorker) -> None:
    split = "digits:split=test"
    added = sufficiency("datasets", "add", "broken", "--train", split, "--test", split, "--no-wait", "--url", url)
    assert added.code == 0
    assert "verifying" in added.out
    worker.verify("broken", {"code": "dataset_invalid", "detail": "a class has no items"})
    outcome = sufficiency("datasets", "show", "broken", "--url", url)
    assert outcome.code == 1
    assert "a class has no items" in outcome.err
    assert sufficiency("datasets", "remove", "broken", "--url", url).code == 0
    refused = sufficiency("datasets", "add", "x", "--train", "digits:splti=test", "--test", split, "--url", url)
    assert refused.code == 1
    assert "#/train/params/splti" in refused.err


def test_too_little_for_a_fit_says_so(sufficiency: Run, url: str, client: Client) -> None:
    id = client.submit(SPEC)["id"]
    outcome = sufficiency("project", id, "1000", "--url", url)
    assert outcome.code == 1
    assert "0 of 10 cells are measured" in outcome.err
    assert "Nothing is measured yet." in sufficiency("measurements", id, "--url", url).out
    with suppress(ApiError):
        client.cancel(id)
