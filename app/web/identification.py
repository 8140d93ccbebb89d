"""Each request has an id: its client's or one of the service's own, in the answer and in each line of the log."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.logging import request_id

HEADER = "X-Request-ID"
LONGEST = 128
_PLAIN = re.compile(r"[A-Za-z0-9._~:/+=@-]+")


def identified(said: str | None) -> str:
    """Return what a request is called: as its client says, cut if it is long; a new id if that is no plain word."""
    if said is None or not _PLAIN.fullmatch(said):
        return uuid4().hex
    return said[:LONGEST]


class RequestId:
    """Names each request, for who asks and for the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id = identified(Headers(scope=scope).get(HEADER))
        scope.setdefault("state", {})["request_id"] = id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = id
            await send(message)

        # Not taken back: what follows in this task, such as the log of a mistake, is about this request too.
        request_id.set(id)
        await self.app(scope, receive, named)
