"""Answers that were given before: sent once more, as they were, as long as the job is of the version they were made of.

An answer is a function of the job as it is, of the question and of this code. Its bytes are kept by question, with the
version of the job; a request costs one look-up of that version, and no thread. Who asks has been found out before, by
the door; a job of another project has no version here, and its route says that there is none.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.results.versions import Version, Versions
from app.web.headers import guard

MOST_BYTES = 32_000_000  # of all answers of a process
LARGEST_BYTES = 1_000_000  # of one
LONGEST_QUESTION = 2000

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_QUESTION = re.compile(rf"/jobs/({_UUID})/(?:project|inv_project|verdict|curves)")
_OF_ANSWER = (b"content-type", b"content-disposition", b"vary")

# What was asked: path, query and accepted media types, as they came.
Question = tuple[str, bytes, bytes]


class Answer:
    """A whole answer, with all that is sent of it each time.

    Parameters
    ----------
    job : bytes
        Whose it is, as the database writes its id.
    project_id : UUID
        The job's.
    version : Version or None
        Of the job, when the answer was made; None where nobody could tell.
    headers : iterable of pairs of bytes
        What the route said of it.
    body : bytes
    route : object
        Which made it.
    """

    def __init__(
        self,
        job: bytes,
        project_id: UUID,
        version: Version | None,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        route: Any,
    ) -> None:
        self.job, self.project_id, self.version, self.body, self.route = job, project_id, version, body, route
        self._etag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
        # Asked for again each time, and answered 304: a job may be extended, retried or deleted.
        always = [(b"etag", self._etag), (b"cache-control", b"private, no-cache")]
        self._unchanged = guard(always + [one for one in headers if one[0] in _OF_ANSWER])
        self._whole = [*self._unchanged, (b"content-length", str(len(body)).encode())]

    def __len__(self) -> int:
        return len(self.body)

    async def send(self, known: bytes, send: Send, told: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Send it, or only that it is what the client knows already.

        Parameters
        ----------
        known : bytes
            What the client says that it knows: ``If-None-Match``.
        told : iterable of pairs of bytes
            Headers that are about the request.
        """
        if known and (self._etag in known or b"*" in {one.strip() for one in known.split(b",")}):
            await send({"type": "http.response.start", "status": 304, "headers": [*self._unchanged, *told]})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [*self._whole, *told]})
        await send({"type": "http.response.body", "body": self.body})


class Answers:
    """The answers of a process by question, those that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, Answer] = OrderedDict()
        self._bytes = 0

    def get(self, question: Question) -> Answer | None:
        """Return what was answered, whatever has become of the job since."""
        answer = self._kept.get(question)
        if answer is not None:
            self._kept.move_to_end(question)
        return answer

    def keep(self, question: Question, answer: Answer) -> None:
        """Keep an answer, unless it is too large or nobody knows what it is of."""
        before = self._kept.pop(question, None)
        self._bytes -= len(before) if before is not None else 0
        if answer.version is None or len(answer) > LARGEST_BYTES or len(question[1]) > LONGEST_QUESTION:
            return
        self._kept[question] = answer
        self._bytes += len(answer)
        while self._bytes > MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


class KeptAnswers:
    """Stands before the routes, answers in their place where it can, and keeps what they answer.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    answers : Answers
    versions : Versions
        Of jobs.
    """

    def __init__(self, app: ASGIApp, answers: Answers, versions: Versions) -> None:
        self._app = app
        self._answers = answers
        self._versions = versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = _QUESTION.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        accept, known = _headers(scope)
        question = scope["path"], scope["query_string"], accept
        project_id: UUID = scope["state"]["caller"].project_id
        # Before the answer is made: that one is kept under an older version than it is of does no harm.
        version = await self._versions.of(UUID(asked[1]), project_id)
        answer = self._answers.get(question)
        if answer is not None and answer.version == version is not None:
            scope["route"] = answer.route
        else:
            made = await self._made(scope, receive, send)
            if made is None:
                return
            answer = Answer(asked[1].encode(), project_id, version, *made, scope.get("route"))
            self._answers.keep(question, answer)
        await answer.send(known, send)

    async def _made(self, scope: Scope, receive: Receive, send: Send) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
        """Have the route answer, and return headers and body; None when that was a refusal, which has been sent."""
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
        return None if start is None else (start["headers"], b"".join(parts))


def joined(before: bytes, value: bytes) -> bytes:
    """Return a header's lines as one, as they are meant: who looks at one of them only mistakes it."""
    return before + b"," + value if before else value


def _headers(scope: Scope) -> tuple[bytes, bytes]:
    """Return what a request accepts, and the answers that it has already."""
    accept = known = b""
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = joined(accept, value)
        elif name == b"if-none-match":
            known = joined(known, value)
    return accept, known
