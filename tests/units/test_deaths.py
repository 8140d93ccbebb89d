"""What kills trainers is given up before it has killed very many."""

from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.db.engine import Database
from app.db.tables import Job, Unit
from app.settings import Settings
from app.units.lease import fail_unit, record_cell, surrender_unit
from tests.support.jobs import add_job, result, state, sweeper_of, take, units, work_through

KILLED = {"code": "trainer_killed", "detail": "The trainer was killed by SIGSEGV.", "where": {"run": 1, "step": 2}}
LACKING = {"code": "plugin_unavailable", "detail": "This worker has no such plugin.", "where": {}}


def die(database: Database, job_id: UUID, worker_id: UUID, error: dict[str, object] = KILLED, **limits: int) -> UUID:
    """Take the next unit of a job, die of it, and return it; it waits then, and others come first."""
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        surrender_unit(session, claimed.unit_id, claimed.attempt, error, counts=True, **limits)
    return claimed.unit_id


def test_a_job_that_kills_every_trainer_fails_before_each_unit_has_had_its_attempts(
    database: Database, job_id: UUID, worker_id: UUID
) -> None:
    there = units(database, job_id)
    for unit_id in there[:3]:
        assert die(database, job_id, worker_id, max_deaths=4) == unit_id
    assert state(database, job_id) == "running"
    die(database, job_id, worker_id, max_deaths=4)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["code"], job.error["cause"]) == ("attempts_exhausted", "trainer_killed")
        assert "4 tries in a row died" in job.error["detail"]
        assert "SIGSEGV" in job.error["detail"]
        assert job.error["where"] == KILLED["where"]
        poisoned = session.execute(select(Unit.id, Unit.failures).where(Unit.error.is_not(None))).all()
        assert {unit_id for unit_id, _ in poisoned} == set(there[:4]), "each keeps its error"
        assert {failures for _, failures in poisoned} == {1}


def test_deaths_with_progress_in_between_are_the_units_own(database: Database, job_id: UUID, worker_id: UUID) -> None:
    for _ in range(4):
        died = die(database, job_id, worker_id, max_deaths=2)
        with database.transaction() as session:
            session.execute(update(Unit).values(not_before=None))
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        assert claimed.unit_id == died
        work_through(database, claimed)
    assert state(database, job_id) == "running"


def test_a_worker_without_the_plugin_is_no_death(database: Database, job_id: UUID, worker_id: UUID) -> None:
    for _ in range(4):
        die(database, job_id, worker_id, LACKING, max_deaths=2)
    assert state(database, job_id) == "running"


def test_a_lost_worker_is_one_death_however_many_units_it_held(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    for _ in range(5):
        assert take(database, job_id, worker_id) is not None
    with database.transaction() as session:
        expired = text("now() - interval '1s'")
        session.execute(update(Unit).where(Unit.state == "leased").values(lease_expires_at=expired))
    sweeper_of(database, settings.model_copy(update={"max_deaths": 2})).turn()
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.deaths) == ("running", 1)
        assert sorted(session.scalars(select(Unit.failures))) == [0, 1, 1, 1, 1, 1]


def test_the_pause_grows_up_to_a_limit(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    pauses = []
    for failures in (0, 1, 2, 40):
        with database.transaction() as session:
            session.execute(update(Unit).where(Unit.id == unit_id).values(failures=failures, not_before=None))
        assert die(database, job_id, worker_id, max_attempts=100, max_deaths=100) == unit_id
        pauses.append(parked_seconds(database, unit_id))
    assert pauses == [2, 4, 8, 60]


def parked_seconds(database: Database, unit_id: UUID) -> int:
    with database.transaction() as session:
        pause = session.scalar(
            select(text("extract(epoch FROM not_before - now())")).select_from(Unit).where(Unit.id == unit_id)
        )
        return round(float(pause))


def measured_once(database: Database, job_id: UUID, worker_id: UUID) -> None:
    """Have the first unit of a job measured."""
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    work_through(database, claimed)


def test_a_cell_that_kills_its_trainers_is_left_out_of_a_job_that_measures(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=1, steps=(10, 20, 40, 80))
    measured_once(database, job_id, worker_id)
    for number in range(3):
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        assert [cell.n for cell in claimed.cells] == [20]
        error = {**KILLED, "where": {**claimed.cells[0].place, "phase": "cell"}}
        with database.transaction() as session:
            surrender_unit(session, claimed.unit_id, claimed.attempt, error, counts=True)
            assert session.get_one(Job, job_id).cells_not_measurable == (number == 2)
            session.execute(update(Unit).values(not_before=None))
    while (claimed := take(database, job_id, worker_id)) is not None:
        work_through(database, claimed)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_done, job.cells_not_measurable) == ("completed", 3, 1)
        assert job.value_warnings is not None
        assert "SIGSEGV" in job.value_warnings[0]["detail"]


@pytest.mark.parametrize("code", ["cell_timeout", "memory_exceeded"])
def test_a_cell_that_takes_too_much_is_left_out_of_a_job_that_measures(
    database: Database, worker_id: UUID, code: str
) -> None:
    job_id = add_job(database, runs=1, protocol="dataeval", steps=(10, 20, 40, 80))
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        record_cell(session, claimed.unit_id, claimed.attempt, result(0, 0))
        error = {"code": code, "detail": "Too much.", "where": {**claimed.cells[1].place, "phase": "cell"}}
        fail_unit(session, claimed.unit_id, claimed.attempt, error)
    again = take(database, job_id, worker_id)
    assert again is not None
    assert [(cell.done, cell.failed_in) for cell in again.cells] == [
        *((True, None), (False, "cell"), (False, None), (False, None))
    ]


def test_too_much_for_the_first_cells_or_for_all_is_too_much_for_the_job(database: Database, worker_id: UUID) -> None:
    def too_slow(job_id: UUID) -> None:
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        error = {"code": "cell_timeout", "detail": "Too slow.", "where": {**claimed.cells[0].place, "phase": "cell"}}
        with database.transaction() as session:
            fail_unit(session, claimed.unit_id, claimed.attempt, error, max_deaths=2)

    first = add_job(database)
    too_slow(first)
    assert state(database, first) == "failed"
    later = add_job(database, runs=3)
    measured_once(database, later, worker_id)
    for wanted in ("running", "running", "failed"):
        too_slow(later)
        assert state(database, later) == wanted
