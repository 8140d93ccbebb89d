"""Cells that another job of the project has measured are copied in one transaction, marked, and cost nothing."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from app.access.quotas import usage
from app.curves.series import marks_of
from app.db.engine import Database
from app.db.tables import DEFAULT_PROJECT_ID, Cell, Event, Job, Measurement, Project, Unit
from app.jobs.ending import cancel
from app.jobs.reopening import extend, retry
from app.settings import Settings
from app.units.lease import ClaimedUnit, finish_unit, record_cell
from app.units.recognising import recognised
from sufficiency.method.item_marks import pack
from sufficiency.schemas.jobs import NewExtension
from sufficiency.schemas.work import UnitCell
from tests.support.jobs import add_job, result, state, take

KNOWN = "k" * 32
STEPS = (10, 20, 40, 60)


def recognise(database: Database, claimed: ClaimedUnit, identity: str | None = KNOWN) -> list[UnitCell] | None:
    with database.transaction() as session:
        return recognised(session, claimed.unit_id, claimed.attempt, identity)


def finish(database: Database, claimed: ClaimedUnit, cells: list[UnitCell], identity: str | None = KNOWN) -> None:
    """Record what is open of a unit, as measured with what `identity` says, and finish it."""
    for cell in cells:
        if cell.is_open:
            marks = pack(np.random.default_rng([cell.run, cell.step]).random(20) < 0.8)
            told = result(cell.run, cell.step, 1 - cell.n**-0.5 + cell.run / 1000)
            told = replace(told, identity=identity, correct={"Accuracy": marks})
            with database.transaction() as session:
                assert record_cell(session, claimed.unit_id, claimed.attempt, told)
    with database.transaction() as session:
        finish_unit(session, claimed.unit_id, claimed.attempt)


def work(database: Database, job_id: UUID, worker_id: UUID, identity: str | None = KNOWN) -> int:
    """Do a job's work as a worker does; return how many cells were measured for it."""
    measured = 0
    while (claimed := take(database, job_id, worker_id)) is not None:
        cells = claimed.cells
        if claimed.may_be_known:
            again = recognise(database, claimed, identity)
            assert again is not None
            cells = again
        measured += sum(cell.is_open for cell in cells)
        finish(database, claimed, cells, identity)
    return measured


def job_of(database: Database, job_id: UUID) -> Job:
    with database.transaction() as session:
        return session.get_one(Job, job_id)


def values(database: Database, job_id: UUID) -> list[Any]:
    with database.transaction() as session:
        rows = select(Measurement.run, Measurement.step, Measurement.metric, Measurement.class_index, Measurement.value)
        return sorted(session.execute(rows.where(Measurement.job_id == job_id)).all())


def origins(database: Database, job_id: UUID) -> dict[tuple[int, int], UUID | None]:
    with database.transaction() as session:
        cells = session.execute(select(Cell.run, Cell.step, Cell.reused_from).where(Cell.job_id == job_id))
        return {(run, step): origin for run, step, origin in cells}


@pytest.fixture
def measured(database: Database, worker_id: UUID) -> UUID:
    """A completed job of two runs."""
    job_id = add_job(database, runs=2, steps=STEPS)
    assert work(database, job_id, worker_id) == 8
    return job_id


def test_the_same_is_not_measured_twice(database: Database, worker_id: UUID, measured: UUID) -> None:
    again = add_job(database, runs=2, steps=STEPS)
    assert work(database, again, worker_id) == 0
    assert (state(database, again), values(database, again)) == ("completed", values(database, measured))
    assert set(origins(database, again).values()) == {measured}
    with database.transaction() as session:
        kept = marks_of(session, measured)
        assert len(kept["Accuracy"]) == 8
        assert marks_of(session, again) == kept
    job = job_of(database, again)
    assert (job.cells_done, job.cells_reused, job.work_done, job.work_reused) == (8, 8, 260, 260)
    assert job.seconds_saved == pytest.approx(0.8)
    assert job.measured == [2, 2, 2, 2]
    assert job.shapes == job_of(database, measured).shapes
    with database.transaction() as session:
        events = session.scalars(
            select(Event.data).where(Event.job_id == again, Event.type == "cell").order_by(Event.seq)
        ).all()
        assert usage(session, DEFAULT_PROJECT_ID).slot_seconds == pytest.approx(0.8), "of the first job alone"
        assert set(session.scalars(select(Unit.state).where(Unit.job_id == again))) == {"done"}
    assert [event["cells_done"] for event in events] == list(range(1, 9))
    assert {event["reused_from"] for event in events} == {str(measured)}
    assert events[0]["metrics"] == {"Accuracy": pytest.approx(1 - 10**-0.5)}


