"""What the API is asked under load: each request at a moment fixed beforehand, whatever became of the others."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import psutil

from app.web.pagination import encode_cursor

MOST_CONNECTIONS = 256
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Target:
    """One version of the API on one database.

    Attributes
    ----------
    database : str
        Its address as psycopg reads it.
    job : dict
        What is submitted, as this version takes it.
    completed : sequence of str
        The ids of its completed jobs that have all of their rows.
    at_rest : float
        Share of a core that the API takes while nobody asks.
    """

    version: str
    history: int
    url: str
    database: str
    redis_url: str
    process: psutil.Process
    job: dict[str, Any]
    completed: Sequence[str]
    at_rest: float = 0.0


@dataclass(frozen=True)
class Request:
    """One request and the status that it must be answered with.

    Attributes
    ----------
    known : bool
        Whether who asks has the answer already, and says so.
    """

    method: str
    path: str
    expected: int = 200
    body: bytes | None = None
    known: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[Target, random.Random], Request]


def _of_a_job(question: str) -> Make:
    return lambda target, draw: Request("GET", f"/jobs/{draw.choice(target.completed)}{question}")


def _known(make: Make) -> Make:
    return lambda target, draw: replace(make(target, draw), known=True)


def _list(query: str = "") -> Make:
    return lambda target, draw: Request("GET", f"/jobs?{query}")


_ANSWERS = {
    "project": _of_a_job("/project?n=5000"),
    "inv_project": _of_a_job("/inv_project?target=0.9"),
    "verdict": _of_a_job("/verdict"),
    "curves": _of_a_job("/curves"),
}
_KNOWN = {f"{name}-known": _known(make) for name, make in _ANSWERS.items()}
# As the page asks, and by everything that a list can be by: with what all jobs have, and with what few or none have
_LISTS: dict[str, Make] = {
    "list": _list(),
    "list-page": _list("count=true&limit=25"),
    "list-deep": lambda target, draw: Request("GET", f"/jobs?limit=25&cursor={encode_cursor(target.completed[0])}"),
    "list-oldest": _list("count=true&limit=25&sort=created"),
    "list-name": _list("count=true&limit=25&sort=name"),
    "list-finished": _list("count=true&limit=25&sort=-finished"),
    "list-value": _list("count=true&limit=25&sort=-value"),
    "list-state": _list("count=true&limit=25&state=failed"),
    "list-state-none": _list("count=true&limit=25&state=running&state=queued"),
    "list-model": _list("count=true&limit=25&model=tutorial-cnn"),
    "list-model-none": _list("count=true&limit=25&model=nobodys"),
    "list-dataset": _list("count=true&limit=25&dataset=digits"),
    "list-label": _list("count=true&limit=25&label=team:bench"),
    "list-label-none": _list("count=true&limit=25&label=team:nobodys"),
    "list-since": _list("count=true&limit=25&created_after=2020-01-01T00:00:00Z"),
    "list-search": lambda target, draw: Request(
        "GET", f"/jobs?count=true&limit=25&q={draw.choice(target.completed)[-6:]}"
    ),
    "list-search-name": lambda target, draw: Request("GET", f"/jobs?count=true&limit=25&q=atch+{draw.randrange(1000)}"),
    "list-search-all": _list("count=true&limit=25&q=di"),
    "list-search-none": _list("count=true&limit=25&q=zzz"),
    "list-search-value": _list("count=true&limit=25&q=digits&sort=-value"),
    "list-search-none-value": _list("count=true&limit=25&q=zzz&sort=-value"),
}
ENDPOINTS: dict[str, Make] = {
    "submit": lambda target, draw: Request("POST", "/jobs", 201, json.dumps(target.job).encode()),
    "look": _of_a_job(""),
    **_ANSWERS,
    **_KNOWN,
    # A question that nobody has asked before
    "project-new": lambda target, draw: _of_a_job(f"/project?n={draw.randrange(3_000, 1_000_000_000)}")(target, draw),
    **_LISTS,
}
GROUPS: dict[str, list[str]] = {"answers": list(_ANSWERS), "known": list(_KNOWN), "lists": list(_LISTS)}


async def fire(url: str, requests: Sequence[Request], moments: Sequence[float]) -> tuple[list[float], list[float], int]:
    """Send each request at its moment, and return latencies from those moments, the generator's lags, and errors."""
    latencies: list[float] = []
    lags: list[float] = []
    errors = 0
    connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout, headers=headers) as session:
        await asyncio.gather(*(_ask(session, Request("GET", "/livez")) for _ in range(4)))
        began = time.perf_counter() + 0.1

        async def one(request: Request, due: float) -> None:
            nonlocal errors
            lags.append(time.perf_counter() - due)
            status = await _ask(session, request)
            latencies.append(time.perf_counter() - due)
            errors += status != request.expected

        async with asyncio.TaskGroup() as group:
            for request, moment in zip(requests, moments, strict=True):
                due = began + moment
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(one(request, due))
    return latencies, lags, errors


async def remember(url: str, requests: Sequence[Request]) -> list[Request]:
    """Ask once what somebody is to know already, and return the requests as they then are.

    A version that gives no tags is asked the same again.
    """
    tags: dict[str, str | None] = {}
    async with aiohttp.ClientSession(url) as session:
        for path in {request.path for request in requests if request.known}:
            async with session.get(path) as answer:
                await answer.read()
                tags[path] = answer.headers.get("ETag")
    return [
        replace(request, expected=304, headers={"If-None-Match": tag}) if (tag := tags.get(request.path)) else request
        for request in requests
    ]


async def knows(url: str, request: Request) -> bool:
    """Return whether a version has what a request asks for at all."""
    async with aiohttp.ClientSession(url, headers={"Content-Type": "application/json"}) as session:
        return await _ask(session, request) == request.expected


async def _ask(session: aiohttp.ClientSession, request: Request) -> int:
    """Return the status of an answer; 0 for none."""
    try:
        async with session.request(request.method, request.path, data=request.body, headers=request.headers) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
