"""One request, one transaction, committed before the answer leaves."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.settings import Settings

# Requests that talk to the database at a time. They share one core: more of them would only slow each other down.
SESSIONS = 16
READS = frozenset({"GET", "HEAD"})


def _session(request: Request) -> Iterator[Session]:
    database = request.app.state.database
    if request.method in READS:
        # One snapshot for all queries of an answer, so that its parts agree with each other.
        with database.snapshot() as session:
            yield session
        return
    with database.transaction() as session:
        yield session
    request.app.state.relay.wake()
    request.app.state.deliverer.wake()


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


# Scope "function" ends the transaction when the endpoint returns. The default would send 201 and then fail to commit.
# The limit is below the pool's, so that no thread ever waits for a connection: between its steps a request holds a
# connection and waits for a thread, and threads that wait for connections would leave it none.
SessionDep = Annotated[Session, Depends(_session, scope="function", max_concurrency=SESSIONS)]
SettingsDep = Annotated[Settings, Depends(_settings)]
