"""The version before goes on while this one's tables come in, and takes its leave while this one works."""

import io
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.db.migrate import upgrade
from app.standalone.service import free_port
from bench.cluster import Cluster, wait_until
from sufficiency import Client
from tests.packaging.environments import Environment
from tests.support.external import ROOT
from tests.system.torture import DIGITS, SETTINGS

BEFORE = "e87ea0d"  # the last of version 0.2 that knows the tables of 0013
LONGEST_WAIT_SECONDS = 5.0
JOB: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sleepy", "params": {"seconds": 0.5}},
    "evaluation": {"name": "size"},
    "dataset": "digits",
    "runs": 3,
    "schedule": [10, 20, 40, 80],
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which the version before is installed, from this repository's history."""
    packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip("the history of this repository is not here")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder / "source", filter="data")
    environment = Environment.make(folder / "environment")
    environment.borrow_everything()
    environment.install(folder / "source")
    return environment


class Mixed(Cluster):
    """Servers on which the version before runs, until this one is started beside it.

    What this version names in its settings and that one does not know is not told to it.
    """

    def __init__(self, before: Environment) -> None:
        super().__init__(workers=0, settings=SETTINGS.model_copy(update={"access": "open", "sweep_seconds": 0.5}))
        self._before = before

    def _start(self) -> None:
        self.database_url, redis_url = self.servers.start()
        port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}"
        told = {"database_url": self.database_url, "redis_url": redis_url, "port": port, "url": self.url}
        self.settings = self._settings.model_copy(update={**told, "slots": 1, "device": "cpu"})
        redis, postgres = self.servers.children
        self.programs = {"redis": redis, "postgres": postgres}
        self._run_before("migrate")
        # Its plugins are its own too: where this version's lie, so does this version.
        source = self._before.folder.parent / "source"
        path = f"{source / 'tests' / 'external'}:{source}"
        for name, command in (("api of before", "serve"), ("worker of before", "worker")):
            program = [str(self._before.python), "-P", "-m", "sufficiency.cli", command]
            self.add(name, program, SUFFICIENCY_PLUGIN_PATH=path)

    def _run_before(self, command: str) -> None:
        environment = self._before.terminal(SUFFICIENCY_DATABASE_URL=self.database_url)
        # Not from the folder that the tests run in: there lies this version, under the same names.
        subprocess.run([self._before.python, "-P", "-m", "sufficiency.cli", command], env=environment, check=True)

    def add_ours(self) -> str:
        """Start this version's API and worker beside; return the API's address."""
        port = free_port("127.0.0.1", 0)
        url = f"http://127.0.0.1:{port}"
        self.add(
            "api", [sys.executable, "-m", "sufficiency.cli", "serve"], SUFFICIENCY_PORT=str(port), SUFFICIENCY_URL=url
        )
        self.add("worker", [sys.executable, "-m", "sufficiency.cli", "worker"])
        return url


class Asking(threading.Thread):
    """Asks an API again and again, and keeps what it answered and how long that took."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0
        self._url = url
        self._enough = threading.Event()

    def run(self) -> None:
        """Ask until it is enough."""
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while not self._enough.wait(0.05):
                began = time.monotonic()
                self.statuses[client.get("/jobs").status_code] += 1
                self.longest = max(self.longest, time.monotonic() - began)

    def enough(self) -> None:
        """Ask no more."""
        self._enough.set()
        self.join()


@pytest.fixture
def mixed(before: Environment) -> Iterator[Mixed]:
    with Mixed(before) as mixed:
        yield mixed


def numbers(client: Client, job_id: str) -> list[tuple[int, int, float]]:
    rows = client.measurements(job_id, "cells")["items"]
    return sorted((row["run"], row["n"], row["value"]) for row in rows if row["metric"] == "Accuracy")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_while_both_versions_run(mixed: Mixed, capsys: pytest.CaptureFixture[str]) -> None:
    wait_until(lambda: answers(mixed.url), 120, "the API of before answers", mixed.last_words)
    known = set(httpx.get(f"{mixed.url}/openapi.json", trust_env=False, timeout=60).json()["paths"])
    assert "/keys" not in known, "it is the version before that answers"
    with Client(mixed.url, timeout=60) as theirs:
        # An API without a worker has no plugins to read a dataset with.
        wait_until(lambda: len(theirs.workers()) == 1, 120, "the worker of before lives", mixed.last_words)
        theirs.add_dataset(**DIGITS)
        assert theirs.wait_dataset("digits", 120)["status"] == "ready"
        jobs = [theirs.submit(JOB | {"seed": seed})["id"] for seed in range(3)]
        wait_until(lambda: theirs.job(jobs[0])["progress"]["cells_done"] >= 2, 60, "the first is under way")

        asking = Asking(mixed.url)
        asking.start()
        began = time.monotonic()
        upgrade(mixed.database_url)
        took = time.monotonic() - began
        jobs.append(theirs.submit(JOB | {"seed": 3})["id"])
        done = theirs.job(jobs[0])["progress"]["cells_done"]
        wait_until(
            lambda: theirs.job(jobs[0])["progress"]["cells_done"] > done, 60, "its worker goes on", mixed.last_words
        )
        asking.enough()
        assert set(asking.statuses) == {200}
        assert asking.longest < LONGEST_WAIT_SECONDS

        url = mixed.add_ours()
        wait_until(lambda: answers(url), 120, "the API of this version answers", mixed.last_words)
        with Client(url, timeout=60) as ours:
            wait_until(lambda: len(ours.workers()) == 2, 60, "both workers live", mixed.last_words)
            jobs.append(ours.submit(JOB | {"seed": 4})["id"])
            jobs.append(theirs.submit(JOB | {"seed": 5})["id"])
            mixed.programs["worker of before"].stop()
            assert theirs.job(jobs[-1])["id"] == jobs[-1], "its API sees what it is for to the end"
            mixed.programs["api of before"].stop()
            for job_id in jobs:
                job = ours.wait(job_id, 120)
                assert job["state"] == "completed", (job, mixed.last_words())
                assert job["progress"]["cells_done"] == 12
                assert numbers(ours, job_id) == [
                    (run, n, pytest.approx(1 - n**-0.5)) for run in range(3) for n in JOB["schedule"]
                ]
                told = [event.data for event in ours.events(job_id) if event.type == "cell"]
                assert [one["cells_done"] for one in told] == list(range(1, 13))
    with capsys.disabled():
        print(f"\nmigrated in {took:.1f} s beside {asking.statuses}, of which the longest took {asking.longest:.2f} s")


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
