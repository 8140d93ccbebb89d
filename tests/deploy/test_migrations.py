"""Programs of the version before live through a migration: what they read is there, what they write is taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect

from app.db.migrate import alembic_config
from tests.support.servers import Servers, new_database, run_sql, url_of

Schema = dict[str, dict[str, Any]]

REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config("")).walk_revisions()][::-1]


@contextmanager
def empty_database(servers: Servers) -> Iterator[str]:
    with new_database(servers) as url:
        name = url.rsplit("/", 1)[1].split("?")[0]
        run_sql(servers, f"DROP DATABASE {name}")
        run_sql(servers, f"CREATE DATABASE {name}")
        yield url_of(servers, name)


def schema_of(engine: Engine) -> Schema:
    """Return the columns of each table, by name."""
    inspector = inspect(engine)
    tables = [name for name in inspector.get_table_names() if name != "alembic_version"]
    return {table: {column["name"]: column for column in inspector.get_columns(table)} for table in tables}


def test_migrations_only_add(servers: Servers) -> None:
    """One line of migrations, none of which takes away what the version before reads, or asks for what it never writes.

    What is to go goes one version later: first no version reads it any more, then it is dropped; such a migration is
    named here, with the version that stopped to use it.
    """
    assert len(REVISIONS) >= 3
    with empty_database(servers) as url:
        engine = create_engine(url)
        before: Schema = {}
        for revision in REVISIONS:
            command.upgrade(alembic_config(url), revision)
            after = schema_of(engine)
            for problem in problems(before, after):
                pytest.fail(f"migration {revision}: {problem}")
            before = after
        engine.dispose()


def problems(before: Schema, after: Schema) -> Iterator[str]:
    """Yield why programs that know the tables of before would fail on those of after."""
    for table, columns in before.items():
        if table not in after:
            yield f"table {table} is gone"
            continue
        for name, column in columns.items():
            now = after[table].get(name)
            if now is None:
                yield f"column {table}.{name} is gone"
            elif str(now["type"]) != str(column["type"]):
                yield f"column {table}.{name} was {column['type']} and is {now['type']}"
            elif column["nullable"] and not now["nullable"]:
                yield f"column {table}.{name} no longer takes null"
            elif column["default"] and not now["default"]:
                yield f"column {table}.{name} has lost its default"
        for name, column in after[table].items():
            if name not in columns and not column["nullable"] and not column["default"]:
                yield f"new column {table}.{name} must be written, and the version before does not know it"


def test_what_would_break_a_running_program_is_seen() -> None:
    text: dict[str, Any] = {"type": "TEXT", "nullable": False, "default": None}
    before: Schema = {"job": {"state": {**text, "default": "'queued'"}, "error": {**text, "nullable": True}}}
    broken: list[tuple[Schema, str]] = [
        ({}, "table job is gone"),
        ({"job": {"state": before["job"]["state"]}}, "column job.error is gone"),
        ({"job": before["job"] | {"error": text}}, "no longer takes null"),
        ({"job": before["job"] | {"state": text}}, "has lost its default"),
        ({"job": before["job"] | {"error": {**text, "type": "JSONB", "nullable": True}}}, "was TEXT and is JSONB"),
        ({"job": before["job"] | {"kind": text}}, "new column job.kind must be written"),
    ]
    for after, words in broken:
        [found] = problems(before, after)
        assert words in found
    assert not list(problems(before, {"job": before["job"] | {"kind": {**text, "nullable": True}}, "more": {}}))
