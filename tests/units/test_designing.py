"""An adaptive job measures a run, then stage by stage what it chooses, and says why it stops."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import Cell, Event, Job
from app.jobs.ending import cancel
from app.jobs.reopening import retry
from app.settings import Settings
from app.units.lease import ClaimedUnit, finish_unit, record_cell, surrender_unit
from tests.support.jobs import add_job, result, state, take

STEPS = (10, 20, 40, 60, 100)
QUESTION = {"width": 1e-9, "n": 200}  # which no interval is: to the grid


def value(run: int, n: int) -> float:
    return round(0.95 - n**-0.5 + 0.02 * float(np.random.default_rng([run, n]).normal()), 6)


def measure(database: Database, claimed: ClaimedUnit) -> None:
    for cell in claimed.cells:
        if not cell.done:
            with database.transaction() as session:
                assert record_cell(
                    session, claimed.unit_id, claimed.attempt, result(cell.run, cell.step, value(cell.run, cell.n))
                )
    with database.transaction() as session:
        finish_unit(session, claimed.unit_id, claimed.attempt)


def one_by_one(database: Database, job_id: UUID, worker_id: UUID) -> None:
    while (claimed := take(database, job_id, worker_id)) is not None:
        measure(database, claimed)


def many_slots(database: Database, job_id: UUID, worker_id: UUID) -> None:
    while held := [claimed for _ in range(4) if (claimed := take(database, job_id, worker_id)) is not None]:
        lame = held.pop(0)
        with database.transaction() as session:
            surrender_unit(session, lame.unit_id, lame.attempt, None, counts=False)
        for claimed in reversed(held):
            measure(database, claimed)
        if not held and (again := take(database, job_id, worker_id)) is not None:
            measure(database, again)


def design(database: Database, job_id: UUID) -> dict[str, Any]:
    with database.transaction() as session:
        return dict(session.get_one(Job, job_id).design or {})


def stages(database: Database, job_id: UUID) -> list[int]:
    with database.transaction() as session:
        events = select(Event.data).where(Event.job_id == job_id, Event.type == "design").order_by(Event.seq)
        return [data["cells"] for data in session.scalars(events)]


def test_it_begins_with_a_run_and_goes_on_to_the_grid_where_nothing_is_decided(
    database: Database, worker_id: UUID
) -> None:
    job_id = add_job(database, runs=4, steps=STEPS, stop_when=QUESTION)
    with database.transaction() as session:
        assert set(session.scalars(select(Cell.run))) == {0}
    one_by_one(database, job_id, worker_id)
    ended = design(database, job_id)
    assert (state(database, job_id), ended["stopped"], ended["saved"]) == ("completed", "grid", 0.0)
    assert (ended["spent"], ended["grid"], ended["unit"]) == (920.0, 920.0, "training_items")
    counts = stages(database, job_id)
    assert (counts[0], counts[-1], sum(counts)) == (5, 0, 20)
    assert ended["stages"] == len(counts) - 1 > 2


def test_what_is_chosen_does_not_hang_on_slots_and_interruptions(database: Database, worker_id: UUID) -> None:
    ways: list[Callable[[Database, UUID, UUID], None]] = [one_by_one, many_slots]
    chosen = []
    for way in ways:
        job_id = add_job(database, runs=4, steps=STEPS, budget={"training_items": 500}, stop_when=QUESTION)
        way(database, job_id, worker_id)
        assert (state(database, job_id), design(database, job_id)["stopped"]) == ("completed", "budget")
        with database.transaction() as session:
            cells = session.execute(select(Cell.run, Cell.step).where(Cell.job_id == job_id))
            chosen.append((sorted((run, step) for run, step in cells), stages(database, job_id)))
    assert chosen[0] == chosen[1]
    assert design(database, job_id)["spent"] <= 500


def test_it_ends_when_its_question_is_decided(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=5, steps=STEPS, stop_when={"target": 0.2, "n": 100, "probability": 0.9})
    one_by_one(database, job_id, worker_id)
    ended = design(database, job_id)
    assert (state(database, job_id), ended["stopped"], ended["stages"]) == ("completed", "decided", 1)
    assert ended["saved"] == pytest.approx(0.8)
    assert "reaches 0.2" in ended["detail"]


def test_a_job_that_was_cancelled_goes_on_with_its_stages(
    database: Database, worker_id: UUID, settings: Settings
) -> None:
    job_id = add_job(database, runs=3, steps=STEPS, stop_when=QUESTION)
    claimed = take(database, job_id, worker_id)
    assert claimed is not None
    with database.transaction() as session:
        cancel(session, job_id)
    measure(database, claimed)
    with database.transaction() as session:
        retry(session, job_id, settings)
    one_by_one(database, job_id, worker_id)
    assert (state(database, job_id), sum(stages(database, job_id))) == ("completed", 15)


def test_a_metric_that_is_not_measured_ends_at_the_grid_and_says_so(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, runs=2, steps=STEPS, stop_when={"metric": "F1", "width": 0.1})
    one_by_one(database, job_id, worker_id)
    ended = design(database, job_id)
    assert (ended["stopped"], ended["saved"]) == ("grid", 0.0)
    assert ended["detail"] == "F1 is not among what was measured."
