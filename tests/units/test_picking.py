"""A worker takes the unit whose turn it is, of those that it is able to run, however many wait."""

import re
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import event, select, text, update

from app.access.projects import add as add_project
from app.db.engine import DATABASE_AWAY, Database
from app.db.tables import Event, Job, Share, Unit, Worker
from app.jobs.ending import cancel
from app.jobs.lifecycle import lock_job
from app.jobs.reopening import retry
from app.jobs.turns import arrive
from app.settings import Settings
from app.units.lease import ClaimedUnit, claim_next, surrender_unit
from tests.support.jobs import NEEDED, OFFERED, add_job, add_worker, take, units, work_through

VERSIONS = dict.fromkeys([*NEEDED, "schedule:halves"], "1.0")
ERROR = {"code": "plugin_exited", "detail": "It left.", "where": {}}


def claim(database: Database, worker_id: UUID, *queues: str) -> ClaimedUnit | None:
    with database.transaction() as session:
        held = session.execute(select(Unit.id, Unit.attempt).where(Unit.worker_id == worker_id)).all()
        known = [(unit_id, attempt) for unit_id, attempt in held]
        return claim_next(session, worker_id, queues or ("cpu",), 30, known)


def job_claimed(database: Database, worker_id: UUID, *queues: str) -> UUID | None:
    claimed = claim(database, worker_id, *queues)
    return claimed.job_id if claimed is not None else None


def on_gpu(database: Database, job_id: UUID) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(device="cuda"))


def jobs_claimed(database: Database, worker_id: UUID, most: int = 1000) -> list[UUID]:
    taken: list[UUID] = []
    while len(taken) < most and (claimed := claim(database, worker_id)) is not None:
        taken.append(claimed.job_id)
    return taken


def test_the_urgent_first_and_those_of_one_priority_in_turn(
    database: Database, worker_id: UUID, settings: Settings
) -> None:
    first, second, urgent = add_job(database), add_job(database), add_job(database, priority=3)
    with database.transaction() as session:  # who is taken up again goes behind who waits
        cancel(session, first)
        retry(session, first, settings)
    assert jobs_claimed(database, worker_id) == [urgent] * 6 + [second, first] * 6


def test_who_comes_late_is_served_next_and_has_no_credit_for_the_time_before(
    database: Database, worker_id: UUID
) -> None:
    large = add_job(database, runs=20)
    assert jobs_claimed(database, worker_id, 30) == [large] * 30
    small = add_job(database)
    assert jobs_claimed(database, worker_id, 6) == [small, large] * 3


def timed(database: Database, claimed: ClaimedUnit, seconds: float) -> None:
    """Have a unit measured, as if that had taken so many seconds."""
    with database.transaction() as session:
        session.execute(
            update(Unit)
            .where(Unit.id == claimed.unit_id)
            .values(claimed_at=text("clock_timestamp() - make_interval(secs => :s)").bindparams(s=seconds))
        )
    work_through(database, claimed)


def test_jobs_share_the_time_of_the_slots_and_not_their_number_of_units(database: Database, worker_id: UUID) -> None:
    slow, quick = (add_job(database, runs=20, steps=(10, 11, 12)) for _ in range(2))
    held = dict.fromkeys((slow, quick), 0.0)
    for _ in range(44):
        claimed = claim(database, worker_id)
        assert claimed is not None
        seconds = 10.0 if claimed.job_id == slow else 1.0
        held[claimed.job_id] += seconds
        timed(database, claimed, seconds)
    assert held[slow] == pytest.approx(held[quick], abs=15)


def given_to(database: Database, name: str, *jobs: UUID, weight: float = 1.0) -> None:
    """Make a project that jobs are of, as if they had been submitted to it."""
    with database.transaction() as session:
        project = add_project(session, name, "")
        for job_id in jobs:
            job = session.get_one(Job, job_id)
            job.project_id, job.turn = project.id, 0.0
            session.flush()
            arrive(session, job)
        session.execute(update(Share).where(Share.project_id == project.id).values(weight=weight))


@pytest.mark.parametrize(("weight", "most"), [(1.0, 10), (3.0, 15), (0.25, 4)], ids=["even", "three", "a quarter"])
def test_projects_share_by_their_weight_however_many_jobs_they_have(
    database: Database, worker_id: UUID, weight: float, most: int
) -> None:
    many = [add_job(database, runs=10, priority=priority) for priority in (0, 9, 9)]
    one = add_job(database, runs=20)
    given_to(database, "other", one, weight=weight)
    taken = jobs_claimed(database, worker_id, 20)
    assert taken.count(one) == pytest.approx(most, abs=1)
    assert set(taken) - {one} <= set(many[1:]), "a priority is among the jobs of a project"


def test_a_project_that_comes_late_has_no_credit_for_the_time_before(database: Database, worker_id: UUID) -> None:
    large = add_job(database, runs=30)
    assert jobs_claimed(database, worker_id, 40) == [large] * 40
    late = add_job(database, runs=30)
    given_to(database, "late", late)
    assert jobs_claimed(database, worker_id, 10).count(late) == pytest.approx(5, abs=1)


