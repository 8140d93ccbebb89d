"""An adaptive job between two stages: what its cells have measured tells which cells are next, or that it stops.

In the transaction that ended the last cell of a stage: so a stage is planned once, by all that was measured before it
and nothing else, whoever measured it, and however often it was interrupted.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job
from app.jobs.planning import add_stage
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

    session.flush()
    taken = [(run, step) for run, step in session.execute(select(Cell.run, Cell.step).where(Cell.job_id == job.id))]
    stages = int((job.design or {}).get("stages", 0))
    stage = next_stage_of(study_of(session, job), load_series(session, job), spec, taken, stages)
    add_stage(session, job, spec, list(job.steps), stage)
    return bool(stage.cells)
