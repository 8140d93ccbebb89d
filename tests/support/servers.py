"""Real PostgreSQL and Redis: what a test is told of them, and databases of one's own."""

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
