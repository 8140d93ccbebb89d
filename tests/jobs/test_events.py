"""The event stream: resumable, the same on every replica, ended with the job, the client or the server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from app.standalone.service import free_port
from tests.support.events import follow
from tests.support.service import Service, pointers, problem


def test_an_ended_job_is_told_from_the_beginning_or_from_where_it_was_left(service: Service) -> None:
    job_id = service.submit()["id"]
    service.work(job_id)
    events = follow(service, job_id)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    types = ["state", "planned", "state", *["cell"] * 3, "provisional", "cell", "provisional", *["cell"] * 4, "state"]
    assert [event.type for event in events] == types
    assert (events[0].data, events[-1].data) == ({"state": "queued"}, {"state": "completed"})
    assert {"run", "step", "n", "metrics", "cells_done", "cells_total"} <= set(events[3].data)
    assert follow(service, job_id, 4) == events[4:]
    assert follow(service, job_id, len(events)) == []
    assert follow(service, job_id, 10**6) == []


def test_a_job_that_was_tried_again_is_followed_past_its_first_end(service: Service) -> None:
    job_id = service.submit()["id"]
    service.client.post(f"/jobs/{job_id}/cancel")
    service.client.post(f"/jobs/{job_id}/retry")
    service.work(job_id)
    states = [event.data["state"] for event in follow(service, job_id) if event.type == "state"]
    assert states == ["queued", "cancelled", "queued", "running", "completed"]


@pytest.mark.parametrize("last", ["-1", "x", "1.5", str(2**63), "9" * 30])
def test_a_bad_last_event_id_is_refused(service: Service, last: str) -> None:
    job_id = service.submit()["id"]
    refused = service.client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": last})
    assert pointers(problem(refused, 422)) == ["last-event-id"]


def test_a_running_job_is_followed_to_its_end(service: Service) -> None:
    job_id = service.submit()["id"]
    worker = threading.Timer(0.6, service.work, [job_id])
    worker.start()
    events = follow(service, job_id)
    worker.join()
    assert events[-1].data == {"state": "completed"}


@contextmanager
def served(service: Service) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The API in a process of its own, as it is served."""
    port = free_port("127.0.0.1", 0)
    settings = service.settings.model_copy(update={"port": port})
    program = (
        "import uvicorn; from app.main import create_app; from app.settings import get_settings; "
        "uvicorn.run(create_app(), port=get_settings().port, log_level='warning', timeout_graceful_shutdown=30)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=os.environ | settings.environment())
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{url}/livez", trust_env=False, timeout=60).status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
        yield url, process
    finally:
        process.kill()
        process.wait()


def in_progress(client: httpx.Client) -> int:
    """Return how many requests the server is serving, besides the one that asks."""
    lines = client.get("/metrics").text.splitlines()
    line = next(line for line in lines if line.startswith("sufficiency_http_requests_in_progress"))
    return int(float(line.split()[1])) - 1


def test_a_stream_ends_with_its_client_and_with_the_server(service: Service) -> None:
    job_id = service.submit()["id"]
    with served(service) as (url, process), httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        with client.stream("GET", f"/jobs/{job_id}/events") as stream, closing(stream.iter_lines()) as lines:
            assert next(lines).startswith("event: state")
            assert in_progress(client) == 1
        deadline = time.monotonic() + 5
        while in_progress(client):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with client.stream("GET", f"/jobs/{job_id}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            remaining = list(lines)  # a clean end, not a broken connection
            assert process.wait(60) in (0, -signal.SIGTERM)
            assert time.monotonic() - begun < 8
            assert any(line.startswith("event: planned") for line in remaining)
            told = [line for line in remaining if line and not line.startswith(":")]
            assert told[-2] == "event: interrupted", "and says that it is not the job's"
            assert "Come back" in json.loads(told[-1].removeprefix("data: "))["detail"]
