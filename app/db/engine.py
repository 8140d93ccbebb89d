"""The connection to PostgreSQL, and the one place where a transaction begins and ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from sqlalchemy import create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from app.db.frozen import ANSWER_SECONDS, Silence, WatchedConnection
from app.db.owning import bind, bound_to
from app.db.server import POSTGRES_MAJOR

WHEN_AWAY = f"start PostgreSQL {POSTGRES_MAJOR} or newer, or correct"  # the setting, or by its name
MOST_CONNECTIONS = 30
_IS_SNAPSHOT = "snapshot"  # in `Session.info`
LONGEST_LOCK_WAIT_SECONDS = 10
# A host that vanished is noticed in some ten seconds; the system's own defaults would take hours.
VANISHED_HOST = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# What is raised when the database cannot be reached, as against: it refused. It may be asked again.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


def is_away(error: Exception) -> bool:
    """Return whether an error says that the database could not be reached, or broke off, as against: it refused."""
    return isinstance(error, DATABASE_AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated)


class Database:
    """Sessions on one PostgreSQL database, shared by the threads of a process.

    A session takes a connection with its first statement and holds it to its end. A server that does not answer is
    taken for one that is away: at first after `answer_seconds`, then at once, until it is back.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.
    pool_size : int
        Connections that are kept open.
    silence_seconds : float
        How long a transaction may stand still before PostgreSQL ends it, so that a stopped or vanished process does not
        keep a job locked.
    answer_seconds : float
        How long a statement may take; of a program that somebody waits for, more.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        silence_seconds: float = 30.0,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=MOST_CONNECTIONS - pool_size,
            pool_pre_ping=True,  # a restarted PostgreSQL costs a reconnect, not an error
            pool_use_lifo=True,  # few that know their statements, and not each of many a little
            connect_args=VANISHED_HOST,
            hide_parameters=True,  # an error that is logged must not carry a webhook's secret
        )
        self._silence = Silence(answer_seconds)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._snapshots = sessionmaker(
            self.engine.execution_options(isolation_level="REPEATABLE READ"), expire_on_commit=False
        )
        bind(self._sessions)
        bind(self._snapshots)

        @event.listens_for(self.engine, "do_connect")
        def connect(_: object, __: object, arguments: Any, named: dict[str, Any]) -> WatchedConnection:
            try:
                made = WatchedConnection.connect(
                    *arguments, **named | {"connect_timeout": self._silence.connect_timeout}
                )
            except psycopg.errors.ConnectionTimeout:
                self._silence.note()
                raise
            made.silence = self._silence
            return made

        @event.listens_for(self.engine, "connect")
        def set_limits(connection: Any, _: object) -> None:
            limits = (
                f"SET idle_in_transaction_session_timeout = {round(silence_seconds * 1000)};"
                f"SET lock_timeout = '{LONGEST_LOCK_WAIT_SECONDS}s'"
            )
            try:
                connection.autocommit = True
                connection.execute(limits)
                connection.autocommit = False
            except psycopg.OperationalError as error:
                # Here alone SQLAlchemy does not translate, and PostgreSQL may go away here as anywhere.
                connection.close()
                raise OperationalError(limits, None, error, connection_invalidated=True) from error

        @event.listens_for(self.engine, "handle_error")
        def name_silence(context: ExceptionContext) -> None:
            # The driver takes this for a mistake of the program; it is a lost connection like any other.
            if isinstance(context.original_exception, IdleInTransactionSessionTimeout):
                context.is_disconnect = True
                raise OperationalError(context.statement, None, context.original_exception, connection_invalidated=True)

    @contextmanager
    def transaction(self, project: UUID | None = None) -> Iterator[Session]:
        """Yield a session; commit at the end, roll back on an exception.

        Parameters
        ----------
        project : UUID, optional
            Whose rows it sees and writes; default those of all projects.
        """
        self._refuse()
        with self._sessions(info=bound_to(project)) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self, project: UUID | None = None) -> Iterator[Session]:
        """Yield a session all of whose queries see the database at one moment; see `transaction`."""
        self._refuse()
        with self._snapshots(info={**bound_to(project), _IS_SNAPSHOT: True}) as session, session.begin():
            yield session

    def _refuse(self) -> None:
        try:
            self._silence.refuse()
        except psycopg.OperationalError as error:
            raise OperationalError(None, None, error, connection_invalidated=True) from error

    def dispose(self) -> None:
        """Close all idle connections."""
        self.engine.dispose()


def reads_no_more(session: Session) -> None:
    """End a transaction that only reads, before a long reckoning: PostgreSQL would take it for one that stands still.

    What was read stays; the session cannot be asked for more. One that may write is left to who writes.
    """
    if session.info.get(_IS_SNAPSHOT):
        session.commit()


def reason_of(error: SQLAlchemyError) -> str:
    """Return what the database says is wrong, in a line; its URL may hold a password, and is not in it."""
    return str(getattr(error, "orig", error)).splitlines()[0]
