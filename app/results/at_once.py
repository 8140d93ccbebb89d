"""The short way of a request whose answer is kept: past whoever has a say in it, and past nobody else.

On the whole way there are a dozen layers, most of which look at such a request and find nothing to do: no body, no
method to refuse, no place to wait for. What remains is asked here: whether the name is the service's, who asks, how
often one may, and whether the job is still what it was. Whatever is not plain goes the whole way, and is refused,
made or looked up there.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.door import Door, taken
from app.access.limits import Buckets
from app.db.engine import DATABASE_AWAY
from app.errors import ServiceError
from app.results.kept import Answer, Answers, joined
from app.results.versions import Versions
from app.web.browsers import Names

_BODY = frozenset({b"content-length", b"transfer-encoding"})


class AtOnce:
    """Sends what is kept.

    Parameters
    ----------
    app : ASGIApp
        The whole way.
    answers : Answers
    versions : Versions
        Of jobs.
    names : Names
        Under which the service is reached.
    door : Door
    buckets : Buckets, optional
        How often one may ask; default as often as one likes.
    """

    def __init__(
        self,
        app: ASGIApp,
        answers: Answers,
        versions: Versions,
        names: Names,
        door: Door,
        buckets: Buckets | None = None,
    ) -> None:
        self._app = app
        self._answers = answers
        self._versions = versions
        self._names = names
        self._door = door
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "GET":
            answer, known = self._kept(scope)
            if answer is not None and (told := await self._let_in(scope, answer)) is not None:
                scope["route"] = answer.route
                await answer.send(known, send, told)
                return
        await self._app(scope, receive, send)

    def _kept(self, scope: Scope) -> tuple[Answer | None, bytes]:
        """Return what is kept for a request, and what its client knows already."""
        accept = known = b""
        hosts: tuple[bytes, ...] = ()
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = joined(accept, value)
            elif name == b"if-none-match":
                known = joined(known, value)
            elif name == b"host":
                hosts += (value,)
            elif name in _BODY:
                return None, known
        answer = self._answers.get((scope["path"], scope["query_string"], accept))
        return (answer if answer is not None and self._names.are_ours(hosts) else None), known

    async def _let_in(self, scope: Scope, answer: Answer) -> list[tuple[bytes, bytes]] | None:
        """Return the headers that tell how often the caller may ask; None for who is to go the whole way.

        A request is counted last, so that one which goes the whole way is counted there.
        """
        try:
            grant, place = await self._door.reader(scope)
            if place.id != answer.project_id or await self._versions.now(answer.job) != answer.version:
                return None
            return taken(self._buckets, grant)
        except (ServiceError, *DATABASE_AWAY):
            return None
