"""The whole service, as shipped, for the tests that talk to it from outside."""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app.access.keys import new_secret
from app.main import create_app
from app.settings import Settings
from app.standalone.servers import running_servers
from app.standalone.service import Standalone, free_port
from tests.support.external import EXTERNAL, ROOT, SHARED_DATA, external_plugins
from tests.support.guides import guides_plugins, write_files
from tests.support.mine import SPECS as SPECS_OF_MINE
from tests.support.mine import write_plugins


@dataclass(frozen=True)
class Service:
    """A running service and a client of it; files put into `data` can be registered as datasets.

    `mine` has plugins whose source may be changed, `guides` the files of the guides, whose data are among the others.
    """

    url: str
    client: httpx.Client
    standalone: Standalone
    data: Path
    mine: Path
    guides: Path


@pytest.fixture(scope="package")
def service() -> Iterator[Service]:
    """API, worker with two slots, PostgreSQL and Redis, on a free port."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        data, mine, guides = (Path(directory) / name for name in ("guides/data", "mine", "guides"))
        for folder in (data, mine):
            folder.mkdir(parents=True)
        write_plugins(mine)
        write_files(guides)
        settings = Settings(
            data_roots=(data, *([SHARED_DATA] if SHARED_DATA.exists() else [])),
            plugins=(*external_plugins(), *SPECS_OF_MINE, *guides_plugins()),
            plugin_path=(EXTERNAL, ROOT, mine, guides),
            max_attempts=2,
        )
        standalone = Standalone(settings, Path(directory) / "service", port=0, slots=2)
        standalone.start()
        try:
            standalone.wait_ready()
            with httpx.Client(base_url=standalone.url, headers=JSON, timeout=120, trust_env=False) as client:
                yield Service(standalone.url, client, standalone, data, mine, guides)
        finally:
            standalone.stop()


@contextmanager
def guarded(service: Service, folder: Path) -> Iterator[str]:
    """Run another API of the service, which asks for keys, with the same database and the same worker.

    Yields its address; the key of who may do everything is written into `bootstrap-key` in the folder.
    """
    database_url, redis_url = running_servers(service.standalone.data_dir)
    (folder / "bootstrap-key").write_text(new_secret())
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        access="keys",
        bootstrap_key_file=folder / "bootstrap-key",
        data_roots=(service.data,),
    )
    port = free_port("127.0.0.1", 0)
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), timeout=60) as client:
            assert client.get(f"http://127.0.0.1:{port}/livez").status_code == 200
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


JSON = {"Content-Type": "application/json"}
TERMINAL = {"completed", "failed", "cancelled"}
TINY: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sgd-classifier", "params": {"lr": 0.1, "epochs": 3, "batch_size": 16}},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "log_loss", "recall_per_class"]}},
    "dataset": "digits",
    "runs": 2,
    "substeps": 4,
    "reuse": False,  # what a test runs is measured, whatever others have measured before
}


def register(client: httpx.Client, name: str, train: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
    """Register a dataset and wait until a worker has looked at it."""
    answer = client.post("/datasets", json={"name": name, "train": train, "test": test})
    assert answer.status_code in (200, 201), answer.text
    deadline = time.monotonic() + 60
    while (dataset := client.get(f"/datasets/{name}").json())["status"] == "verifying":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return dict(dataset)


def follow(client: httpx.Client, job_id: str, last: int | None = None) -> list[dict[str, Any]]:
    """Read a job's events until it ends; the stream itself is the wait."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    events: list[dict[str, Any]] = []
    with client.stream("GET", f"/jobs/{job_id}/events", headers=headers, timeout=120) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in stream.iter_lines():
            if line.startswith("id:"):
                event["id"] = int(line[3:])
            elif line.startswith("event:"):
                event["type"] = line[6:].strip()
            elif line.startswith("data:"):
                event["data"] = json.loads(line[5:])
            elif not line and "type" in event:
                events.append(event)
                event = {}
    return events


def run(client: httpx.Client, spec: dict[str, Any]) -> dict[str, Any]:
    """Post a job and return it when it has ended."""
    answer = client.post("/jobs", json=spec)
    assert answer.status_code == 201, answer.text
    job_id = answer.json()["id"]
    events = follow(client, job_id)
    assert events[-1]["type"] == "state"
    job = client.get(f"/jobs/{job_id}").json()
    assert job["state"] in TERMINAL
    return dict(job)


@pytest.fixture(scope="module")
def client(service: Service) -> httpx.Client:
    """A client of the service, where `digits` is ready."""
    digits = {"loader": "digits", "params": {"split": "train"}}
    info = register(service.client, "digits", digits, {"loader": "digits", "params": {"split": "test"}})
    assert info["status"] == "ready", info
    return service.client
