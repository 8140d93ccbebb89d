"""Asks the database which versions jobs are of: for all requests that wait at the moment with one query."""

import asyncio
import logging
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from app.curves.versions import COLUMNS, TABLES, Version
from app.db.engine import VANISHED_HOST

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 5.0

_OF_SEVERAL = f"SELECT job.id, job.project_id, {COLUMNS} FROM {TABLES} WHERE job.id = ANY(%s)".encode()


class Versions:
    """The versions of jobs as they are now, over one connection that is opened when it is first needed.

    Parameters
    ----------
    database_url : str
        SQLAlchemy URL.
    """

    def __init__(self, database_url: str) -> None:
        address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._address = make_conninfo(address, **VANISHED_HOST)
        self._connection: psycopg.AsyncConnection | None = None
        self._waiting: dict[UUID, list[asyncio.Future[tuple[UUID, Version] | None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._is_open = False

    def open(self) -> None:
        """Begin to answer, in the event loop that runs now."""
        self._is_open = True

    async def of(self, job_id: UUID, project_id: UUID) -> Version | None:
        """Return the version of a job of a project, asked for after this call; None for none, or if nobody can tell."""
        if not self._is_open:
            return None
        future: asyncio.Future[tuple[UUID, Version] | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, []).append(future)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        found = await future
        return found[1] if found is not None and found[0] == project_id else None

    async def close(self) -> None:
        """Answer no more."""
        self._is_open = False
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _look(self) -> None:
        """Ask for all that wait, and for those that came meanwhile, until none waits."""
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                found: dict[UUID, tuple[UUID, Version]] = {}
                try:
                    async with asyncio.timeout(LONGEST_SECONDS):
                        found = await self._found(list(asked))
                except (psycopg.Error, OSError) as error:  # a timeout is an OSError
                    logger.info("versions cannot be looked up: %s", str(error) or type(error).__name__)
                    await self._disconnect()
                finally:
                    for job_id, futures in asked.items():
                        for future in futures:
                            if not future.done():  # else who asked has gone
                                future.set_result(found.get(job_id))
        finally:
            self._looking = None

    async def _found(self, job_ids: list[UUID]) -> dict[UUID, tuple[UUID, Version]]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        rows = await (await self._connection.execute(_OF_SEVERAL, [job_ids], prepare=True)).fetchall()
        return {
            job_id: (project_id, (written, events, of_dataset))
            for job_id, project_id, written, events, of_dataset in rows
        }
