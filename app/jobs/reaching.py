"""How far what a job has measured reaches: when an answer is first possible, and when there is a better one."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job
from sufficiency.schemas.words import LEAST_STEPS


def reach(session: Session, job: Job, step: int) -> dict[str, Any] | None:
    """Count a cell of a locked job that has just been measured; return what is to be told of the answers, if anything.

    It is told when there are as many steps as a fit needs, when all steps are there, and when all are there once more;
    not of the last cell, with which the job completes.
    """
    assert job.steps is not None, "a cell of a step was measured"
    counts = list(job.measured) if job.measured is not None else counted(session, job, but_for=step)
    counts += [0] * (len(job.steps) - len(counts))
    before = _standing(counts)
    counts[step] += 1
    job.measured = counts
    after = _standing(counts)
    if after <= before or job.cells_done >= job.cells_total:
        return None
    there = [n for n, runs in zip(job.steps, counts, strict=True) if runs]
    first = before == (False, 0)
    return {"first": first, "steps": len(there), "n_observed": max(there), "whole_runs": after[1]}


def _standing(counts: list[int]) -> tuple[bool, int]:
    """Return whether there are steps enough for a fit, and how often every step is there."""
    enough = sum(map(bool, counts)) >= LEAST_STEPS
    return enough, min(counts) if enough else 0


def counted(session: Session, job: Job, but_for: int | None = None) -> list[int]:
    """Return how many runs have measured each step, without the cell of one of them that has just been measured."""
    assert job.steps is not None, "only planned jobs are measured"
    rows = session.execute(
        select(Cell.step, func.count()).where(Cell.job_id == job.id, Cell.finished_at.is_not(None)).group_by(Cell.step)
    )
    counts = dict(rows.all())
    return [counts.get(step, 0) - (step == but_for) for step in range(len(job.steps))]
