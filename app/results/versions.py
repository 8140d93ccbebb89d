"""Asks the database which versions jobs are of: for all requests that wait at the moment with one query.

Every answer that is sent once more waits for this and for nothing else, so the query goes to the driver's own library
as bytes, and its answer is taken up where the event loop tells of it: no cursor, no task, no conversion of what is only
compared.
"""

import asyncio
import logging
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from app.curves.versions import COLUMNS, TABLES
from app.db.engine import VANISHED_HOST

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 5.0

_NAME = b"versions"
_PREPARE = (
    f"PREPARE versions (uuid[]) AS SELECT job.id, concat_ws(' ', job.project_id, {COLUMNS}) "
    f"FROM {TABLES} WHERE job.id = ANY($1)"
).encode()

# The job's project, and what changes with whatever an answer is made of, in one: it is only compared.
Version = bytes
Found = dict[bytes, Version]


_Future = asyncio.Future[Version | None]


class Versions:
    """The versions of jobs as they are now, over one connection that is opened when it is first needed.

    Parameters
    ----------
    database_url : str
        SQLAlchemy URL.

    Attributes
    ----------
    queries : int
        How often the database was asked so far.
    """

    def __init__(self, database_url: str) -> None:
        address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._address = make_conninfo(address, **VANISHED_HOST)
        self._connection: psycopg.AsyncConnection | None = None
        self._descriptor = -1
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: dict[bytes, list[_Future]] = {}
        self._asked: dict[bytes, list[_Future]] = {}
        self._asked_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._writes_later = False
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.queries = 0

    def open(self) -> None:
        """Begin to answer, in the event loop that runs now: it is told of what comes, and no other would be."""
        self._is_open = True
        self._loop = asyncio.get_running_loop()

    async def of(self, job_id: UUID, project_id: UUID) -> Version | None:
        """Return the version of a job of a project, asked for after this call; see `now`."""
        found = await self.now(str(job_id).encode())
        return found if found is not None and found.startswith(str(project_id).encode()) else None

    async def now(self, job: bytes) -> Version | None:
        """Return the version of a job, asked for after this call; None for none, or if nobody can tell.

        Nobody can in another event loop than the one in which it was opened.

        Parameters
        ----------
        job : bytes
            Its id, as the database writes it.
        """
        loop = asyncio.get_running_loop()
        if not self._is_open or loop is not self._loop:
            return None
        future: _Future = loop.create_future()
        self._waiting.setdefault(job, []).append(future)
        self._go_on()
        return await future

    async def close(self) -> None:
        """Answer no more."""
        self._is_open = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        self._give_up("the service ends")
        self._asked, self._waiting = self._waiting, {}
        self._answer({})

    def _go_on(self) -> None:
        """Ask for all that wait, unless a query is under way; who comes meanwhile shares the next one."""
        if self._asked or not self._waiting or self._connecting is not None:
            return
        if self._connection is None:
            self._connecting = asyncio.create_task(self._connect())
            return
        self._asked, self._waiting = self._waiting, {}
        wire = self._connection.pgconn
        self.queries += 1
        try:
            wire.send_query_prepared(_NAME, [b"{" + b",".join(self._asked) + b"}"])
            self._flush()
        except psycopg.Error as error:
            self._give_up(error)
            return
        assert self._loop is not None
        self._asked_at = self._loop.time()
        if self._watch is None:  # one for many queries: next to what a query takes, setting a timer is dear
            self._watch = self._loop.call_later(LONGEST_SECONDS, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        """Wait for an answer no longer than so long."""
        assert self._loop is not None
        self._watch = None
        left = self._asked_at + LONGEST_SECONDS - self._loop.time()
        if not self._asked:
            return
        if left <= 0:
            self._give_up("no answer in time")
        else:
            self._watch = self._loop.call_later(left, self._look_at_the_time)

    def _flush(self) -> None:
        """Send what is to be sent; what the system does not take at once, when it does."""
        assert self._connection is not None
        later = bool(self._connection.pgconn.flush())
        if later != self._writes_later:
            assert self._loop is not None
            self._writes_later = later
            if later:
                self._loop.add_writer(self._descriptor, self._readable)
            else:
                self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        """Take up what has come, and answer those who asked once it is whole."""
        assert self._connection is not None
        wire = self._connection.pgconn
        try:
            wire.consume_input()
            self._flush()
            if wire.is_busy():
                return
            found: Found = {}
            while (result := wire.get_result()) is not None:
                if result.status != pq.ExecStatus.TUPLES_OK:
                    raise psycopg.OperationalError(result.get_error_message())
                for row in range(result.ntuples):
                    job, version = result.get_value(row, 0), result.get_value(row, 1)
                    assert job is not None
                    assert version is not None
                    found[job] = version
        except psycopg.Error as error:
            self._give_up(error)
            return
        while wire.notifies() is not None:  # nobody listens to any
            pass
        self._answer(found)
        self._go_on()

    def _answer(self, found: Found) -> None:
        asked, self._asked = self._asked, {}
        for job_id, futures in asked.items():
            for future in futures:
                if not future.done():  # else who asked has gone
                    future.set_result(found.get(job_id))

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                connection = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
                await connection.execute(_PREPARE)
        except (psycopg.Error, OSError) as error:  # a timeout is an OSError
            self._connecting = None
            self._asked, self._waiting = self._waiting, {}
            self._give_up(error)
            return
        self._connecting = None
        self._connection, self._descriptor = connection, connection.pgconn.socket
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
        self._go_on()

    def _give_up(self, why: object) -> None:
        """Say that nobody can tell to all who asked, and connect anew for the next."""
        connection, self._connection = self._connection, None
        if connection is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.remove_writer(self._descriptor)
            self._writes_later = False
            connection.pgconn.finish()
        if self._asked:
            logger.info("versions cannot be looked up: %s", str(why).strip() or type(why).__name__)
        self._answer({})
        if self._is_open:
            self._go_on()
