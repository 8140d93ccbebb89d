"""Answers that are sent once more as they were: the same bytes while the job is what it was, and no longer."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.curves import keeping
from app.curves.memory import Memory
from app.db.tables import DEFAULT_PROJECT_ID
from app.results.kept import KeptAnswers
from app.results.versions import Versions
from tests.support.finished import extend, finished
from tests.support.service import Service, problem

QUESTIONS = ["project?n=4000", "project?n=4000&format=csv", "inv_project?target=0.95", "verdict", "curves"]


@pytest.fixture
def makings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is made of a job's values in this process, in order."""
    made: list[str] = []
    for name in ("_kept_study", "_fit"):
        real = getattr(keeping, name)

        def noted(*args: Any, _name: str = name, _real: Any = real) -> Any:
            made.append(_name)
            return _real(*args)

        monkeypatch.setattr(keeping, name, noted)
    return made


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_that_was_answered_is_answered_alike(service: Service, question: str) -> None:
    address = f"/jobs/{finished(service)}/{question}"
    first, second = service.client.get(address), service.client.get(address)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    for name in ("etag", "content-type", "content-disposition", "content-length", "cache-control"):
        assert second.headers.get(name) == first.headers.get(name), name
    unchanged = service.client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    other = service.client.get(address, headers={"if-none-match": '"of another answer"'})
    assert other.content == first.content


def test_all_questions_to_a_completed_job_read_its_curves_once(service: Service, makings: list[str]) -> None:
    job_id = finished(service)
    for n in (2000, 4000, 8000):
        assert service.client.get(f"/jobs/{job_id}/project?n={n}").status_code == 200
    service.client.get(f"/jobs/{job_id}/inv_project?target=0.95")
    service.client.get(f"/jobs/{job_id}/curves")
    assert makings == ["_kept_study"]


