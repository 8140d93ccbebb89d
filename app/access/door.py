"""The door: before anything of a request is read, who asks is found out, and whether the caller may.

What was found out is kept for a few seconds, so that most requests cost no query; a key that is revoked here is
forgotten at once, and by other processes within `KEPT_SECONDS`.
"""

import ipaddress
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import keys, projects
from app.access.caller import Caller, Grant, Place, includes
from app.access.errors import Unauthenticated
from app.access.operations import Operations, need_of
from app.db.engine import DATABASE_AWAY, Database
from app.db.tables import DEFAULT_PROJECT_ID
from app.errors import Invalid, ServiceError, field_error
from app.settings import Settings
from app.web.problem import refusal
from sufficiency.schemas.words import DEFAULT_PROJECT, KEY_PREFIX, PROJECT_HEADER

KEPT_SECONDS = 5.0
MOST_KEPT = 10_000
SHORTEST_BOOTSTRAP_KEY = 32


class BadKeyFile(Exception):
    """The file that should have the first key has none."""


class Kept:
    """What was found in the database a moment ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[object, tuple[float, object]] = {}

    def get(self, key: object) -> object | None:
        """Return what was found, unless it is too old."""
        until, value = self._found.get(key, (0.0, None))
        return value if until > self._clock() else None

    def put(self, key: object, value: object, seconds: float = KEPT_SECONDS) -> None:
        """Keep what was found for some seconds."""
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found[key] = (self._clock() + seconds, value)

    def forget(self) -> None:
        """Forget everything, since something has changed."""
        self._found.clear()


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
        self._open = settings.access == "open"
        self._database = database
        self._operations = operations
        self._bootstrap = bootstrap_hash(settings.bootstrap_key_file)
        self._kept = Kept()

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
        operation = self._operations.find(scope["method"], scope["path"])
        need = need_of(operation, scope["method"])
        if need is None:
            return None
        headers = Headers(scope=scope)
        grant = await self._grant(scope, headers)
        name, place = await self._place(grant, headers.get(PROJECT_HEADER))
        caller = Caller(grant, place.id, name, place.scope, operation or scope["path"])
        caller.require(need)
        return caller

    async def still_lets_in(self, scope: Scope) -> bool:
        """Return whether a request that is being answered for long would be let in now."""
        try:
            await self.caller(scope)
        except (ServiceError, *DATABASE_AWAY):
            return False
        return True

    async def _grant(self, scope: Scope, headers: Headers) -> Grant:
        if self._open:
            _refuse_from_afar(scope)
            return Grant("anybody", everywhere="admin")
        kind, _, secret = headers.get("authorization", "").partition(" ")
        secret = secret.strip()
        if kind.lower() != "bearer" or not secret:
            raise Unauthenticated(
                "Send a key: Authorization: Bearer suf_…; an administrator of the project makes one with "
                "`sufficiency keys add`."
            )
        if not secret.startswith(KEY_PREFIX):
            raise Unauthenticated(
                f"That is no key of this service: one begins with {KEY_PREFIX}.", error="invalid_token"
            )
        return await self._of_key(keys.hash_of(secret))

    async def _of_key(self, hash: str) -> Grant:
        if hash == self._bootstrap:
            return Grant("the bootstrap key", everywhere="admin")
        if isinstance(kept := self._kept.get(hash), Grant):
            return kept
        found = await run_in_threadpool(self._look_up, hash)
        if found is None:
            raise Unauthenticated("There is no such key.", error="invalid_token")
        if found.revoked:
            raise Unauthenticated("The key is revoked.", code="key_revoked", error="invalid_token")
        if found.seconds_left is not None and found.seconds_left <= 0:
            raise Unauthenticated("The key has expired.", code="key_expired", error="invalid_token")
        actor = f"key {found.name} ({found.hint})"
        if found.project_id is None:
            grant = Grant(actor, everywhere=found.scope)
        else:
            grant = Grant(actor, places={str(found.project): Place(found.project_id, found.scope)})
        self._kept.put(hash, grant, min(KEPT_SECONDS, found.seconds_left or KEPT_SECONDS))
        return grant

    def _look_up(self, hash: str) -> keys.Found | None:
        with self._database.transaction() as session:
            return keys.find(session, hash)

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
            id = DEFAULT_PROJECT_ID if wanted == DEFAULT_PROJECT else await self._project(wanted)
            place = Place(id, grant.everywhere)
        if place is None:
            raise projects.no_such_project(wanted)
        return wanted, place

    async def _project(self, name: str) -> UUID:
        if isinstance(kept := self._kept.get(("project", name)), UUID):
            return kept
        id = await run_in_threadpool(self._look_up_project, name)
        self._kept.put(("project", name), id)
        return id

    def _look_up_project(self, name: str) -> UUID:
        with self._database.transaction() as session:
            return projects.get(session, name).id


class Gate:
    """Lets no request through to what it asks for before the door knows who asks.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    door : Door
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            try:
                caller = await self._door.caller(scope)
            except (ServiceError, *DATABASE_AWAY) as error:
                await refusal(Request(scope), error)(scope, receive, send)
                return
            if caller is not None:
                scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def bootstrap_hash(file: Path | None) -> str | None:
    """Return the hash of the key in a secret file, which is good for all as long as the process runs.

    Raises
    ------
    BadKeyFile
    """
    if file is None:
        return None
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyFile(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not secret.startswith(KEY_PREFIX) or len(secret) < SHORTEST_BOOTSTRAP_KEY:
        raise BadKeyFile(f"{file} has no key: write into it what `sufficiency keys new` prints")
    return keys.hash_of(secret)


def _refuse_from_afar(scope: Scope) -> None:
    """Refuse a request that came in by an address which others reach too."""
    host = (scope.get("server") or (None,))[0]
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return  # a socket, or a server of tests
    if not address.is_loopback:
        raise Unauthenticated(
            f"Without keys this service answers on loopback alone, and {host} is not that; it takes "
            "SUFFICIENCY_ACCESS=keys (docs/access.md).",
            code="open_to_loopback_only",
        )
