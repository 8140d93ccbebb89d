"""A unit is executed by one worker at a time, a cell is recorded once, and no fault loses or doubles either."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from app.db.engine import DATABASE_AWAY, Database
from app.db.tables import Cell, Curve, Event, Job, Measurement, Outbox, Unit
from app.jobs.lifecycle import IllegalMove, lock_job
from app.queue.celery import make_celery
from app.queue.relay import Relay
from app.settings import Settings
from app.units.lease import (
    CellResult,
    ClaimedUnit,
    cancel,
    claim_unit,
    expire_lease,
    fail_unit,
    finish_unit,
    record_cell,
    renew,
    retry,
    surrender_unit,
)
from app.units.sweeper import Sweeper
from tests.queue.conftest import add_job

ERROR = {"code": "plugin_exited", "detail": "It left.", "where": {}}


def units(database: Database, job_id: UUID) -> list[UUID]:
    with database.transaction() as session:
        return list(session.scalars(select(Unit.id).where(Unit.job_id == job_id).order_by(Unit.ordinal)))


def take(database: Database, unit_id: UUID, worker_id: UUID, lease: float = 30.0) -> ClaimedUnit | None:
    with database.transaction() as session:
        return claim_unit(session, unit_id, worker_id, lease)


def result(run: int, step: int, value: float | None = 0.5) -> CellResult:
    return CellResult(run, step, n_unique=10, seconds=0.1, device="cpu", values=[("Accuracy", -1, value)])


def work_through(database: Database, claimed: ClaimedUnit) -> None:
    for cell in claimed.cells:
        if not cell.done:
            with database.transaction() as session:
                assert record_cell(
                    session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step, 1 - cell.n**-0.5)
                )
    with database.transaction() as session:
        finish_unit(session, claimed.unit_id, claimed.attempt)


def sweeper_of(database: Database, settings: Settings) -> Sweeper:
    """Return a sweeper of an empty broker, to which nobody is given time after the start of PostgreSQL."""
    celery = make_celery(settings)
    celery.control.purge()
    return Sweeper(database, celery, settings.model_copy(update={"heartbeat_seconds": 0.0}))


def state(database: Database, job_id: UUID) -> str:
    with database.transaction() as session:
        return session.get_one(Job, job_id).state


def test_a_job_worked_through_completes_with_its_curves(database: Database, job_id: UUID, worker_id: UUID) -> None:
    for unit_id in units(database, job_id):
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        assert state(database, job_id) == "running"
        work_through(database, claimed)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_done, job.work_done) == ("completed", 6, 140)
        assert session.scalar(select(func.count()).select_from(Measurement)) == 6
        kept = session.execute(select(Curve.metric, Curve.method).order_by(Curve.method)).all()
        assert [tuple(curve) for curve in kept] == [("Accuracy", "calibrated"), ("Accuracy", "power_law")]
        events = session.scalars(select(Event).order_by(Event.seq)).all()
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert [e.type for e in events].count("cell") == 6
    assert events[-1].data["state"] == "completed"


def test_planning_writes_cells_units_and_messages_together(database: Database, job_id: UUID) -> None:
    with database.transaction() as session:
        cells = {(c.run, c.step, c.n) for c in session.scalars(select(Cell))}
        assert cells == {(r, s, n) for r in range(2) for s, n in enumerate((10, 20, 40))}
        assert set(session.scalars(select(Outbox.subject))) == set(session.scalars(select(Unit.id)))


def test_a_unit_has_one_owner(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    assert take(database, unit_id, worker_id) is not None
    assert take(database, unit_id, worker_id) is None


def test_a_late_writer_is_fenced_off(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    first = take(database, unit_id, worker_id)
    assert first is not None
    with database.transaction() as session:
        surrender_unit(session, unit_id, first.attempt, None, counts=False)
    second = take(database, unit_id, worker_id)
    assert second is not None
    assert second.attempt == first.attempt + 1
    cell = first.cells[0]
    with database.transaction() as session:
        assert not record_cell(session, unit_id, first.attempt, result(cell.run, cell.step, 0.1))
        assert renew(session, unit_id, first.attempt, 30) == "lost"
        assert renew(session, unit_id, second.attempt, 30) == "held"
        finish_unit(session, unit_id, first.attempt)
        fail_unit(session, unit_id, first.attempt, ERROR)
    assert state(database, job_id) == "running"


def test_a_cell_is_recorded_once(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    cell = claimed.cells[0]
    for value in (0.25, 0.75):
        with database.transaction() as session:
            assert record_cell(session, unit_id, claimed.attempt, result(cell.run, cell.step, value))
    with database.transaction() as session:
        assert session.scalars(select(Measurement.value)).all() == [0.25]
        assert session.get_one(Job, job_id).cells_done == 1


def test_recorded_cells_survive_the_death_of_their_trainer(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, protocol="dataeval")
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        record_cell(session, unit_id, claimed.attempt, result(claimed.cells[0].run, claimed.cells[0].step))
        surrender_unit(session, unit_id, claimed.attempt, ERROR, counts=True)
    assert take(database, unit_id, worker_id) is None, "it must wait before the next try"
    with database.transaction() as session:
        session.execute(update(Unit).values(not_before=None))
    again = take(database, unit_id, worker_id)
    assert again is not None
    assert [cell.done for cell in again.cells] == [True, False, False]


def test_a_unit_that_kills_its_trainers_fails_the_job(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    for _ in range(3):
        with database.transaction() as session:
            session.execute(update(Unit).values(not_before=None))
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        with database.transaction() as session:
            surrender_unit(session, unit_id, claimed.attempt, ERROR, counts=True)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["code"], job.error["cause"]) == ("attempts_exhausted", "plugin_exited")
        assert set(session.scalars(select(Unit.state))) == {"failed"}


def test_a_drained_unit_is_free_at_once_and_does_not_count(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    for _ in range(5):
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        with database.transaction() as session:
            surrender_unit(session, unit_id, claimed.attempt, None, counts=False)
    assert state(database, job_id) == "running"


def test_a_plugins_fault_fails_the_job_and_stops_the_rest(database: Database, job_id: UUID, worker_id: UUID) -> None:
    first, second = units(database, job_id)[:2]
    claimed, other = take(database, first, worker_id), take(database, second, worker_id)
    assert claimed is not None
    assert other is not None
    with database.transaction() as session:
        fail_unit(session, first, claimed.attempt, ERROR)
    assert state(database, job_id) == "failed"
    with database.transaction() as session:
        assert renew(session, second, other.attempt, 30) == "lost"
        assert not record_cell(session, second, other.attempt, result(0, 0))
    assert all(take(database, u, worker_id) is None for u in units(database, job_id))


def test_cancel_waits_for_who_holds_a_unit(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        job = lock_job(session, job_id)
        assert job is not None
        cancel(session, job)
    assert state(database, job_id) == "cancelling"
    with database.transaction() as session:
        assert renew(session, unit_id, claimed.attempt, 30) == "cancelled"
        surrender_unit(session, unit_id, claimed.attempt, None, counts=False)
    assert state(database, job_id) == "cancelled"
    with database.transaction() as session:
        job = lock_job(session, job_id)
        assert job is not None
        with pytest.raises(IllegalMove):
            cancel(session, job)


def test_retry_measures_only_what_is_missing(database: Database, job_id: UUID, worker_id: UUID) -> None:
    first, *rest = units(database, job_id)
    claimed = take(database, first, worker_id)
    assert claimed is not None
    work_through(database, claimed)
    with database.transaction() as session:
        job = lock_job(session, job_id)
        assert job is not None
        cancel(session, job)
        retry(session, job)
    assert take(database, first, worker_id) is None
    for unit_id in rest:
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        work_through(database, claimed)
    assert state(database, job_id) == "completed"


def test_the_sweeper_takes_back_an_expired_lease(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    sweeper = sweeper_of(database, settings)
    sweeper.turn()
    assert take(database, unit_id, worker_id) is None
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
        session.execute(
            update(Unit).where(Unit.state == "leased").values(lease_expires_at=text("now() - interval '1s'"))
        )
    sweeper.turn()
    with database.transaction() as session:
        unit = session.get_one(Unit, unit_id)
        assert (unit.state, unit.failures) == ("queued", 1)
        session.execute(update(Unit).where(Unit.id == unit_id).values(not_before=text("now() - interval '1s'")))
    sweeper.turn()
    with database.transaction() as session:
        assert unit_id in session.scalars(select(Outbox.subject)).all()


def test_the_sweeper_sends_again_what_nobody_took(database: Database, job_id: UUID, settings: Settings) -> None:
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
    sweeper = sweeper_of(database, settings)
    sweeper.turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.subject)).all() == [], "a fresh message is not lost yet"
        session.execute(update(Unit).values(sent_at=text("now() - interval '2 minutes'")))
    sweeper.turn()
    sweeper.turn()
    with database.transaction() as session:
        assert sorted(session.scalars(select(Outbox.subject))) == sorted(units(database, job_id))


def test_a_completed_job_leaves_no_unit_open(database: Database, job_id: UUID, worker_id: UUID) -> None:
    """The last cell may come in while another unit's worker has yet to say that it is done."""
    first, *rest = units(database, job_id)
    early = take(database, first, worker_id)
    assert early is not None
    for cell in early.cells:
        with database.transaction() as session:
            record_cell(session, first, early.attempt, result(cell.run, cell.step))
    for unit_id in rest:
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        work_through(database, claimed)
    assert state(database, job_id) == "completed"
    with database.transaction() as session:
        assert set(session.scalars(select(Unit.state))) == {"done"}
        finish_unit(session, first, early.attempt)


