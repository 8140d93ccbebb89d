"""Jobs on the same test split, item by item: what is kept of each cell, and what a comparison says by it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, select

from app.db.tables import ItemMarks, Job
from app.units.lease import CellResult, record_cell
from sufficiency.method.item_marks import pack
from tests.support.finished import STEPS
from tests.support.service import Service

ITEMS = 400


def measured(service: Service, ease: float, **changes: Any) -> str:
    """A job whose cells say which of the test items they had right."""
    job_id = str(service.submit(schedule=STEPS, **changes)["id"])
    difficulty = np.random.default_rng(0).normal(0.0, 1.0, ITEMS)
    for claimed in iter(lambda: _claimed(service, job_id), None):
        for cell in claimed.cells:
            rng = np.random.default_rng([cell.run, cell.step])
            right = difficulty + rng.normal(0.0, 0.2, ITEMS) < ease + 0.3 * cell.step
            values = [("Accuracy", -1, float(right.mean()))]
            found = CellResult(cell.run, cell.step, cell.n, 0.5, "cpu", values, correct={"Accuracy": pack(right)})
            with service.database.transaction() as session:
                assert record_cell(session, claimed.unit_id, claimed.attempt, found)
                # Said twice, as after a connection that broke off, it is kept once.
                assert record_cell(session, claimed.unit_id, claimed.attempt, replace(found, correct={}))
        service.record(replace(claimed, cells=[]))
    return job_id


def _claimed(service: Service, job_id: str) -> Any:
    with service.database.transaction() as session:
        if session.scalar(select(Job.state).where(Job.id == UUID(job_id))) == "completed":
            return None
    return service.claim(job_id)[0]


def test_jobs_on_one_test_split_are_compared_item_by_item(service: Service) -> None:
    first, better = measured(service, 0.0), measured(service, 0.25)
    elsewhere = measured(service, 0.25, seed=9)
    answer = service.client.get("/compare", params={"job": [first, better, elsewhere]}).json()
    [accuracy] = answer["metrics"]["Accuracy"]
    pair, unlike = accuracy["pairs"]
    assert [one["n"] for one in pair["on_items"]] == STEPS
    last = pair["on_items"][-1]
    assert (last["items"], last["lower"] > 0) == (ITEMS, True)
    assert last["difference"] * ITEMS == last["only_second"] - last["only_first"]
    assert pair["crossing"]["told"] == "ahead"
    # Other subsets, the same test items: the trainings' own scatter counts, and runs are not paired.
    assert unlike["paired"] == []
    assert [one["n"] for one in unlike["on_items"]] == STEPS
    assert unlike["on_items"][-1]["lower"] > 0
    alone = service.client.get("/compare", params={"job": [first, better], "metric": "Accuracy"}).json()
    assert alone["metrics"]["Accuracy"][0]["pairs"][0]["on_items"] == pair["on_items"]


def test_models_that_are_the_same_but_for_chance_are_not_told_apart(service: Service) -> None:
    first, same = measured(service, 0.0), measured(service, 0.002)
    [accuracy] = service.client.get("/compare", params={"job": [first, same]}).json()["metrics"]["Accuracy"]
    assert accuracy["pairs"][0]["crossing"]["told"] == "within_noise"


def test_what_is_kept_goes_with_the_job(service: Service) -> None:
    job_id = measured(service, 0.0)

    def kept() -> int | None:
        with service.database.transaction() as session:
            return session.scalar(select(func.count()).where(ItemMarks.job_id == UUID(job_id)))

    cells = service.client.get(f"/jobs/{job_id}").json()["progress"]["cells_done"]
    assert kept() == cells
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204
    assert kept() == 0
