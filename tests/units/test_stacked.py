"""A job whose models are trained several at once: a claim has many cells, and each is kept as soon as it has ended."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db.engine import Database
from app.db.tables import Cell, Job
from app.units.lease import expire_lease, record_cell, surrender_unit
from sufficiency.method.plan import MOST_STACKED
from sufficiency.schemas.work import CellResult
from tests.support.jobs import add_job, result, state, take, units, work_through
from tests.support.service import Service

TOLD = {"name": "stacked"}


def told(run: int, step: int, engine: dict[str, Any] = TOLD) -> CellResult:
    return replace(result(run, step, 1 - (step + 2) ** -0.5), details={"engine": engine})


def test_all_cells_are_one_unit_up_to_as_many_as_are_stacked(database: Database) -> None:
    small = add_job(database, engine="stacked")
    assert len(units(database, small)) == 1
    large = add_job(database, engine="stacked", runs=30)
    assert len(units(database, large)) == -(-90 // MOST_STACKED)
    assert len(units(database, add_job(database))) > 1


def test_each_cell_is_kept_as_it_ends_and_the_next_claim_has_them_all(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, engine="stacked")
    first = take(database, job_id, worker_id)
    assert first is not None
    assert first.spec.engine == "stacked"
    assert len(first.cells) == 6
    with database.transaction() as session:
        assert record_cell(session, first.unit_id, first.attempt, told(1, 0))
    # Its worker was killed: what it had recorded stands.
    with database.transaction() as session:
        surrender_unit(session, first.unit_id, first.attempt, None, counts=False)
    second = take(database, job_id, worker_id)
    assert second is not None
    # Those that are done are in the claim too: a stack is made of the whole unit.
    assert {(c.run, c.step): c.done for c in second.cells} == {
        (run, step): (run, step) == (1, 0) for run in range(2) for step in range(3)
    }
    with database.transaction() as session:
        assert not record_cell(session, first.unit_id, first.attempt, told(0, 0)), "a late writer"
    work_through(database, second)
    assert state(database, job_id) == "completed"
    with database.transaction() as session:
        assert session.get_one(Job, job_id).engine == TOLD
        assert len(session.scalars(select(Cell).where(Cell.job_id == job_id, Cell.finished_at.is_not(None))).all()) == 6


def test_a_job_goes_on_by_what_its_first_cell_has_told(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, engine="stacked", runs=30)
    first = take(database, job_id, worker_id)
    assert first is not None
    with database.transaction() as session:
        why = {"name": "sequential", "why": "the model draws random numbers"}
        record_cell(session, first.unit_id, first.attempt, told(first.cells[0].run, first.cells[0].step, why))
    second = take(database, job_id, worker_id)
    assert second is not None
    assert second.spec.engine == "sequential"


def test_a_lease_that_runs_out_gives_back_what_is_left(database: Database, worker_id: UUID) -> None:
    job_id = add_job(database, engine="stacked")
    first = take(database, job_id, worker_id, lease=-1)
    assert first is not None
    with database.transaction() as session:
        record_cell(session, first.unit_id, first.attempt, told(0, 0))
    with database.transaction() as session:
        assert expire_lease(session, first.unit_id, first.attempt)
    second = take(database, job_id, worker_id)
    assert second is not None
    assert [cell.done for cell in second.cells].count(True) == 1


def allow(service: Service, **capabilities: Any) -> None:
    """Have the catalog's model and training say that they may be stacked."""
    from app.db.tables import Plugin

    with service.database.transaction() as session:
        for kind, name in (("model", "mlp"), ("training", "sgd-classifier")):
            session.execute(
                update(Plugin).where(Plugin.kind == kind, Plugin.name == name).values(capabilities=capabilities)
            )


def test_left_open_a_gpu_stacks_what_says_that_it_allows_it(service: Service) -> None:
    service.worker(devices=["cpu", "cuda"])
    assert "engine" not in service.submit(device="cuda")["spec"]
    allow(service, stacks=True)
    assert service.submit(device="cuda")["spec"]["engine"] == "stacked"
    assert "engine" not in service.submit(device="cpu")["spec"]
    assert service.submit(device="cpu", engine="stacked")["spec"]["engine"] == "stacked"
    assert service.submit(device="cuda", engine="sequential")["spec"]["engine"] == "sequential"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"engine": "stacked", "protocol": "dataeval"}, "take protocol: independent"),
        ({"engine": "vmap"}, "'auto', 'sequential' or 'stacked'"),
    ],
)
def test_what_cannot_be_is_refused(service: Service, spec: dict[str, Any], said: str) -> None:
    answer = service.client.post("/jobs", json=service.spec(**spec))
    assert answer.status_code == 422
    assert said in answer.text
