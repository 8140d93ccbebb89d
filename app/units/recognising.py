"""What is known of a job once a trainer has said by what its cells are known again: those that others have measured."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Cell
from app.jobs.taking_over import NOT_SHARED, take_over
from app.units.holding import cell_of, held
from sufficiency.schemas.work import UnitCell


def recognised(session: Session, unit_id: UUID, attempt: int, identity: str | None) -> list[UnitCell] | None:
    """Take over the cells of a unit's job that are measured already, and keep by what others are known.

    Parameters
    ----------
    identity : str or None
        As a trainer told; None where the cells are nobody else's.

    Returns
    -------
    list of UnitCell or None
        The unit's as they are now; None where it is no longer the caller's.
    """
    found = held(session, unit_id, attempt)
    if found is None:
        return None
    job, unit = found
    job.identity = identity or NOT_SHARED
    take_over(session, job, unit.id)
    session.flush()
    cells = select(Cell).where(Cell.unit_id == unit.id).order_by(Cell.run, Cell.step)
    return [cell_of(cell) for cell in session.scalars(cells.execution_options(populate_existing=True))]
