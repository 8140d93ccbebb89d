"""Tells what came of jobs that completed before that was kept, or by a program that does not keep it."""

from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import Job
from sufficiency.answers.errors import TooLittleMeasured

# In one turn: their curves are kept, and each takes some hundredths of a second.
AT_A_TIME = 5


def tell_untold(database: Database) -> int:
    """Keep the result of some completed jobs that have none kept, the newest first; return of how many."""
    told = 0
    while told < AT_A_TIME and _tell_one(database):
        told += 1
    return told


def _tell_one(database: Database) -> bool:
    with database.transaction() as session:
        untold = (
            select(Job)
            .where(Job.state == "completed", Job.result.is_(None))
            .order_by(Job.id.desc())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        job = session.scalar(untold)
        if job is None:
            return False
        # Here, and not above: it brings NumPy and SciPy, which who has nothing to tell need not hold.
        from app.curves.keeping import measured_study, result_of

        try:
            job.result = result_of(measured_study(session, job))
        except TooLittleMeasured:
            job.result = {}
        return True
