"""A PostgreSQL that is stopped, not ended: it takes connections and confirms packets, and says nothing."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.service import problem, running

PATIENCE_SECONDS = 3.0
LONG_SECONDS = 120.0
AT_ONCE = 60


@contextmanager
def stopped(database_url: str) -> Iterator[None]:
    """Stop the server with all its processes."""
    url = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        postmaster = psutil.Process(pid).parent()
    assert postmaster is not None
    processes = [postmaster, *postmaster.children(recursive=True)]
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def test_requests_are_answered_in_time_while_it_is_frozen_and_as_before_afterwards(
    fresh_database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.frozen.CONNECT_SECONDS", (2, 2))
    with running(fresh_database, redis_url) as service:
        silence = service.client.app.state.database._silence  # type: ignore[attr-defined]
        silence._patience = LONG_SECONDS
        assert service.client.get("/jobs").status_code == 200
        with ThreadPoolExecutor(AT_ONCE) as pool, stopped(fresh_database):
            waits = pool.submit(service.client.get, "/jobs")
            began = time.monotonic()
            assert service.client.get("/livez").status_code == 200
            assert time.monotonic() - began < LONG_SECONDS / 2, "the event loop goes on"
            assert not waits.done()
            silence._patience = PATIENCE_SECONDS
            began = time.monotonic()
            for answer in [waits, *(pool.submit(service.client.get, "/jobs") for _ in range(AT_ONCE))]:
                refused = answer.result(timeout=60)
                problem(refused, 503, "database_unavailable")
                assert refused.headers["retry-after"].isdigit()
            assert time.monotonic() - began < AT_ONCE * PATIENCE_SECONDS / 3, "none waits for another's turn to wait"
            began = time.monotonic()
            for _ in range(20):
                problem(service.client.get("/jobs"), 503, "database_unavailable")
            assert time.monotonic() - began < 20 * PATIENCE_SECONDS / 2, "it is known by now"
        until = time.monotonic() + 60
        while service.client.get("/jobs").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
