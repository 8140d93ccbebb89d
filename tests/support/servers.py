"""Real PostgreSQL and Redis: what a test is told of them, and databases of one's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

TEMPLATE = "migrated"


@dataclass(frozen=True)
class Servers:
    """Addresses of the running servers; `database_url` is that of an empty database."""

    database_url: str
    redis_url: str


def in_memory() -> str | None:
    """Return a folder that is kept in memory, where there is one with room; else None, the usual temporary folder.

    A database of a test's own is three hundred files. On a disk their making and removal took more of a processor than
    most tests, and several times as much while others did the same.
    """
    place = "/dev/shm"
    has_room = os.path.isdir(place) and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 4 * 2**30
    return place if has_room else None


def url_of(servers: Servers, name: str) -> str:
    """Return the URL of the database of that name."""
    return make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)


def run_sql(servers: Servers, statement: str) -> None:
    """Run a statement that no transaction may hold, such as CREATE DATABASE."""
    url = make_url(servers.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(statement.encode())


@contextmanager
def new_database(servers: Servers, template: str = TEMPLATE) -> Iterator[str]:
    """Yield the URL of a database of one's own, a copy of a migrated one, and drop it in the end."""
    name = f"test_{uuid4().hex}"
    run_sql(servers, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield url_of(servers, name)
    finally:
        run_sql(servers, f"DROP DATABASE {name} WITH (FORCE)")
