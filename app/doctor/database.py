"""Checks of PostgreSQL itself: version, schema, constraints, clock and connections."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.migrate import alembic_config
from app.db.server import POSTGRES_MAJOR
from app.doctor.findings import Check, Finding, listed
from app.settings import Settings

LARGEST_SKEW_SECONDS = 10.0
LONGEST_IDLE_TRANSACTION = timedelta(minutes=5)
FULL = 0.9  # of the connections that there may be


def schema(session: Session, settings: Settings) -> Iterator[Finding]:
    """Check the version and the tables, without which there is nothing else to look at."""
    version = int(session.scalar(text("SELECT current_setting('server_version_num')::int")) or 0) // 10_000
    if version < POSTGRES_MAJOR:
        detail = f"PostgreSQL is version {version}"
        yield Finding("database", "wrong", detail, f"upgrade it to {POSTGRES_MAJOR} or newer: the tables use uuidv7()")
        return
    scripts = ScriptDirectory.from_config(alembic_config(settings.database_url))
    head = scripts.get_current_head()
    if session.scalar(text("SELECT to_regclass('alembic_version') IS NULL")):
        yield Finding("database", "wrong", "it has no tables", "run `sufficiency migrate`")
        return
    revision = session.scalar(text("SELECT version_num FROM alembic_version"))
    if revision != head:
        known = revision in {script.revision for script in scripts.walk_revisions()}
        yield Finding(
            "database",
            "wrong",
            f"its schema is {revision}, and this version's is {head}",
            "run `sufficiency migrate`" if known else "upgrade this installation: a newer one has migrated it",
        )
        return
    yield Finding("database", "ok", f"PostgreSQL {version}, schema {revision}")


def _constraints(session: Session, settings: Settings) -> Iterator[Finding]:
    names = session.scalars(
        text(
            "SELECT conname FROM pg_constraint WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
        )
    ).all()
    yield listed(
        "constraints",
        names,
        "constraints that are not validated, so that rows of before may break them",
        "run ALTER TABLE … VALIDATE CONSTRAINT …, and correct the rows that it names",
        "all are validated",
    )


def _clock(session: Session, settings: Settings) -> Iterator[Finding]:
    now = session.scalar(select(func.clock_timestamp()))
    assert now is not None
    skew = (datetime.now(UTC) - now).total_seconds()
    if abs(skew) > LARGEST_SKEW_SECONDS:
        side = "ahead of" if skew > 0 else "behind"
        detail = f"this machine's clock is {abs(skew):.0f} s {side} the database's"
        yield Finding("clock", "wrong", detail, "have both kept by NTP: messages expire by their sender's clock")
    else:
        yield Finding("clock", "ok", "this machine's and the database's agree")


def _connections(session: Session, settings: Settings) -> Iterator[Finding]:
    used = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")) or 0
    most = int(session.scalar(text("SELECT current_setting('max_connections')::int")) or 0)
    if used > FULL * most:
        remedy = "raise max_connections, run fewer API and worker processes, or put a pooler in between"
        yield Finding("connections", "wrong", f"{used} of {most} connections are in use", remedy)
    else:
        yield Finding("connections", "ok", f"{used} of {most} are in use")
    idle = session.scalars(
        text(
            "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%' AND xact_start < now() - :longest"
        ).bindparams(longest=LONGEST_IDLE_TRANSACTION)
    ).all()
    yield listed(
        "transactions",
        idle,
        f"sessions idle in a transaction for more than {LONGEST_IDLE_TRANSACTION.seconds // 60} min, which may hold "
        "jobs locked",
        "end them: SELECT pg_terminate_backend(PID)",
        "none is left open",
    )


CHECKS: dict[str, Check] = {"constraints": _constraints, "clock": _clock, "connections": _connections}
