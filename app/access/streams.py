"""Answers that do not end by themselves: how many a project may have open, and whether the caller is still let in."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.caller import Caller
from app.access.quotas import QuotaExceeded
from app.db.engine import DATABASE_AWAY
from app.errors import ServiceError

LOOKED_AGAIN_AFTER_SECONDS = 10.0


class Streams:
    """The streams that one process has open, by project."""

    def __init__(self) -> None:
        self._open: Counter[object] = Counter()

    @contextmanager
    def counted(self, caller: Caller) -> Iterator[None]:
        """Count one more stream of the caller's project for the length of the block.

        Raises
        ------
        QuotaExceeded
            When the project has as many as it may.
        """
        project, limit = caller.project_id, caller.place.quotas.get("streams")
        if limit is not None and self._open[project] >= limit:
            raise QuotaExceeded(f"The project may have {limit:g} event streams open; end one first.")
        self._open[project] += 1
        try:
            yield
        finally:
            self._open[project] -= 1
            if not self._open[project]:
                del self._open[project]


async def watched(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    look: Callable[[], Awaitable[object]],
    seconds: float = LOOKED_AGAIN_AFTER_SECONDS,
) -> None:
    """Serve a stream until it ends, or its caller is no longer let in.

    Parameters
    ----------
    app, scope, receive, send
        As of ASGI.
    look : callable
        Raises a `ServiceError` once the caller may not go on.
    seconds : float
        Between two looks.
    """
    serving = asyncio.ensure_future(app(scope, receive, send))
    try:
        while not (await asyncio.wait({serving}, timeout=seconds))[0]:
            try:
                await look()
            except ServiceError:
                break
            except DATABASE_AWAY:
                continue
        if serving.done():
            return await serving
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        serving.cancel()
    return None
