"""One request, one transaction, committed before the answer leaves, in the project of who asks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.db.waking import asked
from app.settings import Settings
from sufficiency.schemas.limits import AT_ONCE

# Requests that talk to the database at a time. They share one core: more of them would only slow each other down.
SESSIONS = AT_ONCE
READS = frozenset({"GET", "HEAD"})


class Acting(Protocol):
    """Who asks, as `app.access` has found out before the request came here."""

    @property
    def project_id(self) -> UUID:
        """Whose rows the request sees and writes."""

    def begin(self, session: Session) -> Mapping[str, float]:
        """Return what there is before a change."""

    def end(self, session: Session, request: Request, before: Mapping[str, float]) -> None:
        """Refuse a change that may not be, or write down who made it, in the transaction of the change itself."""


def acting(request: Request) -> Acting:
    """Return who asks; that nobody was let in here is a mistake, and no reason to show everything."""
    caller: Acting = request.state.caller
    return caller


@contextmanager
def short_transaction(request: Request) -> Iterator[Session]:
    """Yield a session of the caller's project that ends before the answer begins."""
    with request.app.state.database.transaction(acting(request).project_id) as session:
        yield session


@contextmanager
def changing(request: Request) -> Iterator[Session]:
    """Yield a session that changes something of the caller's: within what it may have, and written down."""
    caller = acting(request)
    with request.app.state.database.transaction(caller.project_id) as session:
        before = caller.begin(session)
        yield session
        caller.end(session, request, before)


def _session(request: Request) -> Iterator[Session]:
    database, caller = request.app.state.database, acting(request)
    if request.method in READS:
        # One snapshot for all queries of an answer, so that its parts agree with each other.
        with database.snapshot(caller.project_id) as session:
            yield session
        return
    with changing(request) as session:
        yield session
    # Each has a look of its own every second; whoever finds nothing has cost as much as a query of the request.
    for whom in asked(session):
        getattr(request.app.state, whom).wake()
    if after := getattr(request.state, "after_commit", None):
        after()


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


# Scope "function" ends the transaction when the endpoint returns. The default would send 201 and then fail to commit.
# The limit is below the pool's, so that no thread ever waits for a connection: between its steps a request holds a
# connection and waits for a thread, and threads that wait for connections would leave it none.
SessionDep = Annotated[Session, Depends(_session, scope="function", max_concurrency=SESSIONS)]
SettingsDep = Annotated[Settings, Depends(_settings)]
