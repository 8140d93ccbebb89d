"""Checks of what waits and of who takes it: workers, open jobs, units, datasets, messages."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalog.verification import loaders
from app.catalog.workers import find_workers, live_window, live_workers
from app.db.tables import Dataset, Event, Job, Outbox, Unit
from app.doctor.findings import Check, Finding, listed
from app.jobs.waiting import Waiting, overdue_seconds
from app.settings import Settings

MANY_ATTEMPTS = 5
LONGEST_BACKLOG_SECONDS = 30.0


def _workers(session: Session, settings: Settings) -> Iterator[Finding]:
    window = live_window(settings).total_seconds()
    every = find_workers(session)
    live = [worker for worker, silence in every if silence <= window]
    if not live:
        yield Finding("workers", "wrong", "no worker is alive", "start one with `sufficiency worker`")
    else:
        free, slots = live_workers(session, settings).slots(live)
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
        yield listed("open_jobs", ids, f"jobs that cannot be worked on, because {reason}", remedy)
    if asleep:
        yield listed(
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
    yield listed(
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
    yield listed(
        "units",
        unsent,
        f"queued units that have not been sent to workers for more than {long_ago.total_seconds():.0f} s",
        "start an API process (`sufficiency serve`), which sends them",
        "those that wait have been sent",
    )


def _datasets(session: Session, settings: Settings) -> Iterator[Finding]:
    live = live_workers(session, settings)
    long_ago = timedelta(seconds=3 * settings.resend_seconds)
    rows = session.execute(
        select(Dataset, Dataset.sent_at < func.now() - long_ago).where(Dataset.status == "verifying")
    ).all()
    found = False
    for dataset, stale in rows:
        problem = remedy = ""
        if reason := live.why_waiting(loaders(dataset), "cpu"):
            problem, remedy = f"cannot be verified: {reason}", "start a worker that has its loaders"
        elif stale and not live.why_no_slot(live.able(loaders(dataset), "cpu")):
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


CHECKS: dict[str, Check] = {
    "workers": _workers,
    "open_jobs": _open_jobs,
    "units": _units,
    "datasets": _datasets,
    "outbox": _outbox,
}
