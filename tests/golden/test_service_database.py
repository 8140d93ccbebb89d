"""What 0.1 left in a database is taken up: migrated, read as before, and measured further with today's plugins."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.golden import golden
from tests.golden.golden import check
from tests.golden.service_answers import QUESTIONS, RTOL, Question, ask
from tests.golden.service_database import LEFT_BY_0_1, catalog, restore
from tests.golden.service_studies import SCHEDULE, STUDIES, Service, learns, measure
from tests.golden.service_subjects import (
    HandWorker,
    Servers,
    described_plugins,
    empty_database,
    rows,
    serving,
    upgrade,
)

Cell = tuple[int, int]


@contextmanager
def restored(servers: Servers) -> Iterator[Service]:
    """Run the service on the database of 0.1, brought to the present schema; its worker of then is gone."""
    with empty_database(servers) as database_url:
        restore(LEFT_BY_0_1, database_url)
        upgrade(database_url)
        rows(database_url, "DELETE FROM worker")
        with serving(database_url, servers.redis_url) as url, httpx.Client(base_url=url, timeout=60) as http:
            service = Service(url, database_url, http)
            service.know_jobs()
            wait_told(database_url)
            yield service


def wait_told(database_url: str) -> None:
    """Wait until the sweeper has told what came of the jobs that 0.1 completed: it kept no such line."""
    untold = "SELECT id FROM job WHERE state = 'completed' AND result IS NULL"
    until = time.monotonic() + 120
    while rows(database_url, untold):
        assert time.monotonic() < until, "the sweeper tells nothing"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def left(servers: Servers) -> Iterator[Service]:
    """The service of which only questions are asked, with a worker as there was."""
    with restored(servers) as service:
        worker = HandWorker(service.database_url, catalog(LEFT_BY_0_1))
        yield service
        worker.leave()


@pytest.fixture(scope="module")
def taken_up(servers: Servers) -> Iterator[tuple[Service, HandWorker]]:
    """The service that goes on with the jobs, each test with another one; and a worker with today's plugins."""
    with restored(servers) as service:
        worker = HandWorker(service.database_url, [*described_plugins(), SCHEDULE])
        yield service, worker
        worker.leave()


def test_it_answers_what_a_new_one_answers(left: Service) -> None:
    differs = {}
    for subject, questions in QUESTIONS.items():
        of_a_new_one = json.loads((golden.DATA / "service" / f"answers_{subject}.json").read_text())
        # Pictures show what figures hold, and take the longest.
        asked = [question for question in questions if "/plot." not in question.path]
        answers = golden.plain(ask(left, asked))
        of_a_new_one = {str(question): of_a_new_one[str(question)] for question in asked}
        found = list(golden.differences(of_a_new_one, answers, rtol=RTOL.get(subject, golden.RTOL)))
        differs |= {subject: found} if found else {}
    check("service/database_differs", differs)


def test_messages_that_wait_are_kept_as_they_were_written(left: Service) -> None:
    [webhook] = left.http.get("/webhooks").json()["items"]
    question = Question("GET", f"/webhooks/{webhook['id']}/deliveries?limit=100")
    check("service/database_messages", list(ask(left, [question]).values()))


def values(service: Service, name: str) -> dict[tuple[Any, ...], float | None]:
    """Return what a job has measured, by run, step, metric and class."""
    answer = service.http.get(f"/jobs/{service.jobs[name]}/measurements", params={"view": "cells", "limit": 10_000})
    return {(one["run"], one["step"], one["metric"], one["class"]): one["value"] for one in answer.json()["items"]}


def cells(measured: dict[tuple[Any, ...], float | None]) -> set[Cell]:
    """Return the (run, step) of measured values."""
    return {(run, step) for run, step, _, _ in measured}


def grid(runs: int, steps: int) -> set[Cell]:
    """Return the cells of so many runs and steps."""
    return {(run, step) for run in range(runs) for step in range(steps)}


@pytest.mark.parametrize(
    ("name", "asked", "body", "wanted"),
    [
        ("completed", "extend", {"runs": 4, "steps": [700]}, grid(4, 7)),
        ("rival", "extend", {"dataset": "moved", "steps": [150]}, grid(3, 8)),
        ("sequence", "extend", {"runs": 3, "steps": [800]}, grid(3, 6)),
        ("failed", "retry", None, grid(2, 6)),
        ("cancelled", "retry", None, grid(1, 6)),
        ("running", None, None, grid(2, 6)),
        ("queued", None, None, grid(2, 5)),
    ],
)
def test_jobs_go_on(
    taken_up: tuple[Service, HandWorker], name: str, asked: str | None, body: Any, wanted: set[Cell]
) -> None:
    service, worker = taken_up
    address = f"/jobs/{service.jobs[name]}"
    before = values(service, name)
    told = service.http.get(f"{address}/events").text if asked else ""
    if asked is not None:
        service.post(f"{address}/{asked}", body)
    measure(worker, service.jobs[name], STUDIES[name].law)
    after = values(service, name)
    assert {key: after[key] for key in before} == before
    assert cells(after) == wanted
    assert len(wanted) > len(cells(before))
    assert service.http.get(address).json()["state"] == "completed"
    assert {curve["stored"] for curve in service.http.get(f"{address}/curves").json()["items"]} == {True}
    events = service.http.get(f"{address}/events").text
    numbers = [int(line.removeprefix("id: ")) for line in events.splitlines() if line.startswith("id: ")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert events.startswith(told)
    questions = ("", "/measurements?format=csv", "/project?n=5000", "/inv_project?target=0.9", "/export?format=csv")
    asks = [Question("GET", f"/jobs/{{{name}}}{question}") for question in questions]
    check(f"service/database_goes_on_{name}", ask(service, asks))


def test_a_schedule_that_nobody_has_asked_yet_is_asked(taken_up: tuple[Service, HandWorker]) -> None:
    service, worker = taken_up
    worker.name_steps(service.jobs["unplanned"], [125, 250, 500, 1000])
    measure(worker, service.jobs["unplanned"], learns)
    assert cells(values(service, "unplanned")) == grid(2, 4)
    assert service.http.get(f"/jobs/{service.jobs['unplanned']}").json()["state"] == "completed"


def test_a_job_that_is_started_anew_is_measured_anew(taken_up: tuple[Service, HandWorker]) -> None:
    service, worker = taken_up
    before = values(service, "holes")
    service.post(f"/jobs/{service.jobs['holes']}/retry?start_anew=true")
    assert values(service, "holes") == {}
    measure(worker, service.jobs["holes"], STUDIES["holes"].law)
    assert values(service, "holes") == before
