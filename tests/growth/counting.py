"""Counted work: calls of functions and statements to the database. It does not depend on how busy the machine is."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from cProfile import Profile
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event

# What doubling an input may multiply the work by: 2 where work is in proportion to it, 4 where it is to its square.
MOST_GROWTH = 2.5
# Calls that come and go for reasons of their own: caches, pools, the collector's call-backs.
SLACK = 600


@dataclass(frozen=True)
class Work:
    """What something took."""

    calls: int
    statements: int


def work(act: Callable[[], object]) -> Work:
    """Count what a call takes in this thread."""
    statements = 0
    here = threading.get_ident()
    # Counted in C: a call-back in Python for each call would take several times what is counted.
    profile = Profile(builtins=True)

    def note_statement(*_: object) -> None:
        nonlocal statements
        statements += threading.get_ident() == here  # not those of the background

    event.listen(Engine, "before_cursor_execute", note_statement)
    try:
        profile.runcall(act)
    finally:
        event.remove(Engine, "before_cursor_execute", note_statement)
    return Work(sum(entry.callcount for entry in profile.getstats()), statements)


def hold_growth(act: Callable[[int], object], least: int, about: str = "", slack: int = SLACK) -> list[Work]:
    """Fail where work grows faster than its input.

    Parameters
    ----------
    act : callable
        What to do with an input of so many entries.
    least : int
        The smallest input; it is doubled twice. What the second doubling adds is compared with what the first one
        added, so that what is there for any input counts for nothing.
    """
    act(least)  # imports and caches
    sizes = (least, 2 * least, 4 * least)
    seen = [work(lambda size=size: act(size)) for size in sizes]  # type: ignore[misc]
    for _ in range(2):
        if grows_no_faster(seen, slack):
            break
        # What is kept for some seconds has to be read anew at times: the least of some turns is what is always needed.
        again = [work(lambda size=size: act(size)) for size in sizes]  # type: ignore[misc]
        seen = [
            Work(min(one.calls, two.calls), min(one.statements, two.statements))
            for one, two in zip(seen, again, strict=True)
        ]
    assert grows_no_faster(seen, slack), f"{about}: {least}, ×2, ×4: {seen}"
    return seen


def grows_no_faster(seen: Sequence[Work], slack: int) -> bool:
    """Return whether what a second doubling adds is in proportion to what the first one added."""
    calls, statements = [one.calls for one in seen], [one.statements for one in seen]
    return all(
        four - two <= MOST_GROWTH * max(two - one, 0) + allowed
        for (one, two, four), allowed in ((calls, slack), (statements, 2))
    )


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.body)


def ask(app: Any, method: str, address: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request through the application in this very thread, where its work can be counted."""
    path, _, query = address.partition("?")
    content = b"" if body is None else json.dumps(body).encode()
    sent = {"host": "localhost", "content-type": "application/json", "content-length": str(len(content))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in {**sent, **(headers or {})}.items()],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "state": {},
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    async def here(function: Callable[..., Any], *args: Any, **_: Any) -> Any:
        return function(*args)

    with patch("anyio.to_thread.run_sync", here):
        asyncio.run(app(scope, receive, send))
    status = next(m["status"] for m in messages if m["type"] == "http.response.start")
    return Answer(status, b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body"))


def put(document: Any, place: Sequence[str], value: Any) -> Any:
    """Return a copy of a document with something else at a place."""
    if not place:
        return value
    inside = document if isinstance(document, dict) else {}
    return {**inside, place[0]: put(inside.get(place[0]), place[1:], value)}
