"""A saturated service says so at once, lives on, and has kept all that it accepted."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from app.web.load import Lane, Load
from app.web.session import SESSIONS
from tests.support.service import Service, problem, running
from tests.web.test_load import await_waiting, locked

QUEUE = 8


@pytest.fixture
def narrow(fresh_database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The API with a short queue, whose requests wait for a lock however long it takes."""
    monkeypatch.setattr("app.db.engine.LONGEST_LOCK_WAIT_SECONDS", 200)
    monkeypatch.setattr(Load.__init__, "__defaults__", (QUEUE, 200))
    with running(fresh_database, redis_url) as service:
        yield service


def test_five_times_as_much_as_it_can_do(narrow: Service) -> None:
    room = SESSIONS + QUEUE
    refused = threading.Semaphore(0)

    def submit(number: int) -> Any:
        answer = narrow.client.post("/jobs", json=narrow.spec(seed=number))
        if answer.status_code == 503:
            refused.release()
        return answer

    with ThreadPoolExecutor(5 * room) as pool:
        with locked(narrow, "job") as connection:
            asked = [pool.submit(submit, number) for number in range(5 * room)]
            await_waiting(connection, SESSIONS)
            # All but those that are served or wait are told so while nothing moves.
            for _ in range(4 * room):
                assert refused.acquire(timeout=120)
            assert narrow.client.get("/livez").status_code == 200
            assert narrow.client.get("/version").status_code == 200
            told = narrow.client.get("/datasets")
            problem(told, 503, "overloaded")
            assert int(told.headers["retry-after"]) >= 1
        answers = [one.result(timeout=200) for one in asked]
    accepted = {one.json()["id"] for one in answers if one.status_code == 201}
    assert len(accepted) == room
    assert {one.status_code for one in answers} == {201, 503}
    # Afterwards all is as before, and nothing that was accepted is lost, and nothing that was refused was kept.
    assert {one["id"] for one in narrow.client.get("/jobs?limit=100").json()["items"]} == accepted


def scope(path: str, method: str = "GET") -> Scope:
    headers = [(b"host", b"localhost")]
    return {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b"", "server": ("a", 1)}


async def ask(app: Load, where: Scope, receive: Receive | None = None) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(where, receive or nothing, send)
    return sent


def holding(gate: asyncio.Event) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await PlainTextResponse("done")(scope, receive, send)

    return app


def test_what_takes_a_fit_holds_up_nothing_else() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        load = Load(holding(gate), waiting=1, seconds=60)
        fits = [asyncio.create_task(ask(load, scope("/jobs/x/verdict"))) for _ in range(5)]
        await asyncio.sleep(0)
        while not any(task.done() for task in fits) and load._lanes["reckoned"]._room:
            await asyncio.sleep(0)
        [start, _] = await ask(load, scope("/compare"))
        assert start["status"] == 503
        other = asyncio.create_task(ask(load, scope("/jobs/x")))
        gate.set()
        assert (await other)[0]["status"] == 200
        assert {(await fit)[0]["status"] for fit in fits} == {200}

    asyncio.run(run())


def test_who_waits_too_long_is_told_and_leaves_no_place_taken() -> None:
    async def run() -> None:
        lane = Lane(1, 5, 0.01)
        assert await lane.enter()
        assert [await lane.enter() for _ in range(3)] == [False] * 3
        assert lane._room == 5
        lane.leave()
        assert await lane.enter()

    asyncio.run(run())


def test_a_client_that_sends_or_reads_slowly_takes_no_place() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        gate.set()
        load = Load(holding(gate), waiting=0, seconds=1)
        rest = asyncio.Event()

        async def slowly() -> Message:
            await rest.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        slow = [asyncio.create_task(ask(load, scope("/jobs", "POST"), slowly)) for _ in range(100)]
        reading = asyncio.Event()

        async def unread(message: Message) -> None:
            if message["type"] == "http.response.body":
                await reading.wait()

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        unreading = [asyncio.create_task(load(scope("/jobs"), nothing, unread)) for _ in range(SESSIONS)]
        await asyncio.sleep(0.01)
        assert (await ask(load, scope("/jobs")))[0]["status"] == 200
        reading.set()
        await asyncio.gather(*unreading)
        rest.set()
        assert {(await one)[0]["status"] for one in slow} == {200}

    asyncio.run(run())