@pytest.mark.parametrize("change", [{"runs": 3}, {"steps": (*STEPS, 90)}], ids=["runs", "steps"])
def test_a_wider_job_measures_what_is_new(
    database: Database, worker_id: UUID, measured: UUID, change: dict[str, Any]
) -> None:
    wide = add_job(database, **{"runs": 2, "steps": STEPS, **change})
    assert work(database, wide, worker_id) == (4 if "runs" in change else 2)
    assert (state(database, wide), job_of(database, wide).cells_reused) == ("completed", 8)


def test_other_steps_are_other_seeds(database: Database, worker_id: UUID, measured: UUID) -> None:
    # 20 is the second step of the one, and the first of the other.
    assert work(database, add_job(database, runs=2, steps=(20, 40, 60)), worker_id) == 6


@pytest.mark.parametrize(
    ("spec", "identity"), [({"reuse": False}, KNOWN), ({}, None), ({}, "o" * 32)], ids=["refused", "unknown", "other"]
)
def test_what_is_refused_unknown_or_other_is_measured(
    database: Database, worker_id: UUID, measured: UUID, spec: dict[str, Any], identity: str | None
) -> None:
    job_id = add_job(database, runs=2, steps=STEPS, **spec)
    assert work(database, job_id, worker_id, identity) == 8
    assert job_of(database, job_id).cells_reused == 0


def test_what_is_not_known_again_is_not_offered(database: Database, worker_id: UUID) -> None:
    for _ in range(2):
        assert work(database, add_job(database, runs=1, steps=STEPS), worker_id, None) == 4
    with database.transaction() as session:
        assert session.scalars(select(Cell.key).distinct()).all() == [None]


def test_another_project_s_cells_are_not_there(database: Database, worker_id: UUID, measured: UUID) -> None:
    job_id = add_job(database, runs=2, steps=STEPS)
    with database.transaction() as session:
        other = Project(name="other")
        session.add(other)
        session.flush()
        session.execute(update(Job).where(Job.id == job_id).values(project_id=other.id))
    assert work(database, job_id, worker_id) == 8
    with database.transaction() as session:
        keys = session.execute(select(Cell.job_id, Cell.key)).all()
    ours, theirs = ({key for job, key in keys if job == one} for one in (job_id, measured))
    assert not ours & theirs, "not even the keys are alike"


def test_a_unit_in_somebody_s_hands_is_left_to_them(database: Database, worker_id: UUID, measured: UUID) -> None:
    job_id = add_job(database, runs=2, steps=STEPS)
    busy, asking = take(database, job_id, worker_id), take(database, job_id, worker_id)
    assert busy is not None
    assert asking is not None
    cells = recognise(database, asking)
    assert cells is not None
    assert not any(cell.is_open for cell in cells)
    in_hand = {(cell.run, cell.step) for cell in busy.cells}
    assert {cell for cell, origin in origins(database, job_id).items() if origin is None} == in_hand
    finish(database, asking, cells)
    assert state(database, job_id) == "running"
    finish(database, busy, busy.cells)
    assert state(database, job_id) == "completed"
    assert values(database, job_id) == values(database, measured)


def test_a_worker_that_dies_before_or_after_changes_nothing(
    database: Database, worker_id: UUID, measured: UUID
) -> None:
    """Either the whole transaction is there or nothing of it; who comes next goes on from there."""
    job_id = add_job(database, runs=3, steps=STEPS)
    claimed = take(database, job_id, worker_id)
    assert claimed is not None

    class Killed(BaseException):
        pass

    def killed() -> None:
        with database.transaction() as session:
            assert recognised(session, claimed.unit_id, claimed.attempt, KNOWN)
            raise Killed

    with pytest.raises(Killed):
        killed()
    assert set(origins(database, job_id).values()) == {None}
    assert job_of(database, job_id).cells_done == 0
    assert recognise(database, claimed) is not None
    assert recognise(database, claimed) is not None, "asked twice, as after an answer that was lost"
    job = job_of(database, job_id)
    assert (job.cells_done, job.cells_reused) == (8, 8)
    with database.transaction() as session:
        events = select(func.count()).where(Event.job_id == job_id, Event.type == "cell")
        assert session.scalar(events) == 8


