"""An adaptive job between two stages: what its cells have measured tells which cells are next, or that it stops.

In the transaction that ended the last cell of a stage: so a stage is planned once, by all that was measured before it
and nothing else, whoever measured it, and however often it was interrupted.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job
from app.jobs.planning import add_stage
from app.jobs.taking_over import take_over
from sufficiency.schemas.spec import JobSpec


def goes_on(session: Session, job: Job) -> bool:
    """Plan the next stage of a locked job all of whose cells have ended; return False where it measures no more."""
    if job.dataset_id is None or job.steps is None:
        return False
    spec = JobSpec.model_validate(job.spec)
    if not spec.is_adaptive:
        return False
    # Here, and not above: it brings NumPy and SciPy, which a worker that waits for work need not hold.
    from app.curves.series import load_series, study_of
    from sufficiency.answers.designing import next_stage_of

    while True:
        session.flush()
        cells = session.execute(select(Cell.run, Cell.step, Cell.reused_from).where(Cell.job_id == job.id)).all()
        taken = {(run, step) for run, step, _ in cells}
        free = {(run, step) for run, step, reused_from in cells if reused_from is not None}
        stages = int((job.design or {}).get("stages", 0))
        stage = next_stage_of(study_of(session, job), load_series(session, job), spec, taken, stages, free=free)
        add_stage(session, job, spec, list(job.steps), stage)
        if not stage.cells:
            return False
        if take_over(session, job) < len(stage.cells):
            return True
