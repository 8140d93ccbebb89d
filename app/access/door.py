"""The door: before anything of a request is read, who asks is found out, and whether the caller may.

What was found out is kept for a few seconds, so that most requests cost no query; a key that is revoked here is
forgotten at once, and by other processes within `KEPT_SECONDS`.
"""

import logging
from collections.abc import Sequence
from contextlib import ExitStack

from starlette._utils import get_route_path  # the part of the path that routes are matched with
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import projects
from app.access.caller import Caller, Grant, Place, includes
from app.access.credentials import Credentials
from app.access.errors import Unauthenticated
from app.access.kept import Kept
from app.access.limits import Buckets, refused
from app.access.operations import Operation, Operations, need_of
from app.access.streams import Streams
from app.db.engine import DATABASE_AWAY, Database
from app.db.tables import DEFAULT_PROJECT_ID
from app.errors import Invalid, NotFound, ServiceError, field_error
from app.settings import Settings
from app.web.problem import refusal
from sufficiency.schemas.words import DEFAULT_PROJECT, PROJECT_HEADER
from sufficiency.schemas.words import Scope as Role

logger = logging.getLogger(__name__)

_PROJECT = PROJECT_HEADER.lower().encode()  # as the server hands it over


class Door:
    """Finds out who asks.

    Parameters
    ----------
    settings : Settings
    database : Database
        Where keys and projects are.
    operations : Operations
        What can be asked for.
    """

    def __init__(self, settings: Settings, database: Database, operations: Operations) -> None:
        self._database = database
        self.operations = operations
        self._kept = Kept()
        self.credentials = Credentials(settings, database, self._kept)

    def forget(self) -> None:
        """Look everything up anew: keys or projects have changed."""
        self._kept.forget()

    async def caller(self, scope: Scope) -> Caller | None:
        """Return who asks, or None where anybody may.

        Raises
        ------
        Unauthenticated
            When nobody knows who asks.
        Forbidden
            When the caller may not.
        NotFound
            When the project is none that the caller knows of.
        """
        operation = self.operations.find(scope["method"], get_route_path(scope)) or Operation(scope["path"])
        scope["route"] = operation.route  # by which those are counted that come no further
        need = need_of(operation.name, scope["method"])
        if need is None:
            return None
        headers = Headers(scope=scope)
        grant = await self.credentials.grant(scope, headers)
        if need.service:  # about no project, so that none is looked up: numbers are read while the database is away
            name, place = DEFAULT_PROJECT, Place(DEFAULT_PROJECT_ID, grant.everywhere or "read")
        else:
            name, place = await self._place(grant, headers.get(PROJECT_HEADER) or grant.looks_at)
        caller = Caller(grant, name, place, operation.name, streams=operation.streams, of_service=need.service)
        caller.require(need)
        return caller

    async def reader(self, scope: Scope) -> tuple[Grant, Place]:
        """Return who asks to read something of a project, and the project; raises as `caller` does."""
        headers = Headers(scope=scope)
        grant = await self.credentials.grant(scope, headers)
        named = next((value.decode("latin-1") for name, value in headers.raw if name == _PROJECT), None)
        _, place = await self._place(grant, named or grant.looks_at)
        return grant, place

    async def known(self, scope: Scope) -> Caller | None:
        """Return who asks for something that anybody may ask for, or None where nobody knows."""
        headers = Headers(scope=scope)
        try:
            grant = await self.credentials.grant(scope, headers)
            name, place = await self._place(grant, headers.get(PROJECT_HEADER) or grant.looks_at)
        except (Unauthenticated, NotFound, Invalid):
            return None
        return Caller(grant, name, place, scope["path"])

    async def still_lets_in(self, scope: Scope) -> bool:
        """Return whether a request that is being answered for long would be let in now."""
        try:
            await self.caller(scope)
        except (ServiceError, *DATABASE_AWAY):
            return False
        return True

    async def _place(self, grant: Grant, wanted: str | None) -> tuple[str, Place]:
        """Return the project that the request is about, and what the caller may do there."""
        if wanted is None:
            wanted = DEFAULT_PROJECT
            if grant.everywhere is None and wanted not in grant.places:
                if len(grant.places) != 1:
                    known = ", ".join(sorted(grant.places)) or "none"
                    detail = f"Name the project in the header {PROJECT_HEADER}; yours: {known}."
                    raise Invalid(detail, code="project_unnamed", errors=[field_error(PROJECT_HEADER, detail)])
                [wanted] = grant.places
        place = grant.places.get(wanted)
        if grant.everywhere is not None and (place is None or not includes(place.scope, grant.everywhere)):
            place = await self._project(wanted, grant.everywhere)
        if place is None:
            raise projects.no_such_project(wanted)
        return wanted, place

    async def _project(self, name: str, role: Role) -> Place:
        """Return a project as the place of somebody who may do so much in each."""
        if isinstance(kept := self._kept.get(("project", name, role)), Place):
            return kept
        place = await run_in_threadpool(self._look_up_project, name, role)
        self._kept.put(("project", name, role), place)
        return place

    def _look_up_project(self, name: str, role: Role) -> Place:
        with self._database.transaction() as session:
            project = projects.get(session, name)
            return Place(project.id, role, project.quotas)


async def by_the_route(request: Request) -> None:
    """Ask once more by the operation that was come to, if the door took the request for another one.

    Both look at the same patterns. Should they ever differ, what counts is what is carried out.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    name = getattr(request.scope.get("route"), "name", None)
    if caller is not None and caller.operation == name:
        return
    if (need := need_of(name, request.method)) is None:
        return
    if caller is None:
        raise Unauthenticated("Nobody has asked who this is.")
    caller.require(need)


class Gate:
    """Lets no request through to what it asks for before the door knows who asks.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    door : Door
    buckets : Buckets, optional
        How often one may ask; default as often as one likes.
    """

    def __init__(self, app: ASGIApp, door: Door, buckets: Buckets | None = None) -> None:
        self._app = app
        self._door = door
        self._buckets = buckets
        self._streams = Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        with ExitStack() as held:
            try:
                caller = await self._door.caller(scope)
                if told := taken(self._buckets, None if caller is None else caller.grant):
                    send = _telling(send, told)
                if caller is not None and caller.streams:
                    held.enter_context(self._streams.counted(caller))
            except (ServiceError, *DATABASE_AWAY) as error:
                if isinstance(error, ServiceError):
                    logger.info("%s %r is refused: %s", scope["method"], scope["path"], error.code)
                return await refusal(Request(scope), error)(scope, receive, send)
            if caller is not None:
                scope.setdefault("state", {})["caller"] = caller
            return await self._app(scope, receive, send)


def taken(buckets: Buckets | None, grant: Grant | None) -> list[tuple[bytes, bytes]]:
    """Take a request out of the bucket of who asks, and return the headers that tell what is left in it.

    Raises
    ------
    TooManyRequests
    """
    if grant is None or buckets is None:
        return []
    allowance = buckets.take(grant.of)
    if allowance.wait:
        raise refused(buckets, allowance)
    return [(name.lower().encode(), value.encode()) for name, value in buckets.headers(allowance).items()]


def _telling(send: Send, told: Sequence[tuple[bytes, bytes]]) -> Send:
    """Return a `send` that adds headers to the answer."""

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *told]
        await send(message)

    return telling
