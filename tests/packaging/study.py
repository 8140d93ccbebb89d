"""A user's project, a service started beside it, and the study that the user wants of it."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.packaging.environments import Environment
from tests.support.running import Running

PROJECT = Path(__file__).parent / "project"
PLUGINS = (
    "model:study-net=mystudy:Net;"
    "training:study-training=mystudy:TrainingStrategy;"
    "evaluation:study-evaluation=mystudy:EvaluationStrategy"
)
DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}
STUDY: dict[str, Any] = {
    "model": {"name": "study-net"},
    "training": {"name": "study-training", "params": {"epochs": 5}},
    "evaluation": {"name": "study-evaluation"},
    "dataset": "digits",
    "runs": 2,
    "substeps": 5,
}


def copy_project(folder: Path) -> Path:
    """Put the user's project into a folder, and return that."""
    return Path(shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__")))


@contextmanager
def standalone(environment: Environment, data_dir: Path, folder: Path, **variables: str | Path) -> Iterator[Running]:
    """Start the environment's `sufficiency standalone` in a folder; in the end, stop it, and all of it."""
    running = Running(
        [str(environment.command("sufficiency")), "standalone", "--data-dir", str(data_dir), "--port", "0"],
        cwd=folder,
        environment=environment.terminal(SUFFICIENCY_SLOTS="1", **variables),
    )
    try:
        yield running
    finally:
        if running.process.poll() is None:
            family = running.family()
            running.end(signal.SIGINT)
            assert not psutil.wait_procs(family, timeout=60)[1], "processes are left over"


def ask(url: str) -> dict[str, Any]:
    """Register the digits, have the study done, and return what it answers for 5,000 items."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        answer = client.post("/datasets", json={"name": "digits", **DIGITS})
        assert answer.status_code in (201, 202), answer.text
        deadline = time.monotonic() + 60
        while (dataset := client.get("/datasets/digits").json())["status"] == "verifying":
            assert time.monotonic() < deadline, dataset
            time.sleep(0.1)
        answer = client.post("/jobs", json=STUDY)
        assert answer.status_code == 201, f"{answer.text}\n{client.get('/workers').text}"
        job = answer.json()["id"]
        with client.stream("GET", f"/jobs/{job}/events") as events:
            for _ in events.iter_lines():
                pass  # it ends with the job
        ended = client.get(f"/jobs/{job}").json()
        assert ended["state"] == "completed", ended
        return dict(client.get(f"/jobs/{job}/project", params={"n": 5000}).raise_for_status().json())


def assert_learned(answer: dict[str, Any]) -> None:
    """Assert that a model that learns the digits has been studied."""
    [point] = answer["metrics"]["Accuracy"]
    assert point["n"] == 5000
    assert 0.8 < point["value"] <= 1
    assert point["lower"] <= point["value"] <= point["upper"]