def expired(database: Database, unit_id: UUID) -> None:
    with database.transaction() as session:
        session.execute(
            update(Unit).where(Unit.id == unit_id).values(lease_expires_at=text("now() - interval '1 second'"))
        )


def test_a_claim_whose_answer_was_lost_is_made_anew(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    first = take(database, unit_id, worker_id)  # committed, and then the connection broke
    assert first is not None
    with database.transaction() as session:
        assert claim_unit(session, unit_id, worker_id, 30, held={first.attempt}) is None, "another slot has it"
        assert claim_unit(session, unit_id, uuid4(), 30, held=()) is None, "another worker's is not ours"
        second = claim_unit(session, unit_id, worker_id, 30, held=())
    assert second is not None
    assert second.attempt == first.attempt + 1
    with database.transaction() as session:
        assert session.get_one(Unit, unit_id).failures == 0


def test_a_lease_that_was_renewed_is_not_taken_back(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    expired(database, unit_id)
    with database.transaction() as session:  # the owner, between the sweeper's look and its deed
        assert renew(session, unit_id, claimed.attempt, 30) == "held"
    with database.transaction() as session:
        assert not expire_lease(session, unit_id, claimed.attempt, max_attempts=3)
    with database.transaction() as session:
        assert renew(session, unit_id, claimed.attempt, 30) == "held"


def test_the_first_loss_of_a_worker_costs_no_pause(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    for is_due in (True, False):
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        expired(database, unit_id)
        with database.transaction() as session:
            assert expire_lease(session, unit_id, claimed.attempt, max_attempts=3)
        with database.transaction() as session:
            assert (session.get_one(Unit, unit_id).not_before is None) == is_due


def test_a_unit_that_gets_on_may_lose_any_number_of_workers(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=1, steps=(10, 20, 30, 40, 50), protocol="dataeval")
    [unit_id] = units(database, job_id)
    for step in range(5):
        claimed = take(database, unit_id, worker_id)
        assert claimed is not None
        with database.transaction() as session:
            assert record_cell(session, unit_id, claimed.attempt, result(0, step))
        expired(database, unit_id)
        with database.transaction() as session:
            assert expire_lease(session, unit_id, claimed.attempt, max_attempts=2)
    assert state(database, job_id) == "running"


def test_the_sweeper_leaves_alone_what_has_its_message(database: Database, job_id: UUID, settings: Settings) -> None:
    """Units that wait behind busy slots are not sent again and again."""
    sweeper = sweeper_of(database, settings)
    Relay(database, make_celery(settings)).turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.id)).all() == []
        session.execute(update(Unit).values(sent_at=text("now() - interval '2 hours'")))
    sweeper.turn()
    with database.transaction() as session:
        assert session.scalars(select(Outbox.id)).all() == []
    make_celery(settings).control.purge()  # as a flushed or restarted Redis does
    sweeper.turn()
    with database.transaction() as session:
        assert sorted(session.scalars(select(Outbox.subject))) == sorted(units(database, job_id))


def test_an_overdue_job_fails_and_keeps_what_it_measured(
    database: Database, job_id: UUID, worker_id: UUID, settings: Settings
) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, unit_id, worker_id)
    assert claimed is not None
    cell = claimed.cells[0]
    with database.transaction() as session:
        record_cell(session, unit_id, claimed.attempt, result(cell.run, cell.step))
    sweeper = sweeper_of(database, settings.model_copy(update={"job_timeout_seconds": 60.0}))
    sweeper.turn()
    assert state(database, job_id) == "running"
    with database.transaction() as session:
        session.execute(update(Job).values(started_at=text("now() - interval '2 minutes'")))
    sweeper.turn()
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["code"], job.cells_done) == ("job_timeout", 1)
        assert renew(session, unit_id, claimed.attempt, 30) == "lost"


def test_a_process_that_stands_still_keeps_no_job_locked(database: Database, fresh_database: str, job_id: UUID) -> None:
    frozen = Database(fresh_database, silence_seconds=0.3)

    def freeze() -> None:
        with frozen.transaction() as session:
            assert lock_job(session, job_id) is not None
            with database.transaction() as other:
                assert lock_job(other, job_id) is not None  # once PostgreSQL has ended the first transaction
            session.scalar(select(func.now()))

    with pytest.raises(DATABASE_AWAY):  # a 503, and what a worker repeats
        freeze()
    with frozen.transaction() as session:
        assert lock_job(session, job_id) is not None
    frozen.dispose()
