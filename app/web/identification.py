"""Each request has an id, its client's or one of the service's own, in the answer and in each line of the log."""

import re
import time
from random import Random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.logging import AccessLog, request_id
from app.observability.metrics import RequestMetrics

HEADER = "X-Request-ID"
_SENT = HEADER.lower().encode()
LONGEST = 128
# To be told apart, and no secret: no system call for each.
_DRAW = Random()
_PLAIN = re.compile(r"[A-Za-z0-9._~:/+=@-]+")


def identified(said: str | None) -> str:
    """Return what a request is called: as its client says, cut if it is long; a new id if that is no plain word."""
    if said is None or not _PLAIN.fullmatch(said):
        return f"{_DRAW.getrandbits(128):032x}"
    return said[:LONGEST]


class Noted:
    """Names each request, for who asks and for the log, and has it logged, counted and timed.

    One layer, the outermost of ours, for what is done with every request whatever becomes of it.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    metrics : RequestMetrics
    log : AccessLog, optional
        Default none, as where the server has its own.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, log: AccessLog | None = None) -> None:
        self.app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status, answered = time.perf_counter(), 500, False
        said = None
        for name, value in scope["headers"]:
            if name == _SENT:
                said = value.decode("latin-1")
                break
        id = identified(said)
        scope.setdefault("state", {})["request_id"] = id
        # Not taken back: what follows in this task, such as the log of a mistake, is about this request too.
        request_id.set(id)

        async def named(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                if self._log is not None:
                    self._log.tell(scope, status)
                message["headers"] = [*message.get("headers", ()), (_SENT, id.encode())]
            await send(message)

        metrics = self._metrics
        metrics.in_progress += 1
        try:
            await self.app(scope, receive, named)
        except Exception:
            # What is said of a mistake is said further out, where nobody logs a request.
            if self._log is not None and not answered:
                self._log.tell(scope, status)
            raise
        finally:
            metrics.in_progress -= 1
            route = getattr(scope.get("route"), "path", None)
            metrics.note(scope["method"], route, status, time.perf_counter() - begun)
