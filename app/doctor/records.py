"""Checks of what the tables say against each other: counters, cells, units, events."""

from collections.abc import Iterator

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from app.db.tables import Cell, Event, Job, Measurement, Unit
from app.doctor.findings import Check, Finding, listed
from app.settings import Settings
from sufficiency.schemas.words import ENDED, OPEN_UNIT_STATES

_given_up = and_(Cell.finished_at.is_(None), Cell.error.is_not(None))


def _counters(session: Session, settings: Settings) -> Iterator[Finding]:
    of_cells = (
        select(
            Cell.job_id,
            func.count().label("total"),
            func.count(Cell.finished_at).label("done"),
            func.count().filter(_given_up).label("given_up"),
            func.sum(Cell.n).label("work"),
            func.coalesce(func.sum(Cell.n).filter(or_(Cell.finished_at.is_not(None), _given_up)), 0).label("work_done"),
        )
        .group_by(Cell.job_id)
        .subquery()
    )
    kept = [
        (Job.cells_total, of_cells.c.total),
        (Job.cells_done, of_cells.c.done),
        (Job.cells_not_measurable, of_cells.c.given_up),
        (Job.work_total, of_cells.c.work),
        (Job.work_done, of_cells.c.work_done),
    ]
    differ = or_(*(counter != func.coalesce(counted, 0) for counter, counted in kept))
    wrong = session.scalars(select(Job.id).outerjoin(of_cells, of_cells.c.job_id == Job.id).where(differ)).all()
    yield listed(
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
        yield listed(name, jobs, f"jobs in which {what}", remedy, good)


def _jobs(session: Session, settings: Settings) -> Iterator[Finding]:
    has_open = exists().where(Unit.job_id == Job.id, Unit.state.in_(OPEN_UNIT_STATES))
    has_leased = exists().where(Unit.job_id == Job.id, Unit.state == "leased")
    remedy = "cancel the jobs and retry them, and report it with the API's log: it must not happen"
    idle = session.scalars(
        select(Job.id).where(Job.state.in_(("queued", "running")), Job.steps.is_not(None), ~has_open)
    ).all()
    yield listed("job_units", idle, "open jobs of which no unit is open", remedy, "every open job has open units")
    ended = session.scalars(select(Job.id).where(Job.state.in_(ENDED), has_open)).all()
    yield listed("ended_jobs", ended, "ended jobs of which units are open", remedy, "none has an open unit")
    cancelling = session.scalars(select(Job.id).where(Job.state == "cancelling", ~has_leased)).all()
    yield listed("cancelling", cancelling, "jobs that are cancelling though nobody holds a unit", remedy, "none hangs")


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
    yield listed("events", wrong, "jobs whose events have a gap or lack the last", remedy, "numbered without a gap")


CHECKS: dict[str, Check] = {"counters": _counters, "cells": _cells, "jobs": _jobs, "events": _events}