def test_an_answer_that_is_sent_once_more_takes_one_look_and_no_route(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/jobs/{finished(service)}/project?n=4000"
    state = service.client.app.state  # type: ignore[attr-defined]
    made: list[str] = []
    real = KeptAnswers._made

    async def noted(self: KeptAnswers, scope: Any, *others: Any) -> Any:
        made.append(scope["path"])
        return await real(self, scope, *others)

    monkeypatch.setattr(KeptAnswers, "_made", noted)
    tag = service.client.get(address).headers["etag"]
    looks, matched = state.versions.queries, state.door.operations._at.cache_info().misses
    assert [service.client.get(address, headers=headers).status_code for headers in ({}, {"if-none-match": tag})] == [
        200,
        304,
    ]
    assert state.versions.queries == looks + 2
    assert state.door.operations._at.cache_info().misses == matched, "an address is matched with the routes once"
    assert len(made) == 1


def test_a_running_job_is_fitted_once_for_what_it_has_measured(service: Service, makings: list[str]) -> None:
    job_id = str(service.submit(schedule=[10, 40, 160, 640, 1000], runs=2)["id"])
    service.work(job_id, units=-1)  # all but the last
    answer = service.client.get(f"/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "running"
    questions = ("project?n=4000", "project?n=8000", "verdict", "curves", "inv_project?target=0.95")
    before = {question: service.client.get(f"/jobs/{job_id}/{question}").content for question in questions}
    assert {service.client.get(f"/jobs/{job_id}/{question}").status_code for question in questions} == {200}
    assert makings == ["_fit"]
    service.work_open(job_id)
    after = {question: service.client.get(f"/jobs/{job_id}/{question}").content for question in questions}
    assert all(after[question] != before[question] for question in questions), "each cell counts from then on"


def test_csv_and_json_are_kept_apart(service: Service) -> None:
    address = f"/jobs/{finished(service)}/project?n=4000"
    types = [
        service.client.get(address, headers={"accept": accept}).headers["content-type"].partition(";")[0]
        for accept in ("application/json", "text/csv", "application/json", "text/csv")
    ]
    assert types == ["application/json", "text/csv"] * 2


def test_a_job_that_is_taken_up_again_is_answered_anew(service: Service) -> None:
    job_id = finished(service)
    address = f"/jobs/{job_id}/project?n=4000"
    completed = service.client.get(address)
    assert completed.json()["provisional"] is False
    assert extend(service, job_id, {"runs": 3}).status_code == 202
    extended = service.client.get(address, headers={"if-none-match": completed.headers["etag"]})
    assert extended.status_code == 200
    assert extended.json()["provisional"] is True


def test_a_deleted_job_is_gone_at_once(service: Service) -> None:
    job_id = finished(service)
    address = f"/jobs/{job_id}/curves"
    etag = service.client.get(address).headers["etag"]
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204
    problem(service.client.get(address, headers={"if-none-match": etag}), 404, "job_not_found")


def test_a_refusal_is_not_kept(service: Service) -> None:
    job_id = str(service.submit(schedule=[10, 40, 160, 640, 1000])["id"])
    problem(service.client.get(f"/jobs/{job_id}/curves"), 409)
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}/curves").status_code == 200


def test_those_who_wait_are_asked_for_together(service: Service, database_url: str) -> None:
    known, unknown = UUID(finished(service)), uuid4()

    async def look() -> tuple[list[Any], int]:
        versions = Versions(service.settings.database_url)
        assert await versions.of(known, DEFAULT_PROJECT_ID) is None, "not before it is open"
        versions.open()
        try:
            asked = [
                (known, DEFAULT_PROJECT_ID),
                (unknown, DEFAULT_PROJECT_ID),
                (known, uuid4()),
                (known, DEFAULT_PROJECT_ID),
            ]
            return await asyncio.gather(*(versions.of(*one) for one in asked)), versions.queries
        finally:
            await versions.close()

    (first, of_nobody, of_others, second), queries = asyncio.run(look())
    assert first is not None
    assert (of_nobody, of_others, second) == (None, None, first)
    assert queries == 1


def test_a_connection_that_was_ended_costs_one_look_at_most(service: Service) -> None:
    job = UUID(finished(service))

    async def look() -> list[Any]:
        versions = Versions(service.settings.database_url)
        versions.open()
        try:
            before = await versions.of(job, DEFAULT_PROJECT_ID)
            assert versions._connection is not None
            with service.database.transaction() as session:
                session.execute(select(func.pg_terminate_backend(versions._connection.info.backend_pid)))
            seen = [before]
            while len(seen) < 3:  # the loop may hear of the end before it asks, or by asking
                seen.append(await versions.of(job, DEFAULT_PROJECT_ID))
            return seen
        finally:
            await versions.close()

    before, soon, then = asyncio.run(look())
    assert before is not None
    assert soon in (before, None)
    assert then == before


def test_who_waits_when_the_service_ends_is_told(service: Service) -> None:
    job = UUID(finished(service))

    async def look() -> list[Any]:
        versions = Versions(service.settings.database_url)
        versions.open()
        await versions.of(job, DEFAULT_PROJECT_ID)
        asked = [asyncio.create_task(versions.of(one, DEFAULT_PROJECT_ID)) for one in (job, uuid4())]
        await asyncio.sleep(0)  # both are on their way, the second behind the first
        await versions.close()
        async with asyncio.timeout(5):
            return await asyncio.gather(*asked)

    assert asyncio.run(look()) == [None, None]


def test_another_event_loop_is_told_at_once_that_nobody_knows(service: Service) -> None:
    """What comes is told to the loop in which it was opened; elsewhere each request waited ten seconds for it."""
    job, versions = UUID(finished(service)), Versions(service.settings.database_url)

    async def open_and_look() -> Any:
        versions.open()
        return await versions.of(job, DEFAULT_PROJECT_ID)

    async def look() -> Any:
        return await versions.of(job, DEFAULT_PROJECT_ID)

    with asyncio.Runner() as of_the_service:
        assert of_the_service.run(open_and_look()) is not None
        queries = versions.queries
        assert asyncio.run(look()) is None
        assert versions.queries == queries, "it was not even asked"
        assert of_the_service.run(look()) is not None
        of_the_service.run(versions.close())


def test_without_a_database_nobody_knows_the_version() -> None:
    async def look() -> Any:
        versions = Versions("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
        versions.open()
        try:
            return await versions.of(uuid4(), DEFAULT_PROJECT_ID)
        finally:
            await versions.close()

    assert asyncio.run(look()) is None


def test_a_memory_is_bounded_and_forgets_what_was_not_asked_for() -> None:
    memory: Memory[str] = Memory(6, len)
    made: list[str] = []

    def making(text: str) -> Any:
        return lambda: made.append(text) or text

    for text in ("one", "two", "one", "six", "one", "two", "far too long", "far too long"):
        assert memory.get(text, making(text)) == text
    assert made == ["one", "two", "six", "two", "far too long", "far too long"]
