"""Looks at a live service through its settings, its database and its broker, and names what is wrong with the remedy.

It writes nothing, and needs no API: what it looks for is also what is wrong when that does not answer.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import httpx
from alembic.script import ScriptDirectory
from sqlalchemy import and_, exists, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.catalog import service as catalog
from app.db.engine import Database
from app.db.migrate import alembic_config
from app.db.tables import Cell, Dataset, Event, Job, Measurement, Outbox, Unit
from app.jobs.waiting import Waiting
from app.queue.celery import make_celery
from app.queue.outbox import overdue_seconds
from app.settings import Settings
from sufficiency.schemas.words import ENDED, OPEN_UNIT_STATES

POSTGRES_MAJOR = 18
MANY_ATTEMPTS = 5
LARGEST_SKEW_SECONDS = 10.0
LEAST_FREE_BYTES = 1_000_000_000
LONGEST_BACKLOG_SECONDS = 30.0
LONGEST_IDLE_TRANSACTION = timedelta(minutes=5)
FULL = 0.9  # of what may be used
NAMED = 3  # of the jobs, units or datasets that something is wrong with

Level = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        Stable name of the check.
    level : {"ok", "note", "wrong"}
    detail : str
    remedy : str
        What to do; empty where nothing is wrong.
    """

    check: str
    level: Level
    detail: str
    remedy: str = ""


def examine(settings: Settings, disk: Path) -> list[Finding]:
    """Return what there is to say about the service that the settings lead to.

    Parameters
    ----------
    disk : Path
        Where on this machine there must be room.
    """
    findings = [*_settings(settings), *_data(settings), *_disk(disk)]
    database = Database(settings.database_url, pool_size=1)
    try:
        findings += _within(database, settings, "database", _database)
        if findings[-1].level == "ok":
            for name, check in CHECKS.items():
                findings += _within(database, settings, name, check)
    finally:
        database.dispose()
    return [*findings, *_broker(settings), *_api(settings)]


def _within(database: Database, settings: Settings, name: str, check: "Check") -> list[Finding]:
    try:
        with database.transaction() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(text("SET LOCAL statement_timeout = '60s'"))
            return list(check(session, settings))
    except SQLAlchemyError as error:
        # The URL may hold a password, so it is not repeated here.
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        remedy = "start PostgreSQL 18 or newer, or correct SUFFICIENCY_DATABASE_URL"
        return [Finding(name, "wrong", f"the database does not answer: {reason}", remedy)]


def _settings(settings: Settings) -> Iterator[Finding]:
    if settings.heartbeat_seconds * 2 > settings.lease_seconds:
        yield Finding(
            "settings",
            "wrong",
            f"a lease lasts {settings.lease_seconds:g} s and is renewed every {settings.heartbeat_seconds:g} s: one "
            "late heartbeat loses it",
            "make SUFFICIENCY_HEARTBEAT_SECONDS at most a third of SUFFICIENCY_LEASE_SECONDS",
        )
    else:
        yield Finding("settings", "ok", "they go together")


def _data(settings: Settings) -> Iterator[Finding]:
    """Look at the data roots of this machine; another one has its own."""
    for root in settings.data_roots:
        if not root.is_dir():
            remedy = "create or mount it, or correct SUFFICIENCY_DATA_ROOTS"
            yield Finding("data_roots", "wrong", f"{root} is not a directory here", remedy)
        elif not os.access(root, os.R_OK | os.X_OK):
            remedy = "let the user who runs this read it, or run this as the worker's user"
            yield Finding("data_roots", "wrong", f"{root} cannot be read", remedy)
        else:
            yield Finding("data_roots", "ok", f"{root} can be read")


def _disk(place: Path) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Finding(
            "disk", "wrong", f"{place} cannot be looked at: {error.strerror}", "name a directory that is there"
        )
        return
    if free < LEAST_FREE_BYTES:
        detail = f"{free / 1e9:.1f} GB are free on the disk of {place}"
        yield Finding("disk", "wrong", detail, "free some: databases, logs and trainers need it")
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.0f} GB are free on the disk of {place}")


