"""One request, one transaction, committed before the answer leaves."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.settings import Settings

READS = frozenset({"GET", "HEAD"})


def _session(request: Request) -> Iterator[Session]:
    database = request.app.state.database
    if request.method in READS:
        # One snapshot for all queries of an answer, so that its parts agree with each other. No connection is taken
        # yet: who held one while it waits for a thread would wait for those who hold a thread and wait for one.
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
SessionDep = Annotated[Session, Depends(_session, scope="function")]
SettingsDep = Annotated[Settings, Depends(_settings)]