def test_who_has_lost_the_unit_takes_nothing_over(database: Database, worker_id: UUID, measured: UUID) -> None:
    job_id = add_job(database, runs=2, steps=STEPS)
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    assert recognise(database, replace(claimed, attempt=claimed.attempt + 1)) is None
    assert job_of(database, job_id).cells_done == 0


def test_copies_outlive_their_source_and_tell_of_it(database: Database, worker_id: UUID, measured: UUID) -> None:
    second = add_job(database, runs=2, steps=STEPS)
    work(database, second, worker_id)
    before = values(database, second)
    with database.transaction() as session:
        session.execute(delete(Job).where(Job.id == measured))
    assert values(database, second) == before
    third = add_job(database, runs=2, steps=STEPS)
    assert work(database, third, worker_id) == 0
    assert set(origins(database, third).values()) == {measured}, "who measured it, not who had it last"


def test_under_dataeval_s_protocol_the_steps_before_decide(database: Database, worker_id: UUID) -> None:
    sequence: dict[str, Any] = {"protocol": "dataeval", "runs": 2}
    assert work(database, add_job(database, steps=STEPS, **sequence), worker_id) == 8
    assert work(database, add_job(database, steps=(*STEPS, 90), **sequence), worker_id) == 2
    assert work(database, add_job(database, steps=(10, 30, 40, 60), **sequence), worker_id) == 6


def test_an_extension_looks_again(database: Database, worker_id: UUID, measured: UUID, settings: Settings) -> None:
    narrow = add_job(database, runs=1, steps=STEPS)
    assert work(database, narrow, worker_id) == 0
    with database.transaction() as session:
        extend(session, narrow, NewExtension(runs=3), settings)
    assert work(database, narrow, worker_id) == 4
    assert (state(database, narrow), job_of(database, narrow).cells_reused) == ("completed", 8)


def test_a_retry_looks_again(database: Database, worker_id: UUID, settings: Settings) -> None:
    job_id = add_job(database, runs=2, steps=STEPS)
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    cells = recognise(database, claimed)
    assert cells is not None
    finish(database, claimed, cells)
    with database.transaction() as session:
        cancel(session, job_id)
    own = len(cells)
    assert work(database, add_job(database, runs=2, steps=STEPS), worker_id) == 8 - own
    with database.transaction() as session:
        retry(session, job_id, settings)
    assert work(database, job_id, worker_id) == 0
    assert (state(database, job_id), job_of(database, job_id).cells_reused) == ("completed", 8 - own)


def test_an_adaptive_job_takes_over_in_the_transaction_of_its_stages(database: Database, worker_id: UUID) -> None:
    assert work(database, add_job(database, runs=4, steps=(*STEPS, 90)), worker_id) == 20
    job_id = add_job(database, runs=4, steps=(*STEPS, 90), stop_when={"width": 1e-9, "n": 200})
    assert work(database, job_id, worker_id) == 0
    job = job_of(database, job_id)
    assert (job.state, job.cells_done, job.cells_reused) == ("completed", 20, 20)
    assert job.design is not None
    assert (job.design["stopped"], job.design["spent"], job.design["saved"]) == ("grid", 0.0, 1.0)


def test_a_budget_pays_only_for_what_is_measured(database: Database, worker_id: UUID) -> None:
    question: dict[str, Any] = {"runs": 4, "stop_when": {"width": 1e-9, "n": 200}, "budget": {"training_items": 300}}
    first = add_job(database, steps=STEPS, **question)
    cells = work(database, first, worker_id)
    assert job_of(database, first).design["spent"] <= 300  # type: ignore[index]
    second = add_job(database, steps=STEPS, **question)
    more = work(database, second, worker_id)
    job = job_of(database, second)
    assert job.design is not None
    assert (job.cells_reused, job.cells_done) == (cells, cells + more)
    assert more > 0
    assert job.design["spent"] == job.work_done - job.work_reused <= 300
