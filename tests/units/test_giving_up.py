"""A cell that cannot be measured ends without a value, and its job with the rest, or with its error."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.db.engine import Database
from app.db.tables import Cell, Curve, Event, Job, Unit
from app.units.giving_up import give_up_cell
from app.units.lease import ClaimedUnit, finish_unit, record_cell
from sufficiency.schemas.work import CellFailure
from tests.support.jobs import add_job, result, state, take


def raised(exception: str = "ValueError: needs two classes", phase: str = "training") -> dict[str, Any]:
    return {"code": "plugin_raised", "detail": "It raised.", "where": {"phase": phase}, "exception": exception}


def give_up(database: Database, claimed: ClaimedUnit, index: int = 0, **error: str) -> bool:
    cell = claimed.cells[index]
    with database.transaction() as session:
        return give_up_cell(
            session, claimed.unit_id, claimed.attempt, CellFailure(cell.run, cell.step, raised(**error))
        )


def finish(database: Database, claimed: ClaimedUnit) -> None:
    with database.transaction() as session:
        finish_unit(session, claimed.unit_id, claimed.attempt)


def claimed_unit(database: Database, job_id: UUID, worker_id: UUID) -> ClaimedUnit:
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    return claimed


def work(database: Database, job_id: UUID, worker_id: UUID, fails: set[int]) -> None:
    """Do the work of a job in whose cells of some sizes its plugin raises."""
    while (claimed := take(database, job_id, worker_id)) is not None:
        for index, cell in enumerate(claimed.cells):
            if cell.n in fails:
                give_up(database, claimed, index)
            else:
                with database.transaction() as session:
                    record_cell(
                        session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step, 1 - cell.n**-0.5)
                    )
        finish(database, claimed)


def test_a_job_completes_with_the_cells_that_can_be_measured(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, steps=(5, 10, 20, 40))
    work(database, job_id, worker_id, fails={5})
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_done, job.cells_not_measurable, job.work_done) == ("completed", 6, 2, 150)
        assert set(session.scalars(select(Unit.state))) == {"done"}
        assert session.scalar(select(func.count()).select_from(Curve)) == 2
        told = [event.data for event in session.scalars(select(Event).where(Event.type == "not_measurable"))]
        assert [(one["n"], one["error"]["exception"]) for one in told] == [(5, "ValueError: needs two classes")] * 2
        assert job.value_warnings is not None
        [warning] = job.value_warnings
        assert (warning["code"], warning["cells"]) == ("cells_not_measurable", 2)
        assert "n = 5 (runs 0, 1)" in warning["detail"]


def test_a_cell_is_given_up_once_and_stays_so(database: Database, job_id: UUID, worker_id: UUID) -> None:
    claimed = claimed_unit(database, job_id, worker_id)
    assert give_up(database, claimed)
    assert give_up(database, claimed)
    cell = claimed.cells[0]
    with database.transaction() as session:
        assert record_cell(session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step))
        job = session.get_one(Job, job_id)
        assert (job.cells_done, job.cells_not_measurable, job.work_done) == (0, 1, 10)
        row = session.scalars(select(Cell).where(Cell.error.is_not(None))).one()
        assert (row.run, row.step, row.finished_at) == (cell.run, cell.step, None)


def test_a_late_writer_cannot_give_up(database: Database, job_id: UUID, worker_id: UUID) -> None:
    claimed = claimed_unit(database, job_id, worker_id)
    late = CellFailure(claimed.cells[0].run, claimed.cells[0].step, raised())
    with database.transaction() as session:
        assert not give_up_cell(session, claimed.unit_id, claimed.attempt - 1, late)
        assert session.get_one(Job, job_id).cells_not_measurable == 0


def test_a_plugin_that_raises_everywhere_ends_the_job_after_few_cells(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=5, steps=(5, 10, 20, 40, 80))
    sizes = []
    for _ in range(3):
        claimed = claimed_unit(database, job_id, worker_id)
        sizes.append(claimed.cells[0].n)
        is_ours = give_up(database, claimed)
        if is_ours:
            finish(database, claimed)
    assert not is_ours
    assert sizes == [5, 80, 5], "the other end is looked at next, and then again what is cheapest"
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_not_measurable) == ("failed", 3)
        assert job.error == raised()
        assert set(session.scalars(select(Unit.state))) == {"failed", "done"}
    assert take(database, job_id, worker_id) is None


def test_a_typo_ends_the_job_with_its_first_cell(database: Database, job_id: UUID, worker_id: UUID) -> None:
    assert not give_up(database, claimed_unit(database, job_id, worker_id), exception="NameError: name 'nn'")
    assert state(database, job_id) == "failed"


def test_after_one_measured_cell_only_the_cells_that_fail_are_left_out(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=3, steps=(10, 20, 40))
    first = claimed_unit(database, job_id, worker_id)
    with database.transaction() as session:
        record_cell(session, first.unit_id, first.attempt, result(first.cells[0].run, first.cells[0].step))
    finish(database, first)
    for _ in range(8):
        claimed = claimed_unit(database, job_id, worker_id)
        assert give_up(database, claimed, exception="NameError: name 'nn'")
        finish(database, claimed)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.cells_done, job.cells_not_measurable) == ("completed", 1, 8)


def test_a_run_is_resumed_knowing_what_was_given_up(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, protocol="dataeval", runs=1)
    claimed = claimed_unit(database, job_id, worker_id)
    give_up(database, claimed)
    give_up(database, claimed, 1, phase="evaluation")
    finish(database, claimed)  # too early
    again = claimed_unit(database, job_id, worker_id)
    assert [(cell.done, cell.failed_in) for cell in again.cells] == [
        *((False, "training"), (False, "evaluation"), (False, None))
    ]
