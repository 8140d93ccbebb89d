"""What many requests at once, and a long history, must not do."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, make_url, update

from app.db.tables import Job
from app.web.load import Load
from app.web.session import SESSIONS
from sufficiency.schemas.limits import WAITING as QUEUE
from tests.support.service import Service, power_law, running

STEPS = [10, 40, 160, 640, 1000]
MANY = SESSIONS + 100
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@contextmanager
def locked(service: Service, *tables: str) -> Iterator[psycopg.Connection]:
    """Let nobody read the tables."""
    url = make_url(service.settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE".encode())
        yield connection


def await_waiting(connection: psycopg.Connection, number: int) -> None:
    """Wait until so many connections wait for a lock."""
    while (connection.execute(WAITING).fetchone() or (0,)) < (number,):
        # A transaction sees for ever the connections that there were when it first looked: not those opened since.
        connection.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")


def odd(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
    """Measure what there is to warn of: a value that is missing, one outside its bounds, and a metric without any."""
    values = {(metric, index): value for metric, index, value in power_law(run, step, n)}
    values["Recall", 1] = None if step == 2 else values["Recall", 1]
    values["Loss", -1] = -0.5 if (run, step) == (0, 3) else values["Loss", -1]
    values["Never", -1] = None
    return [(metric, index, value) for (metric, index), value in values.items()]


@pytest.fixture
def patient(fresh_database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The API, whose requests wait for a lock for however long a busy machine takes to let others arrive."""
    monkeypatch.setattr("app.db.engine.LONGEST_LOCK_WAIT_SECONDS", 200)
    monkeypatch.setattr(Load.__init__, "__defaults__", (QUEUE, 200))
    with running(fresh_database, redis_url) as service:
        yield service


def test_a_burst_of_requests_waits_and_is_answered(patient: Service) -> None:
    """More requests than threads and connections together: none may hold what another needs to go on."""
    patient.submit()
    with ThreadPoolExecutor(MANY) as pool:
        with locked(patient, "job") as connection:
            answers = [pool.submit(patient.client.get, "/jobs") for _ in range(MANY)]
            # The sweeper may wait among them.
            await_waiting(connection, SESSIONS)
        assert [answer.result(timeout=200).status_code for answer in answers] == [200] * MANY


@pytest.fixture(scope="module")
def measured(standing: Service) -> list[str]:
    """Two completed jobs, one of them odd."""
    jobs = [str(standing.submit(schedule=STEPS)["id"]) for _ in range(2)]
    for job_id, measure in zip(jobs, (power_law, odd), strict=True):
        standing.work(job_id, measure)
    return jobs


def questions(job_id: str) -> list[str]:
    asked = [f"/jobs/{job_id}", "/jobs", f"/jobs/{job_id}/project?n=5000&metric=Accuracy"]
    for method in ("calibrated", "power_law"):
        asked += [
            f"/jobs/{job_id}/project?n=100&n=5000&n=100000&method={method}",
            f"/jobs/{job_id}/inv_project?target=0.9&method={method}",
            f"/jobs/{job_id}/curves?method={method}",
        ]
    return asked


def test_a_completed_job_is_read_without_what_it_measured(standing: Service, measured: list[str]) -> None:
    with locked(standing, "measurement", "cell"):
        for job_id in measured:
            for question in questions(job_id):
                assert standing.client.get(question).status_code == 200


def test_what_was_kept_answers_as_what_was_measured(standing: Service, measured: list[str]) -> None:
    asked = [question for job_id in measured for question in questions(job_id)]
    kept = [standing.client.get(question).json() for question in asked]
    codes = {warning["code"] for answer in kept for warning in answer.get("warnings", [])}
    assert codes >= {"missing_values", "outside_bounds", "values_outside_bounds", "not_enough_data"}
    with standing.database.transaction() as session:
        # As a job that completed under an earlier version.
        session.execute(update(Job).values(readings=None, value_warnings=None))
    for question, before in zip(asked, kept, strict=True):
        assert same(standing.client.get(question).json(), before), question


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same, the last digits of numbers aside: JSON in the database has its own."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"state": "failed"},
        {"state": ["failed", "cancelled"]},
        {"model": "nobody-s"},
        {"dataset": "nobody-s"},
        {"label": "team:nobody"},
        {"created_after": "2100-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_jobs_are_listed_without_a_look_at_all_of_them(standing: Service, question: dict[str, Any]) -> None:
    """Each filter has an index to go by, also where nothing in a long history matches."""
    seen: list[tuple[str, Any]] = []
    engine = standing.database.engine

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert standing.client.get("/jobs", params=question).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    [(statement, parameters)] = [one for one in seen if one[0].startswith("SELECT job.id") and "LIMIT" in one[0]]
    with engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
    assert "Seq Scan" not in plan, plan
