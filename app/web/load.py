"""How many requests are served at a time: the others wait, and those that would wait too long are told to come back."""

import asyncio
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.limits import TOO_LARGE, is_upload
from app.web.problem import problem_response
from app.web.session import SESSIONS
from sufficiency.schemas.limits import BODY_SECONDS, RECKONED_AT_ONCE, WAIT_SECONDS, WAITING

RETRY_AFTER_SECONDS = 2
# They take next to nothing and must be answered always. (A stream of events is open for hours, and limited elsewhere.)
UNCOUNTED = frozenset({"/livez", "/readyz", "/metrics", "/version", "/docs", "/", "/ui"})
# Read from tables as they are; all else about a job may take a fit.
READ_OFF = frozenset({"measurements", "cells", "logs"})


class Lane:
    """A number of requests that are served at a time, and a queue of bounded length for more of their kind.

    Parameters
    ----------
    at_once : int
        How many are served at a time.
    waiting : int
        How many more may wait.
    seconds : float
        Longest wait.
    """

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._room = waiting
        self._seconds = seconds

    async def enter(self) -> bool:
        """Wait for a place; return whether there is one."""
        if not self._free.locked():
            await self._free.acquire()
            return True
        if self._room == 0:
            return False
        self._room -= 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._room += 1
        return True

    def leave(self) -> None:
        """Give the place to who has waited longest."""
        self._free.release()


class Load:
    """Serves as many requests at a time as help, and lets the others wait, or come back.

    More at a time would only slow each other down; more in the queue would be answered after their clients have gone.
    What takes a fit has a lane of its own, so that it does not hold up what is read and written. A request takes its
    place when its body is there, and gives it back with its answer: a slow client holds up nobody.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    waiting : int
        How many requests may wait in each lane.
    seconds : float
        Longest wait.
    """

    def __init__(self, app: ASGIApp, waiting: int = WAITING, seconds: float = WAIT_SECONDS) -> None:
        self.app = app
        self._lanes = {
            kind: Lane(at_once, waiting, seconds)
            for kind, at_once in (("reckoned", RECKONED_AT_ONCE), ("plain", SESSIONS))
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        lane = self._lane(scope)
        if lane is None:
            await self.app(scope, receive, send)
            return
        received: list[Message] = []
        try:
            if _has_body(scope):
                async with asyncio.timeout(BODY_SECONDS):
                    received = await _whole(receive)
        except TimeoutError:
            detail = f"The body did not come within {BODY_SECONDS} s."
            refused = problem_response(Request(scope), 408, "body_too_slow", "Request timeout", detail)
            await refused(scope, receive, send)
            return
        except HTTPException as error:  # it is too large
            refused = problem_response(Request(scope), error.status_code, *TOO_LARGE, error.detail)
            await refused(scope, receive, send)
            return
        if not await lane.enter():
            await _overloaded(scope)(scope, receive, send)
            return
        leave = _once(lane.leave)

        async def replayed() -> Message:
            return received.pop(0) if received else await receive()

        async def leaving(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                leave()
            await send(message)

        try:
            await self.app(scope, replayed, leaving)
        finally:
            leave()

    def _lane(self, scope: Scope) -> Lane | None:
        if scope["type"] != "http":
            return None
        path: str = scope["path"]
        if path in UNCOUNTED or path.startswith("/ui/") or path.endswith("/events") or is_upload(scope):
            return None
        parts = path.strip("/").split("/")
        about_a_job = len(parts) > 2 and parts[0] in ("jobs", "forecasts") and parts[-1] not in READ_OFF
        reckoned = scope["method"] in ("GET", "HEAD") and (about_a_job or parts[0] == "compare")
        return self._lanes["reckoned" if reckoned else "plain"]


def _has_body(scope: Scope) -> bool:
    """Return whether something follows the head: HTTP/1.1 says so there."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


async def _whole(receive: Receive) -> list[Message]:
    """Return all that belongs to a request's body."""
    messages = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages


def _overloaded(scope: Scope) -> Response:
    detail = "There is more to do than the service can do at the moment; nothing was changed. Try again shortly."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem_response(Request(scope), 503, "overloaded", "Service unavailable", detail, (), headers)


def _once(act: Callable[[], None]) -> Callable[[], None]:
    done = False

    def first() -> None:
        nonlocal done
        if not done:
            done = True
            act()

    return first