def _database(session: Session, settings: Settings) -> Iterator[Finding]:
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
    yield _list(
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
    yield _list(
        "transactions",
        idle,
        f"sessions idle in a transaction for more than {LONGEST_IDLE_TRANSACTION.seconds // 60} min, which may hold "
        "jobs locked",
        "end them: SELECT pg_terminate_backend(PID)",
        "none is left open",
    )


def _workers(session: Session, settings: Settings) -> Iterator[Finding]:
    window = catalog.live_window(settings).total_seconds()
    every = catalog.all_workers(session)
    live = [worker for worker, silence in every if silence <= window]
    if not live:
        yield Finding("workers", "wrong", "no worker is alive", "start one with `sufficiency worker`")
    else:
        free, slots = catalog.live_workers(session, settings).slots(live)
        yield Finding("workers", "ok", f"{len(live)} alive, {slots - free} of {slots} slots at work")
    for worker, silence in every:
        name = f"{worker.hostname}:{worker.pid}"
        if silence > window:
            detail = f"{name} has been silent for {silence:.0f} s"
            yield Finding("workers", "note", f"{detail}; it is forgotten after 5 min, and its units go to others")
        elif silence > 3 * settings.heartbeat_seconds:
            detail = f"{name} beats late: {silence:.0f} s ago, and should every {settings.heartbeat_seconds:g} s"
            yield Finding("workers", "note", detail)
        for error in worker.plugin_errors:
            told = f"{name} cannot offer {error.get('plugin')}: {error.get('error')}"
            yield Finding("plugins", "wrong", told, "mend or remove the plugin, then restart the worker")


def _open_jobs(session: Session, settings: Settings) -> Iterator[Finding]:
    long_ago = timedelta(seconds=3 * settings.resend_seconds)
    last_event = select(func.max(Event.at)).where(Event.job_id == Job.id).scalar_subquery()
    rows = session.execute(
        select(Job, last_event < func.now() - long_ago).where(Job.state.in_(("queued", "running")))
    ).all()
    waiting = Waiting.of(session, [job for job, _ in rows], settings)
    blocked: dict[str, list[str]] = {}
    asleep: list[str] = []
    for job, quiet in rows:
        if reason := waiting.blocked(job):
            blocked.setdefault(reason, []).append(str(job.id))
        elif job.state == "queued" and quiet:
            free, every = waiting.slots(job)
            if free == every:
                asleep.append(str(job.id))
    for reason, ids in blocked.items():
        remedy = "start a worker that has what they need, or cancel them"
        yield _list("open_jobs", ids, f"jobs that cannot be worked on, because {reason}", remedy)
    if asleep:
        yield _list(
            "open_jobs",
            asleep,
            f"jobs queued for more than {long_ago.total_seconds():.0f} s beside slots that are all free",
            "restart the workers, whose consumers may have died; and see whether they use this same Redis",
        )
    elif not blocked:
        yield Finding("open_jobs", "ok", f"{len(rows)} open, none without a worker that can take it")


def _units(session: Session, settings: Settings) -> Iterator[Finding]:
    late = timedelta(seconds=3 * settings.sweep_seconds + 2 * settings.heartbeat_seconds)
    expired = session.scalars(
        select(Unit.id).where(Unit.state == "leased", Unit.lease_expires_at < func.now() - late)
    ).all()
    yield _list(
        "leases",
        expired,
        f"units whose lease expired more than {late.total_seconds():.0f} s ago, and that nobody has taken back",
        "start an API process (`sufficiency serve`), which sweeps; or see its log for what keeps it from it",
        "none is overdue",
    )
    # What was sent and lies behind busy slots may wait for long; what was never sent may not.
    long_ago = timedelta(seconds=3 * settings.resend_seconds)
    unsent = session.scalars(
        select(Unit.id)
        .join(Job, Job.id == Unit.job_id)
        .where(
            Unit.state == "queued",
            Job.state.in_(("queued", "running")),
            Unit.sent_at.is_(None),
            Unit.not_before < func.now() - long_ago,
        )
    ).all()
    yield _list(
        "units",
        unsent,
        f"queued units that have not been sent to workers for more than {long_ago.total_seconds():.0f} s",
        "start an API process (`sufficiency serve`), which sends them",
        "those that wait have been sent",
    )


def _datasets(session: Session, settings: Settings) -> Iterator[Finding]:
    live = catalog.live_workers(session, settings)
    long_ago = timedelta(seconds=3 * settings.resend_seconds)
    rows = session.execute(
        select(Dataset, Dataset.sent_at < func.now() - long_ago).where(Dataset.status == "verifying")
    ).all()
    found = False
    for dataset, stale in rows:
        problem = remedy = ""
        if reason := live.why_waiting(catalog.loaders(dataset), "cpu"):
            problem, remedy = f"cannot be verified: {reason}", "start a worker that has its loaders"
        elif stale and not live.why_no_slot(live.able(catalog.loaders(dataset), "cpu")):
            problem = f"waits to be verified, and has not been sent to workers for {long_ago.total_seconds():.0f} s"
            remedy = "start an API process (`sufficiency serve`), which sends it"
        elif dataset.attempts >= MANY_ATTEMPTS:
            problem = f"has been read {dataset.attempts} times without an end"
            remedy = "see the workers' logs: its loader may hang, or end its process"
        if problem:
            found = True
            yield Finding("datasets", "wrong", f"dataset {dataset.name} {problem}", remedy)
    if not found:
        yield Finding("datasets", "ok", f"{len(rows)} being verified, none stuck")


def _outbox(session: Session, settings: Settings) -> Iterator[Finding]:
    waiting = session.scalar(select(func.count()).select_from(Outbox)) or 0
    oldest = overdue_seconds(session)
    if oldest > LONGEST_BACKLOG_SECONDS:
        detail = f"{waiting} messages wait for the broker, the oldest for {oldest:.0f} s"
        yield Finding("outbox", "wrong", detail, "start an API process, which sends them, and Redis, which takes them")
    else:
        yield Finding("outbox", "ok", f"{waiting} messages wait")


def _counters(session: Session, settings: Settings) -> Iterator[Finding]:
    of_cells = (
        select(
            Cell.job_id,
            func.count().label("total"),
            func.count(Cell.finished_at).label("done"),
            func.sum(Cell.n).label("work"),
            func.coalesce(func.sum(Cell.n).filter(Cell.finished_at.is_not(None)), 0).label("work_done"),
        )
        .group_by(Cell.job_id)
        .subquery()
    )
    kept = [
        (Job.cells_total, of_cells.c.total),
        (Job.cells_done, of_cells.c.done),
        (Job.work_total, of_cells.c.work),
        (Job.work_done, of_cells.c.work_done),
    ]
    differ = or_(*(counter != func.coalesce(counted, 0) for counter, counted in kept))
    wrong = session.scalars(select(Job.id).outerjoin(of_cells, of_cells.c.job_id == Job.id).where(differ)).all()
    yield _list(
        "counters",
        wrong,
        "jobs whose counters disagree with their cells",
        "retry them with start_anew, and report it with the API's and the workers' logs: it must not happen",
        "all agree with their cells",
    )


def _cells(session: Session, settings: Settings) -> Iterator[Finding]:
    measured = exists().where(
        Measurement.job_id == Cell.job_id, Measurement.run == Cell.run, Measurement.step == Cell.step
    )
    finished = Cell.finished_at.is_not(None)
    checks = [
        ("cells", and_(finished, ~measured), "measured cells have no measurements", "each measured one has values"),
        ("open_cells", and_(~finished, measured), "open cells have measurements", "no open one has values"),
        ("cell_units", and_(~finished, Cell.unit_id.is_(None)), "open cells have no unit", "each open one has a unit"),
    ]
    remedy = "retry the jobs with start_anew, and report it with the workers' logs: it must not happen"
    for name, condition, what, good in checks:
        jobs = session.scalars(select(Cell.job_id).where(condition).distinct().limit(100)).all()
        yield _list(name, jobs, f"jobs in which {what}", remedy, good)


def _jobs(session: Session, settings: Settings) -> Iterator[Finding]:
    has_open = exists().where(Unit.job_id == Job.id, Unit.state.in_(OPEN_UNIT_STATES))
    has_leased = exists().where(Unit.job_id == Job.id, Unit.state == "leased")
    remedy = "cancel the jobs and retry them, and report it with the API's log: it must not happen"
    idle = session.scalars(
        select(Job.id).where(Job.state.in_(("queued", "running")), Job.steps.is_not(None), ~has_open)
    ).all()
    yield _list("job_units", idle, "open jobs of which no unit is open", remedy, "every open job has open units")
    ended = session.scalars(select(Job.id).where(Job.state.in_(ENDED), has_open)).all()
    yield _list("ended_jobs", ended, "ended jobs of which units are open", remedy, "none has an open unit")
    cancelling = session.scalars(select(Job.id).where(Job.state == "cancelling", ~has_leased)).all()
    yield _list("cancelling", cancelling, "jobs that are cancelling though nobody holds a unit", remedy, "none hangs")


def _events(session: Session, settings: Settings) -> Iterator[Finding]:
    last = (
        select(
            Event.job_id, func.max(Event.seq).label("last"), func.min(Event.seq).label("first"), func.count().label("n")
        )
        .group_by(Event.job_id)
        .subquery()
    )
    wrong = session.scalars(
        select(Job.id)
        .outerjoin(last, last.c.job_id == Job.id)
        .where((func.coalesce(last.c.last, 0) != Job.event_seq) | (last.c.n != last.c.last - last.c.first + 1))
    ).all()
    remedy = "report it with the API's log: it must not happen; the measurements are not concerned"
    yield _list("events", wrong, "jobs whose events have a gap or lack the last", remedy, "numbered without a gap")


Check = Callable[[Session, Settings], Iterator[Finding]]
CHECKS: dict[str, Check] = {
    "constraints": _constraints,
    "clock": _clock,
    "connections": _connections,
    "workers": _workers,
    "open_jobs": _open_jobs,
    "units": _units,
    "datasets": _datasets,
    "outbox": _outbox,
    "counters": _counters,
    "cells": _cells,
    "jobs": _jobs,
    "events": _events,
}


def _broker(settings: Settings) -> Iterator[Finding]:
    celery = make_celery(settings)
    try:
        with celery.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            client = connection.default_channel.client
            client.ping()
            memory, policy = client.info("memory"), client.info("memory").get("maxmemory_policy")
    except Exception as error:  # whatever the transport raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "start Redis, or correct SUFFICIENCY_REDIS_URL; until then nothing new is begun"
        yield Finding("redis", "wrong", f"Redis cannot be reached: {reason}", remedy)
        return
    finally:
        celery.close()
    most, used = int(memory.get("maxmemory") or 0), int(memory.get("used_memory") or 0)
    if most and policy != "noeviction":
        detail = f"Redis drops what it likes when its memory is full (maxmemory-policy {policy})"
        yield Finding("redis", "wrong", detail, "set maxmemory-policy noeviction: dropped messages cost a minute each")
    elif most and used > FULL * most:
        detail = f"{used / 1e6:.0f} of {most / 1e6:.0f} MB are used"
        yield Finding("redis", "wrong", detail, "raise maxmemory, or see whether workers take their messages")
    else:
        yield Finding("redis", "ok", f"it answers, and uses {used / 1e6:.1f} MB")


def _api(settings: Settings) -> Iterator[Finding]:
    url = settings.url.rstrip("/")
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        remedy = "start it with `sufficiency serve`, or say where it is with SUFFICIENCY_URL"
        yield Finding("api", "wrong", f"no answer from {url}: {error}", remedy)
        return
    if answer.status_code == 200:
        yield Finding("api", "ok", f"{url} is ready")
    else:
        try:
            detail = str(answer.json().get("detail"))
        except ValueError:
            detail = f"HTTP {answer.status_code}"
        yield Finding("api", "wrong", f"{url} is not ready: {detail}", "see the other findings, then its log")


def _list(check: str, items: Sequence[object], what: str, remedy: str, good: str = "") -> Finding:
    if not items:
        return Finding(check, "ok", good)
    return Finding(check, "wrong", f"{what}: {len(items)} ({_few(items)})", remedy)


def _few(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:NAMED])) + (", …" if len(items) > NAMED else "")
