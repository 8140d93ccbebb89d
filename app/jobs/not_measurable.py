"""Opens the cells of a job that could not be measured, to be tried again."""

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.curves.series import GIVEN_UP
from app.db.tables import Cell, ItemMarks, Job, Measurement, Unit
from sufficiency.schemas.spec import JobSpec


def open_again(session: Session, job: Job) -> None:
    """Open the cells of a locked job that could not be measured, and their units.

    Under the `dataeval` protocol what a run measured after a step that it had to leave out is dropped: with the step it
    measures something else.
    """
    if JobSpec.model_validate(job.spec).protocol == "dataeval":
        _drop_what_follows(session, job)
    units = session.scalars(select(Cell.unit_id).where(Cell.job_id == job.id, GIVEN_UP).distinct()).all()
    opened = session.scalars(
        update(Cell).where(Cell.job_id == job.id, GIVEN_UP).values(error=None).returning(Cell.n)
    ).all()
    job.work_done -= sum(opened)
    job.cells_not_measurable = 0
    # As failed ones they are queued with all others that have not been finished.
    session.execute(update(Unit).where(Unit.id.in_(units)).values(state="failed"))
    session.flush()


def _drop_what_follows(session: Session, job: Job) -> None:
    left_out = aliased(Cell)
    phase = left_out.error["where"]["phase"].as_string()
    follows = and_(
        Cell.job_id == job.id,
        Cell.finished_at.is_not(None),
        exists().where(
            left_out.job_id == Cell.job_id,
            left_out.run == Cell.run,
            left_out.step < Cell.step,
            left_out.error.is_not(None),
            left_out.finished_at.is_(None),
            or_(phase.is_(None), phase != "evaluation"),
        ),
    )
    dropped = session.execute(select(Cell.run, Cell.step, Cell.n, Cell.seconds, Cell.reused_from).where(follows)).all()
    if not dropped:
        return
    for run, step, n, seconds, reused_from in dropped:
        for table in (Measurement, ItemMarks):
            session.execute(delete(table).where(table.job_id == job.id, table.run == run, table.step == step))
        session.execute(
            update(Cell)
            .where(Cell.job_id == job.id, Cell.run == run, Cell.step == step)
            .values(
                **dict.fromkeys(("finished_at", "attempt", "seconds", "device", "n_unique")),
                **dict.fromkeys(("details", "key", "reused_from")),
            )
        )
        job.cells_done -= 1
        job.work_done -= n
        if reused_from is not None:
            job.cells_reused -= 1
            job.work_reused -= n
            job.seconds_saved = max(0.0, job.seconds_saved - (seconds or 0.0))
    job.measured = None
    session.flush()
