"""A database as Sufficiency 0.1 left it: rows in the form of PostgreSQL's COPY, and how they come into a database.

`database-0.1.copy` was written at 67547f4 and stays as it is, for it is what users of 0.1 have. Where that of a later
version is wanted besides, ``python -m tests.golden.service_database 0.2`` writes `database-0.2.copy`.
"""

import json
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.golden.service_studies import OFFERED, SCHEDULE, Service, add_studies
from tests.golden.service_subjects import (
    HandWorker,
    described_plugins,
    migrate_to,
    migrated_servers,
    plain_url,
    rows,
    serving,
)

DATA = Path(__file__).parent / "data" / "service"
LEFT_BY_0_1 = (DATA / "database-0.1.copy").read_text()
# Messages on their way, which a broker that starts anew has lost too: what still waits is sent again.
LEFT_OUT = ("alembic_version", "outbox")
TABLES = "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
REFERENCES = (
    "SELECT DISTINCT conrelid::regclass::text AS child, confrelid::regclass::text AS parent FROM pg_constraint "
    "WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2"
)
COLUMNS = (
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
    "ORDER BY attnum"
)
KEY = (
    "SELECT attname AS name FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey) "
    "WHERE conrelid = %s::regclass AND contype = 'p' ORDER BY array_position(conkey, attnum)"
)


def dump(database_url: str) -> str:
    """Return all rows of a database, by table, what is referred to before what refers to it."""
    tables = [row["name"] for row in rows(database_url, TABLES) if row["name"] not in LEFT_OUT]
    before: dict[str, list[str]] = {name: [] for name in tables}
    for reference in rows(database_url, REFERENCES):
        before[reference["child"]].append(reference["parent"])
    [revision] = [row["version_num"] for row in rows(database_url, "SELECT version_num FROM alembic_version")]
    parts = [f"-- revision {revision}\n"]
    with psycopg.connect(plain_url(database_url)) as connection:
        for name in TopologicalSorter(before).static_order():
            columns = ", ".join(row["name"] for row in rows(database_url, COLUMNS, name))
            key = ", ".join(row["name"] for row in rows(database_url, KEY, name))
            select = f"COPY (SELECT {columns} FROM {name} ORDER BY {key}) TO STDOUT"
            with connection.cursor().copy(select.encode()) as copy:
                content = b"".join(copy).decode()
            if content:
                parts.append(f"\nCOPY {name} ({columns}) FROM stdin;\n{content}\\.\n")
    return "".join(parts)


def catalog(dumped: str) -> list[dict[str, Any]]:
    """Return the plugins in a dump as a worker describes them."""
    found = []
    for statement, content in _parts(dumped):
        if statement.startswith("COPY plugin "):
            columns = statement.partition("(")[2].partition(")")[0].split(", ")
            for line in content.splitlines():
                plugin: dict[str, Any] = dict(zip(columns, line.replace(r"\\", "\\").split("\t"), strict=True))
                plugin |= {name: json.loads(plugin[name]) for name in ("params_schema", "capabilities")}
                found.append({**plugin, "devices": plugin["devices"].strip("{}").split(",")})
    return found


def restore(dumped: str, database_url: str) -> None:
    """Bring an empty database to the schema that a dump was made of, and write its rows into it."""
    revision = re.match(r"-- revision (\w+)\n", dumped)
    assert revision is not None
    migrate_to(database_url, revision[1])
    with psycopg.connect(plain_url(database_url)) as connection:
        for statement, content in _parts(dumped):
            with connection.cursor().copy(statement.encode()) as copy:
                copy.write(content)


def _parts(dumped: str) -> Iterator[tuple[str, str]]:
    for part in re.finditer(r"^(COPY .*);\n((?s:.*?))^\\\.\n", dumped, re.MULTILINE):
        yield part[1], part[2]


def write(version: str) -> None:
    """Write what the present version leaves."""
    plugins = [one for one in described_plugins() if f"{one['kind']}:{one['name']}" in OFFERED] + [SCHEDULE]
    with migrated_servers() as (database_url, redis_url):
        with serving(database_url, redis_url) as url, httpx.Client(base_url=url, timeout=60) as http:
            add_studies(Service(url, database_url, http), HandWorker(database_url, plugins))
        (DATA / f"database-{version}.copy").write_text(dump(database_url))


if __name__ == "__main__":
    write(*sys.argv[1:])
