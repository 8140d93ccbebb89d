"""What kills trainers is given up before it has killed very many; and no unit goes to a worker of another version."""

from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.db.engine import Database
from app.db.tables import Event, Job, Unit, Worker
from app.settings import Settings
from app.units.lease import claim_unit, register_worker, surrender_unit
from tests.queue.conftest import add_job
from tests.queue.test_lease import state, sweeper_of, take, units, work_through

KILLED = {"code": "trainer_killed", "detail": "The trainer was killed by SIGSEGV.", "where": {"run": 1, "step": 2}}
LACKING = {"code": "plugin_unavailable", "detail": "This worker has no such plugin.", "where": {}}


def die(database: Database, unit_id: UUID, worker_id: UUID, error: dict[str, object] = KILLED, **limits: int) -> None:
    with database.transaction() as session:
        session.execute(update(Unit).values(not_before=None))
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        surrender_unit(session, unit_id, claimed.attempt, error, counts=True, **limits)


def test_a_job_that_kills_every_trainer_fails_before_each_unit_has_had_its_attempts(
    database: Database, job_id: UUID, worker_id: UUID
) -> None:
    there = units(database, job_id)
    for unit_id in there[:3]:
        die(database, unit_id, worker_id, max_deaths=4)
    assert state(database, job_id) == "running"
    die(database, there[3], worker_id, max_deaths=4)
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
    there = units(database, job_id)
    for unit_id in there[:4]:
        die(database, unit_id, worker_id, max_deaths=2)
        with database.transaction() as session:
            session.execute(update(Unit).values(not_before=None))
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        work_through(database, claimed)
    assert state(database, job_id) == "running"


def test_a_worker_without_the_plugin_is_no_death(database: Database, job_id: UUID, worker_id: UUID) -> None:
    for unit_id in units(database, job_id)[:4]:
        die(database, unit_id, worker_id, LACKING, max_deaths=2)
    assert state(database, job_id) == "running"


def test_a_lost_worker_is_one_death_however_many_units_it_held(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    for unit_id in units(database, job_id)[:5]:
        assert take(database, unit_id, worker_id) is not None
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
            session.execute(update(Unit).where(Unit.id == unit_id).values(failures=failures))
        die(database, unit_id, worker_id, max_attempts=100, max_deaths=100)
        pauses.append(parked_seconds(database, unit_id))
    assert pauses == [2, 4, 8, 60]


VERSIONS = {"model:mlp": "1.0", "training:sgd-classifier": "1.0", "schedule:halves": "1.0"}


def worker_of(database: Database, **versions: str) -> UUID:
    with database.transaction() as session:
        return register_worker(
            session,
            hostname="there",
            pid=2,
            devices=["cpu"],
            slots=1,
            plugins=sorted(VERSIONS),
            plugin_errors=[],
            versions=VERSIONS | {name.replace("_", ":"): version for name, version in versions.items()},
        )


def parked_seconds(database: Database, unit_id: UUID) -> int:
    with database.transaction() as session:
        pause = session.scalar(
            select(text("extract(epoch FROM not_before - now())")).select_from(Unit).where(Unit.id == unit_id)
        )
        return round(float(pause))


@pytest.fixture
def versioned(database: Database) -> UUID:
    job_id = add_job(database)
    with database.transaction() as session:
        session.execute(update(Job).values(plugin_versions=VERSIONS))
    return job_id


def test_the_first_worker_decides_the_versions_of_a_job(database: Database, versioned: UUID) -> None:
    first, second, third = units(database, versioned)[:3]
    newer, older = worker_of(database, model_mlp="2.0"), worker_of(database)
    claimed = take(database, first, newer)
    assert claimed is not None
    with database.transaction() as session:
        assert session.get_one(Job, versioned).plugin_versions["model:mlp"] == "2.0"
        told = session.scalars(select(Event.data).where(Event.type == "versions")).all()
        assert told == [{"plugin_versions": VERSIONS | {"model:mlp": "2.0"}}]
    assert take(database, second, older) is None, "it is held, though nothing is measured yet"
    work_through(database, claimed)
    assert take(database, second, older) is None
    with database.transaction() as session:
        unit = session.get_one(Unit, second)
        assert (unit.state, unit.attempt, unit.failures) == ("queued", 0, 0)
        assert unit.sent_at is None
    assert parked_seconds(database, second) == 5, "another could take it"
    with database.transaction() as session:
        session.execute(update(Unit).values(not_before=None))
        session.execute(update(Worker).where(Worker.id == newer).values(heartbeat_at=text("now() - interval '1 hour'")))
    assert take(database, third, older) is None
    assert parked_seconds(database, third) == 60, "nobody could"
    with database.transaction() as session:
        session.execute(update(Unit).values(not_before=None))
    assert take(database, second, newer) is not None
    assert take(database, third, newer) is not None


def test_a_worker_too_old_to_tell_its_versions_is_trusted(database: Database, versioned: UUID, worker_id: UUID) -> None:
    with database.transaction() as session:
        assert session.get_one(Worker, worker_id).versions is None
    first, second = units(database, versioned)[:2]
    claimed = take(database, first, worker_of(database))
    assert claimed is not None
    work_through(database, claimed)
    assert take(database, second, worker_id) is not None


def test_a_schedule_of_another_version_measures_nothing(database: Database, versioned: UUID) -> None:
    first, second = units(database, versioned)[:2]
    claimed = take(database, first, worker_of(database))
    assert claimed is not None
    work_through(database, claimed)
    other = worker_of(database, schedule_halves="2.0")
    with database.transaction() as session:
        assert claim_unit(session, second, other, 30) is not None