def test_a_straggler_costs_its_job_no_other_slots(database: Database, worker_id: UUID) -> None:
    lame, other = (add_job(database, runs=30, steps=(10, 11, 12)) for _ in range(2))
    stuck = claim(database, worker_id)
    assert stuck is not None
    assert stuck.job_id == lame
    for _ in range(10):
        claimed = claim(database, worker_id)
        assert claimed is not None
        timed(database, claimed, 100.0)
    timed(database, stuck, 36_000.0)
    after = jobs_claimed(database, worker_id, 10)
    assert lame in after, "ten hours of one unit are not to be paid back"
    assert other in after


def test_a_job_goes_run_by_run_until_its_largest_unit_would_be_the_last_to_end(
    database: Database, worker_id: UUID
) -> None:
    job_id = add_job(database, runs=3, steps=(10, 12, 14, 16, 100))

    def next_cell() -> tuple[int, int]:
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        [cell] = claimed.cells
        timed(database, claimed, 1.0)
        return cell.run, cell.n

    alone = [next_cell() for _ in range(15)]
    assert alone[:5] == [(0, 10), (0, 12), (0, 14), (0, 100), (0, 16)]
    assert alone[5:] == [(run, n) for run in (1, 2) for n in (100, 16, 14, 12, 10)]
    job_id = add_job(database, runs=3, steps=(10, 12, 14, 16, 100))
    first = [take(database, job_id, worker_id) for _ in range(6)]  # six slots: more than can be kept busy beside 100
    sizes = [cell.n for claimed in first if claimed is not None for cell in claimed.cells]
    assert sizes == [10, 12, 14, 100, 100, 100]


def test_a_unit_that_must_wait_is_passed_over_and_comes_back_in_its_place(database: Database, worker_id: UUID) -> None:
    first, second = add_job(database, priority=1), add_job(database)
    there = units(database, first)
    claimed = claim(database, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        surrender_unit(session, claimed.unit_id, claimed.attempt, ERROR, counts=True)
    after = claim(database, worker_id)
    assert after is not None
    assert after.unit_id == there[1]
    with database.transaction() as session:
        session.execute(update(Unit).where(Unit.job_id == first).values(not_before=text("now() + interval '1h'")))
    assert job_claimed(database, worker_id) == second
    with database.transaction() as session:
        session.execute(update(Unit).where(Unit.job_id == first).values(not_before=None))
    again = claim(database, worker_id)
    assert again is not None
    assert again.unit_id == there[0]


def test_each_queue_is_served_by_who_has_its_device(database: Database, worker_id: UUID) -> None:
    on_cpu, other = add_job(database), add_job(database, priority=9)
    on_gpu(database, other)
    assert job_claimed(database, worker_id, "cpu") == on_cpu
    able = add_worker(database, devices=["cpu", "cuda"])
    assert job_claimed(database, able, "cuda") == other
    assert job_claimed(database, able, "cpu", "cuda") == other, "the most urgent of both"
    assert job_claimed(database, able, "cpu") == on_cpu


@pytest.mark.parametrize("lacking", OFFERED)
def test_what_a_worker_lacks_is_left_to_others(database: Database, worker_id: UUID, lacking: str) -> None:
    job_id = add_job(database, runs=1, steps=(10,))
    unable = add_worker(database, plugins=[plugin for plugin in OFFERED if plugin != lacking])
    assert job_claimed(database, unable) is None
    with database.transaction() as session:
        [unit] = session.scalars(select(Unit))
        assert (unit.state, unit.attempt, unit.failures, unit.not_before) == ("queued", 0, 0, None)
    assert job_claimed(database, worker_id) == job_id


def test_a_job_that_nobody_can_run_holds_up_no_other(database: Database, worker_id: UUID) -> None:
    stuck, job_id = add_job(database, priority=9), add_job(database)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == stuck).values(plugin_versions={"model:gone": "1.0"}))
    assert job_claimed(database, worker_id) == job_id


def test_a_worker_that_has_been_forgotten_takes_nothing(database: Database, job_id: UUID) -> None:
    assert claim(database, UUID(int=1)) is None


@pytest.fixture
def versioned(database: Database) -> UUID:
    job_id = add_job(database)
    with database.transaction() as session:
        session.execute(update(Job).values(plugin_versions=VERSIONS))
    return job_id


def worker_of(database: Database, **versions: str) -> UUID:
    named = {name.replace("_", ":"): version for name, version in versions.items()}
    return add_worker(database, plugins=[*OFFERED, "schedule:halves"], versions=VERSIONS | named)


def test_the_first_worker_decides_the_versions_of_a_job(database: Database, versioned: UUID) -> None:
    newer, older = worker_of(database, model_mlp="2.0"), worker_of(database)
    claimed = claim(database, newer)
    assert claimed is not None
    with database.transaction() as session:
        assert session.get_one(Job, versioned).plugin_versions["model:mlp"] == "2.0"
        told = session.scalars(select(Event.data).where(Event.type == "versions")).all()
        assert told == [{"plugin_versions": VERSIONS | {"model:mlp": "2.0"}}]
    assert claim(database, older) is None, "it is held, though nothing is measured yet"
    work_through(database, claimed)
    assert claim(database, older) is None
    assert job_claimed(database, newer) == versioned


