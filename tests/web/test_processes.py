"""Several API processes on one port: all of them answer, and one that dies is started again."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from app.settings import Settings
from tests.support.running import Running
from tests.support.servers import Servers, new_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def api(servers: Servers) -> Iterator[Running]:
    with new_database(servers) as url:
        settings = Settings(database_url=url, redis_url=servers.redis_url)
        command = [sys.executable, "-P", "-m", "app", "serve", "--port", "0", "--processes", "2"]
        running = Running(command, cwd=ROOT, environment=settings.environment())
        try:
            yield running
        finally:
            running.end(signal.SIGTERM)


def answering(api: Running) -> set[int]:
    """Return which of its processes listen."""
    found = set()
    for child in psutil.Process(api.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if any(word.startswith("multiprocessing.spawn") or "spawn_main" in word for word in child.cmdline()):
                found.add(child.pid)
    return found


def test_several_processes_answer_on_one_port(api: Running) -> None:
    api.wait_for("running on http://")
    until = time.monotonic() + 60
    while api.output.count("startup complete") < 2:
        assert time.monotonic() < until, api.output
        time.sleep(0.1)
    first = answering(api)
    assert len(first) == 2
    assert {httpx.get(f"{api.url}/readyz", trust_env=False, timeout=60).status_code for _ in range(8)} == {200}
    psutil.Process(min(first)).kill()
    while api.output.count("startup complete") < 3:
        assert time.monotonic() < until, api.output
        time.sleep(0.1)
    assert len(answering(api)) == 2
    assert httpx.get(f"{api.url}/readyz", trust_env=False, timeout=60).status_code == 200
