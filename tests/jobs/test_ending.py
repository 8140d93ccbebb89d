"""A job comes to its end by one door, and an ended one is taken up again with what it measured."""

from uuid import UUID

import pytest

from app.db.engine import Database
from app.errors import Conflict
from app.jobs.ending import cancel
from app.jobs.reopening import retry
from app.settings import Settings
from app.units.lease import renew, surrender_unit
from tests.support.jobs import state, take, units, work_through


def test_cancel_waits_for_who_holds_a_unit(database: Database, job_id: UUID, worker_id: UUID) -> None:
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    for _ in range(2):
        with database.transaction() as session:
            assert cancel(session, job_id).state == "cancelling"
    with database.transaction() as session:
        assert renew(session, claimed.unit_id, claimed.attempt, 30) == "cancelled"
        surrender_unit(session, claimed.unit_id, claimed.attempt, None, counts=False)
    assert state(database, job_id) == "cancelled"
    with database.transaction() as session, pytest.raises(Conflict, match="nothing to cancel"):
        cancel(session, job_id)


def test_retry_measures_only_what_is_missing(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    first, *rest = units(database, job_id)
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    work_through(database, claimed)
    with database.transaction() as session:
        cancel(session, job_id)
        retry(session, job_id, settings)
    taken = []
    while (claimed := take(database, job_id, worker_id)) is not None:
        taken.append(claimed.unit_id)
        work_through(database, claimed)
    assert (taken, first in taken) == (rest, False)
    assert state(database, job_id) == "completed"