def test_a_job_of_which_nothing_is_measured_may_change_its_versions(database: Database, versioned: UUID) -> None:
    newer, older = worker_of(database, model_mlp="2.0"), worker_of(database)
    claimed = claim(database, newer)
    assert claimed is not None
    with database.transaction() as session:
        surrender_unit(session, claimed.unit_id, claimed.attempt, None, counts=False)
    assert job_claimed(database, older) == versioned


def test_a_worker_too_old_to_tell_its_versions_is_trusted(database: Database, versioned: UUID, worker_id: UUID) -> None:
    with database.transaction() as session:
        assert session.get_one(Worker, worker_id).versions is None
    claimed = claim(database, worker_of(database))
    assert claimed is not None
    work_through(database, claimed)
    assert job_claimed(database, worker_id) == versioned


def test_a_schedule_measures_nothing(database: Database, versioned: UUID) -> None:
    claimed = claim(database, worker_of(database))
    assert claimed is not None
    work_through(database, claimed)
    assert job_claimed(database, worker_of(database, schedule_halves="2.0")) == versioned
    without = add_worker(database, versions=VERSIONS)
    assert job_claimed(database, without) == versioned


def test_many_workers_take_each_unit_once_and_the_urgent_first(database: Database) -> None:
    jobs = [add_job(database, runs=5, priority=priority) for priority in (0, 5, 0, 5)]
    workers = [add_worker(database) for _ in range(8)]
    expected = {unit for job_id in jobs for unit in units(database, job_id)}

    def work(worker_id: UUID) -> list[ClaimedUnit]:
        taken = []
        while (claimed := claim(database, worker_id)) is not None:
            taken.append(claimed)
        return taken

    with ThreadPoolExecutor(len(workers)) as pool:
        taken = [claimed for worker in pool.map(work, workers) for claimed in worker]
    assert len(taken) == len(expected)
    assert {claimed.unit_id for claimed in taken} == expected
    with database.transaction() as session:
        began = session.execute(
            select(Job.priority, Event.at)
            .join(Event, Event.job_id == Job.id)
            .where(Event.data["state"].astext == "running")
        )
        assert [priority for priority, _ in sorted(began, key=lambda row: row.at)] == [5, 5, 0, 0]


def test_a_job_that_somebody_holds_does_not_keep_a_worker_from_the_next(database: Database, worker_id: UUID) -> None:
    first, second = add_job(database), add_job(database)
    with database.transaction() as held:
        assert lock_job(held, first) is not None
        assert job_claimed(database, worker_id) == second
        with database.transaction() as both:
            assert lock_job(both, second) is not None
            with pytest.raises(DATABASE_AWAY):  # not None: there is work, and it is to be asked for again
                claim(database, worker_id)
    assert job_claimed(database, worker_id) == first


def test_a_claim_lets_go_of_a_job_that_others_have_emptied(database: Database, worker_id: UUID) -> None:
    """It may hold the lock of one job only: two who wait for each other's would be ended by PostgreSQL."""
    first, second = add_job(database, runs=1, steps=(10,)), add_job(database)
    other = add_worker(database)
    taken: list[ClaimedUnit | None] = []

    def empty_the_first(*_: object) -> None:
        if not taken:
            taken.append(None)
            taken[0] = take(database, first, other)

    with database.transaction() as session:
        event.listen(session, "after_transaction_create", lambda _, inner: inner.nested and empty_the_first())
        claimed = claim_next(session, worker_id, ["cpu"], 30)
        assert claimed is not None
        assert (claimed.job_id, taken[0] is not None) == (second, True)
        with database.transaction() as free:
            free.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert lock_job(free, first) is not None


def test_the_next_unit_is_found_by_an_index_behind_a_hundred_thousand(database: Database, worker_id: UUID) -> None:
    sample = add_job(database)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO job (spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps, device,"
                " labels, priority) SELECT spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps,"
                " device, labels, k % 3"
                " FROM job, generate_series(1, 1000) AS k WHERE id = :sample"
            ),
            {"sample": sample},
        )
        session.execute(
            text("INSERT INTO unit (job_id, ordinal) SELECT id, k FROM job, generate_series(100, 199) AS k")
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    statements: list[tuple[str, object]] = []
    with database.transaction() as session:
        event.listen(
            database.engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, parameters, *_: statements.append((statement, parameters)),
        )
        assert claim_next(session, worker_id, ["cpu"], 30) is not None
        asked, given = next(one for one in statements if "FROM share CROSS JOIN" in one[0])
        plan = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}", given).scalar()
    [whole] = plan  # type: ignore[misc]
    assert {"ix_job_turn", "ix_unit_turn"} <= set(re.findall("ix_\\w+", str(whole)))
    assert whole["Plan"]["Shared Hit Blocks"] + whole["Plan"]["Shared Read Blocks"] < 100
