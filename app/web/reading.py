"""Reading as HTTP has it: HEAD is GET without the body, OPTIONS says what there is, an unchanged answer is a 304."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Reading:
    """Answers HEAD, OPTIONS and conditional requests of every operation.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    methods : callable
        Which methods an address has; none where nothing is there.
    """

    def __init__(self, app: ASGIApp, methods: Callable[[str], Sequence[str]]) -> None:
        self.app = app
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        methods = self.methods(scope["path"])
        if scope["method"] == "OPTIONS" and methods:
            await Response(status_code=204, headers={"Allow": ", ".join(methods)})(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") and "GET" in methods:
            answer = _Conditional(scope, receive, send)
            asked, scope["method"] = scope["method"], "GET"
            try:
                await self.app(scope, answer.receive, answer.send)
            finally:
                scope["method"] = asked
        else:
            await self.app(scope, receive, send)


class _Conditional:
    """An answer that is held until it is known whether the client has it already."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted = ",".join(Headers(scope=scope).getlist("if-none-match"))
        self._without_body = scope["method"] == "HEAD"
        self._receive, self._send = receive, send
        self._start: Message | None = None
        self._ended = asyncio.Event()

    async def receive(self) -> Message:
        """Return what comes of the client; to who asked for the head alone, a stream has ended with its beginning."""
        if self._without_body:
            await self._ended.wait()
            return {"type": "http.disconnect"}
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Pass the answer on, as it is or as a 304."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            if start["status"] == 200 and not message.get("more_body"):
                start = self._tagged(start, message.get("body", b""))
            await self._send(start)
            if start["status"] == 304 or self._without_body:
                self._ended.set()
                await self._send({"type": "http.response.body", "body": b""})
        if not self._ended.is_set():
            await self._send(message)

    def _tagged(self, start: Message, body: bytes) -> Message:
        headers = MutableHeaders(raw=list(start["headers"]))
        if "etag" not in headers:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            headers.setdefault("Cache-Control", "private, no-cache")
        if not _matches(self._wanted, headers["etag"]):
            return {**start, "headers": headers.raw}
        for name in ("content-length", "content-type", "content-encoding"):
            del headers[name]
        return {**start, "status": 304, "headers": headers.raw}


def _matches(wanted: str, tag: str) -> bool:
    if not wanted:
        return False
    tags = {one.strip().removeprefix("W/") for one in wanted.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags
