"""The connection to PostgreSQL, and the one place where a transaction begins and ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

MOST_CONNECTIONS = 30


class Database:
    """Sessions on one PostgreSQL database, shared by the threads of a process.

    A session takes a connection with its first statement and holds it to its end.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=MOST_CONNECTIONS - pool_size,
            pool_pre_ping=True,  # a restarted PostgreSQL costs a reconnect, not an error
            connect_args={"connect_timeout": 5},
            hide_parameters=True,  # an error that is logged must not carry a webhook's secret
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._snapshots = sessionmaker(
            self.engine.execution_options(isolation_level="REPEATABLE READ"), expire_on_commit=False
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session; commit at the end, roll back on an exception."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Yield a session all of whose queries see the database at one moment."""
        with self._snapshots.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close all idle connections."""
        self.engine.dispose()
