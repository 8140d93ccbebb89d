"""Cells that another job of the project has measured: they are copied, marked, and not measured again.

By a key that is made of all that decides a cell's values, and of the project: see docs/decisions/0032-no-cell-twice.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, text, update
from sqlalchemy.orm import Session

from app.curves.kinks import note_kinks
from app.db.tables import Cell, Job, Measurement, Unit
from app.jobs.lifecycle import emit, progress
from app.jobs.reaching import counted, reach
from sufficiency.method.costs import step_costs
from sufficiency.schemas.words import SCALAR

# What stands in place of a job's identity where its cells are nobody else's.
NOT_SHARED = ""
_AT_A_TIME = 500
# Of several the one that was measured first: who has taken it over from that one tells of it too.
_FIND = text(
    """
    SELECT DISTINCT ON (cell.key) cell.key, cell.job_id, coalesce(cell.reused_from, cell.job_id), cell.seconds
    FROM cell JOIN job ON job.id = cell.job_id
    WHERE cell.key = ANY(:keys) AND cell.finished_at IS NOT NULL AND job.project_id = :project
    ORDER BY cell.key, cell.finished_at, cell.job_id
    """
)
_COPY_CELLS = text(
    """
    UPDATE cell AS mine
    SET n_unique = theirs.n_unique, seconds = theirs.seconds, device = theirs.device, attempt = theirs.attempt,
        details = theirs.details, key = theirs.key, finished_at = clock_timestamp(),
        reused_from = coalesce(theirs.reused_from, theirs.job_id)
    FROM unnest(CAST(:jobs AS uuid[]), CAST(:runs AS bigint[]), CAST(:steps AS bigint[])) AS found (job_id, run, step)
    JOIN cell AS theirs USING (job_id, run, step)
    WHERE mine.job_id = :job_id AND mine.run = theirs.run AND mine.step = theirs.step
    """
)
_COPY_VALUES = text(
    """
    INSERT INTO measurement (job_id, run, step, metric, class_index, value)
    SELECT :job_id, run, step, theirs.metric, theirs.class_index, theirs.value
    FROM unnest(CAST(:jobs AS uuid[]), CAST(:runs AS bigint[]), CAST(:steps AS bigint[])) AS found (job_id, run, step)
    JOIN measurement AS theirs USING (job_id, run, step)
    """
)
_COPY_MARKS = text(
    """
    INSERT INTO item_marks (job_id, run, step, metric, items, bits)
    SELECT :job_id, run, step, theirs.metric, theirs.items, theirs.bits
    FROM unnest(CAST(:jobs AS uuid[]), CAST(:runs AS bigint[]), CAST(:steps AS bigint[])) AS found (job_id, run, step)
    JOIN item_marks AS theirs USING (job_id, run, step)
    """
)


@dataclass(frozen=True)
class _Found:
    """A cell of a job, and who has measured it."""

    run: int
    step: int
    n: int
    job_id: UUID
    measured_by: UUID
    seconds: float


def key_of(job: Job, identity: str, run: int, step: int) -> str:
    """Return by what a cell of a job is known again within its project."""
    steps = job.steps or []
    # Under DataEval's protocol a model is trained on from step to step: those before decide as well.
    sizes = steps[: step + 1] if job.spec["protocol"] == "dataeval" else steps[step : step + 1]
    return sha256(repr((str(job.project_id), identity, run, step, sizes)).encode()).hexdigest()[:32]


def take_over(session: Session, job: Job, unit_id: UUID | None = None) -> int:
    """Copy what is measured already of the open cells of a locked job, whose identity is known; return how many.

    Parameters
    ----------
    unit_id : UUID, optional
        A unit in the caller's hands. Of others that are claimed nothing is taken over: somebody measures them.
    """
    if not job.identity or not job.spec.get("reuse", True):
        return 0
    session.flush()
    found = _measured_by_others(session, job, unit_id)
    if found and job.measured is None:
        job.measured = counted(session, job)  # before there are more
    for first in range(0, len(found), _AT_A_TIME):
        some = found[first : first + _AT_A_TIME]
        rows = {
            "job_id": job.id,
            "jobs": [one.job_id for one in some],
            "runs": [one.run for one in some],
            "steps": [one.step for one in some],
        }
        session.execute(_COPY_CELLS, rows)
        session.execute(_COPY_VALUES, rows)
        session.execute(_COPY_MARKS, rows)
    if found:
        _note_what_they_are_of(session, job, found[0].job_id)
        _count(session, job, found)
        _close_units(session, job)
        session.flush()
    return len(found)


def _measured_by_others(session: Session, job: Job, unit_id: UUID | None) -> list[_Found]:
    free = or_(Unit.state == "queued", Unit.id == unit_id)
    open_cells = session.execute(
        select(Cell.run, Cell.step, Cell.n)
        .join(Unit, Unit.id == Cell.unit_id)
        .where(Cell.job_id == job.id, Cell.finished_at.is_(None), Cell.error.is_(None), free)
        .order_by(Cell.run, Cell.step)
    ).all()
    assert job.identity, "asked for one that has none"
    wanted = {key_of(job, job.identity, run, step): (run, step, n) for run, step, n in open_cells}
    keys, found = list(wanted), list[_Found]()
    for first in range(0, len(keys), _AT_A_TIME):
        of_these = {"keys": keys[first : first + _AT_A_TIME], "project": job.project_id}
        rows = session.execute(_FIND, of_these)
        found += [_Found(*wanted[key], job_id, by, seconds) for key, job_id, by, seconds in rows]
    return sorted(found, key=lambda one: (one.run, one.step))


def _note_what_they_are_of(session: Session, job: Job, source_id: UUID) -> None:
    """Keep of a job what its first measured cell would have told."""
    shapes, learner = session.execute(select(Job.shapes, Job.learner).where(Job.id == source_id)).one()
    job.shapes = (shapes or {}) | (job.shapes or {}) or None
    if (not job.cells_done or job.learner is None) and learner is not None and learner != job.learner:
        job.learner = learner
        note_kinks(session, job)


def _count(session: Session, job: Job, found: Sequence[_Found]) -> None:
    metrics = _metrics(session, job)
    for one in found:
        job.cells_done += 1
        job.cells_reused += 1
        job.work_done += one.n
        job.work_reused += one.n
        job.seconds_saved += one.seconds
        reached = reach(session, job, one.step)
        told = {"run": one.run, "step": one.step, "n": one.n, "metrics": metrics.get((one.run, one.step), {})}
        emit(session, job, "cell", {**told, **progress(job), "reused_from": str(one.measured_by)})
        if reached is not None:
            emit(session, job, "provisional", {**reached, **progress(job)})
    if job.design:
        costs, _ = step_costs((job.spec["training"] or {}).get("params") or {}, job.steps or [])
        spent = job.design["spent"] - sum(costs[one.step] for one in found)
        job.design = {**job.design, "spent": spent, "saved": max(0.0, 1.0 - spent / job.design["grid"])}


def _metrics(session: Session, job: Job) -> Mapping[tuple[int, int], dict[str, Any]]:
    """Return the values of a job's cells, as the events tell them."""
    rows = session.execute(
        select(Measurement.run, Measurement.step, Measurement.metric, Measurement.class_index, Measurement.value)
        .where(Measurement.job_id == job.id)
        .order_by(Measurement.metric, Measurement.class_index)
    )
    told: dict[tuple[int, int], dict[str, Any]] = {}
    for run, step, metric, class_index, value in rows:
        of = told.setdefault((run, step), {})
        if class_index == SCALAR:
            of[metric] = value
        else:
            of.setdefault(metric, []).append(value)
    return told


def _close_units(session: Session, job: Job) -> None:
    """Close the units that wait, and of which no cell is open any more."""
    is_open = (
        select(Cell.unit_id)
        .where(Cell.job_id == job.id, Cell.finished_at.is_(None), Cell.error.is_(None), Cell.unit_id.is_not(None))
        .distinct()
    )
    session.execute(
        update(Unit)
        .where(Unit.job_id == job.id, Unit.state == "queued", Unit.id.not_in(is_open))
        .values(state="done", not_before=None)
    )
