"""Answers that were given before: sent once more, as they were, as long as the job is of the version they were made of.

An answer is a function of the job as it is, of the question and of this code. Its bytes are kept by question, with the
version of the job; a request costs one look-up of that version, and no thread. Who asks has been found out before, by
the door; a job of another project has no version here, and its route says that there is none.
"""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.results.versions import Version, Versions

MOST_BYTES = 32_000_000  # of all answers of a process
LARGEST_BYTES = 1_000_000  # of one
LONGEST_QUESTION = 2000

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_QUESTION = re.compile(rf"/jobs/({_UUID})/(?:project|inv_project|verdict|curves)")
_OF_ANSWER = (b"content-type", b"content-disposition", b"vary")

# What was asked: path, query and accepted media types, as they came.
Question = tuple[str, bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """A whole answer, the version of the job that it was made of, and the route that made it."""

    version: Version | None
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    etag: bytes
    route: Any

    def __len__(self) -> int:
        return len(self.body)


class KeptAnswers:
    """Stands before the routes, and answers in their place where it can.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    versions : Versions
        Of jobs.
    """

    def __init__(self, app: ASGIApp, versions: Versions) -> None:
        self._app = app
        self._versions = versions
        self._kept: OrderedDict[Question, Answer] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = _QUESTION.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        accept, known = _headers(scope)
        question = scope["path"], scope["query_string"], accept
        # Before the answer is made: that one is kept under an older version than it is of does no harm.
        version = await self._versions.of(UUID(asked[1]), scope["state"]["caller"].project_id)
        answer = self._kept.get(question)
        if answer is not None and answer.version == version is not None:
            self._kept.move_to_end(question)
            scope["route"] = answer.route
        else:
            answer = await self._made(scope, receive, send, version)
            if answer is None:
                return
            self._keep(question, answer)
        await _send(answer, known, send)

    async def _made(self, scope: Scope, receive: Receive, send: Send, version: Version | None) -> Answer | None:
        """Have the route answer, and return its answer; None when that was a refusal, which has been sent."""
        start: Message | None = None
        parts: list[bytes] = []

        async def gathered(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, gathered)
        if start is None:
            return None
        body = b"".join(parts)
        headers = tuple((name, value) for name, value in start["headers"] if name in _OF_ANSWER)
        etag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
        return Answer(version, headers, body, etag, scope.get("route"))

    def _keep(self, question: Question, answer: Answer) -> None:
        before = self._kept.pop(question, None)
        self._bytes -= len(before) if before is not None else 0
        if answer.version is None or len(answer) > LARGEST_BYTES or len(question[1]) > LONGEST_QUESTION:
            return
        self._kept[question] = answer
        self._bytes += len(answer)
        while self._bytes > MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


def _headers(scope: Scope) -> tuple[bytes, bytes]:
    """Return what a request accepts, and the answers that it has already."""
    accept = known = b""
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = value
        elif name == b"if-none-match":
            known = value
    return accept, known


async def _send(answer: Answer, known: bytes, send: Send) -> None:
    # Asked for again each time, and answered 304: a job may be extended, retried or deleted.
    headers = [(b"etag", answer.etag), (b"cache-control", b"private, no-cache"), *answer.headers]
    if known and (known.strip() == b"*" or answer.etag in known):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    headers.append((b"content-length", str(len(answer)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
