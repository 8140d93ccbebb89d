"""A unit is executed by one worker at a time, a cell is recorded once, and no fault loses or doubles either."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from app.db.engine import DATABASE_AWAY, Database
from app.db.tables import Cell, Curve, Event, Job, Measurement, Outbox, Unit
from app.jobs.lifecycle import lock_job
from app.units.lease import (
    claim_next,
    expire_lease,
    fail_unit,
    finish_unit,
    record_cell,
    renew,
    surrender_unit,
)
from tests.support.jobs import add_job, add_worker, result, state, take, units, work_through

ERROR = {"code": "plugin_exited", "detail": "It left.", "where": {}}


def test_a_job_worked_through_completes_with_its_curves(database: Database, job_id: UUID, worker_id: UUID) -> None:
    for _ in units(database, job_id):
        claimed = take(database, job_id, worker_id)
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
    there = units(database, job_id)
    taken = [take(database, job_id, worker_id) for _ in there]
    assert [one.unit_id for one in taken if one is not None] == there
    assert take(database, job_id, worker_id) is None


def test_a_late_writer_is_fenced_off(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    first = take(database, job_id, worker_id)
    assert first is not None
    with database.transaction() as session:
        surrender_unit(session, unit_id, first.attempt, None, counts=False)
    second = take(database, job_id, worker_id)
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
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    cell = claimed.cells[0]
    for value in (0.25, 0.75):
        with database.transaction() as session:
            assert record_cell(session, unit_id, claimed.attempt, result(cell.run, cell.step, value))
    with database.transaction() as session:
        assert session.scalars(select(Measurement.value)).all() == [0.25]
        assert session.get_one(Job, job_id).cells_done == 1


def test_recorded_cells_survive_the_death_of_their_trainer(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, protocol="dataeval", runs=1)
    unit_id = units(database, job_id)[0]
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        record_cell(session, unit_id, claimed.attempt, result(claimed.cells[0].run, claimed.cells[0].step))
        surrender_unit(session, unit_id, claimed.attempt, ERROR, counts=True)
    assert take(database, job_id, worker_id) is None, "it must wait before the next try"
    with database.transaction() as session:
        session.execute(update(Unit).values(not_before=None))
    again = take(database, job_id, worker_id)
    assert again is not None
    assert [cell.done for cell in again.cells] == [True, False, False]


def test_a_unit_that_kills_its_trainers_fails_the_job(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    for _ in range(3):
        with database.transaction() as session:
            session.execute(update(Unit).values(not_before=None))
        claimed = take(database, job_id, worker_id)
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
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        with database.transaction() as session:
            surrender_unit(session, unit_id, claimed.attempt, None, counts=False)
    assert state(database, job_id) == "running"


def test_a_plugins_fault_fails_the_job_and_stops_the_rest(database: Database, job_id: UUID, worker_id: UUID) -> None:
    first, second = units(database, job_id)[:2]
    claimed, other = take(database, job_id, worker_id), take(database, job_id, worker_id)
    assert claimed is not None
    assert other is not None
    with database.transaction() as session:
        fail_unit(session, first, claimed.attempt, ERROR)
    assert state(database, job_id) == "failed"
    with database.transaction() as session:
        assert renew(session, second, other.attempt, 30) == "lost"
        assert not record_cell(session, second, other.attempt, result(0, 0))
    assert take(database, job_id, worker_id) is None


def test_a_completed_job_leaves_no_unit_open(database: Database, job_id: UUID, worker_id: UUID) -> None:
    """The last cell may come in while another unit's worker has yet to say that it is done."""
    first, *rest = units(database, job_id)
    early = take(database, job_id, worker_id)
    assert early is not None
    for cell in early.cells:
        with database.transaction() as session:
            record_cell(session, first, early.attempt, result(cell.run, cell.step))
    for _ in rest:
        claimed = take(database, job_id, worker_id)
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
    first = take(database, job_id, worker_id)  # committed, and then the connection broke
    assert first is not None
    with database.transaction() as session:
        other = claim_next(session, add_worker(database), ["cpu"], 30)
        assert other is not None
        assert other.unit_id != first.unit_id, "another worker's is not ours"
    with database.transaction() as session:
        second = claim_next(session, worker_id, ["cpu"], 30)
    assert second is not None
    assert (second.unit_id, second.attempt) == (first.unit_id, first.attempt + 1)
    with database.transaction() as session:
        third = claim_next(session, worker_id, ["cpu"], 30, known=[(second.unit_id, second.attempt)])
    assert third is not None
    assert third.unit_id not in (first.unit_id, other.unit_id), "another slot has it"
    with database.transaction() as session:
        assert session.get_one(Unit, first.unit_id).failures == 0


def test_a_lease_that_was_renewed_is_not_taken_back(database: Database, job_id: UUID, worker_id: UUID) -> None:
    unit_id = units(database, job_id)[0]
    claimed = take(database, job_id, worker_id)
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
        claimed = take(database, job_id, worker_id)
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
        claimed = take(database, job_id, worker_id)
        assert claimed is not None
        with database.transaction() as session:
            assert record_cell(session, unit_id, claimed.attempt, result(0, step))
        expired(database, unit_id)
        with database.transaction() as session:
            assert expire_lease(session, unit_id, claimed.attempt, max_attempts=2)
    assert state(database, job_id) == "running"


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


def test_a_metric_of_another_shape_ends_the_job(database: Database, job_id: UUID, worker_id: UUID) -> None:
    claimed = [take(database, job_id, worker_id) for _ in range(2)]
    for number, unit in enumerate(claimed):
        assert unit is not None
        cell = unit.cells[0]
        measured = replace(result(cell.run, cell.step), values=[("Recall", k, 0.5) for k in range(4 - number)])
        with database.transaction() as session:
            assert record_cell(session, unit.unit_id, unit.attempt, measured) == (number == 0)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_done, job.shapes) == ("failed", 1, {"Recall": 4})
        assert job.error is not None
        assert (job.error["code"], job.error["where"]["plugin"]) == ("invalid_metrics", "evaluation:classification")
        assert "'Recall' has 3 values, one a class here, and 4 values" in job.error["detail"]
        assert session.scalar(select(func.count()).select_from(Measurement)) == 4
        assert session.scalar(select(func.count()).select_from(Cell).where(Cell.finished_at.is_not(None))) == 1
