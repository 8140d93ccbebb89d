"""What each project and each job has had of the slots: who has had least for its weight is served first.

Start-time fair queueing. A turn counts the slot-seconds that a job, or a project by its weight, has had. A claim adds
what the unit is thought to take, by what the job's units took so far; when the unit is let go, what it took is put in
place of that. Who comes, or comes again, starts at the turn of who was served last: time in which nobody asked is no
credit. Of a job whose row is locked; the row of its project's share is locked after it, and last in a transaction.
"""

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.tables import Job, Share, Unit

# What a unit is thought to take while none of its job has been timed.
UNKNOWN_SECONDS = 1.0
# What a job or a project may have been kept from (no worker had its plugins) and still is owed.
CREDIT_SECONDS = 60.0
# One cell that takes for ever holds its slot, and costs its job and its project no others: it is charged at most so
# many times what was thought, or `CREDIT_SECONDS`.
LONGEST = 3.0

_LOOK = text(
    "SELECT mine.clocks[CAST(:place AS int)] AS clock, mine.turn, served.start "
    "FROM (SELECT max(start) AS start FROM share WHERE device = :device) AS served "
    "LEFT JOIN share AS mine ON mine.project_id = :project AND mine.device = :device"
)
_ARRIVE = text(
    "INSERT INTO share AS mine (project_id, device, turn) VALUES (:project, :device, :start) "
    "ON CONFLICT (project_id, device) DO UPDATE SET turn = greatest(mine.turn, excluded.turn)"
)
_CHARGE = text(
    """
    UPDATE share SET start = served.turn, turn = served.turn + :seconds / weight,
                     clocks[CAST(:place AS int)] = greatest(clocks[CAST(:place AS int)], CAST(:clock AS float8))
    FROM (
        SELECT greatest(mine.turn, max(other.start) - :credit) AS turn
        FROM share AS mine JOIN share AS other ON other.device = mine.device
        WHERE mine.project_id = :project AND mine.device = :device GROUP BY mine.turn
    ) AS served
    WHERE project_id = :project AND share.device = :device
    """
)
_SETTLE = text("UPDATE share SET turn = turn + :seconds / weight WHERE project_id = :project AND device = :device")


def arrive(session: Session, job: Job) -> None:
    """Give a job whose units come into the queue its turn, and its project's share one."""
    there = session.execute(_LOOK, _share(job)).one()
    served = there.start or 0.0
    if there.turn is None or there.turn < served:  # else the row, which each claim needs, is left alone
        session.execute(_ARRIVE, {**_share(job), "start": served})
    job.turn = max(job.turn or 0.0, there.clock or 0.0)


def charge(session: Session, job: Job, unit: Unit) -> None:
    """Count a unit that has been claimed as taking what it is thought to."""
    seconds = UNKNOWN_SECONDS
    measured = job.work_done - job.work_reused
    if job.slot_seconds and measured and unit.work:
        seconds = job.slot_seconds / measured * unit.work
    clock = session.scalar(
        select(Share.clocks[job.priority + 1]).where(Share.project_id == job.project_id, Share.device == job.device)
    )
    start = max(job.turn, (clock or 0.0) - CREDIT_SECONDS)
    job.turn = start + seconds
    unit.charged, unit.claimed_at = seconds, func.clock_timestamp()
    session.flush()
    session.execute(_CHARGE, {**_share(job), "seconds": seconds, "clock": start, "credit": CREDIT_SECONDS})


def settle(session: Session, job: Job, unit: Unit) -> None:
    """Count a unit that has been let go as having taken what it took."""
    if unit.charged is None:
        return
    session.flush()
    taken = session.scalar(
        select(func.extract("epoch", func.clock_timestamp() - Unit.claimed_at)).where(Unit.id == unit.id)
    )
    seconds = max(float(taken or 0.0), 0.0)
    counted = min(seconds, max(LONGEST * unit.charged, CREDIT_SECONDS))
    missing = counted - unit.charged
    unit.charged = None
    job.slot_seconds += counted  # what the next ones are thought to take goes by it as well
    job.turn += missing
    session.flush()
    session.execute(_SETTLE, {**_share(job), "seconds": missing})


def _share(job: Job) -> dict[str, Any]:
    return {"project": job.project_id, "device": job.device, "place": job.priority + 1}
