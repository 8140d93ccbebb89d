"""A target is demonstrated, ruled out or undecided; the verdict names the labels where they are the limit."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db.tables import Dataset
from tests.support.service import INFO, Service

STEPS = [10, 40, 160, 640, 1000]
# The evaluation of these tests says of its accuracy what the built-in one says.
ACCURACY = {"metrics": {"Accuracy": {"bounds": [0.0, 1.0], "proportion_of": "items"}}}


def measured(service: Service, dataset: str, top: float, unavoidable: int | None) -> str:
    service.dataset(dataset)
    with service.database.transaction() as session:
        found = session.scalars(select(Dataset).where(Dataset.name == dataset)).one()
        found.info = {**INFO, **({} if unavoidable is None else {"test_unavoidable": unavoidable})}
    job_id = str(service.submit(dataset=dataset, schedule=STEPS, runs=3, **ACCURACY)["id"])

    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, top - 0.9 * n**-0.7 + 0.001 * (run - 1))]

    service.work(job_id, measure)
    return job_id


def check(service: Service, job_id: str, target: float) -> dict[str, Any]:
    answer = service.client.get(f"/jobs/{job_id}/gate", params={"target": f"Accuracy:{target}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["checks"][0]
    return found


@pytest.fixture(scope="module")
def torn(standing: Service) -> str:
    """A job whose test labels contradict each other in 40 of 200 items, and whose accuracy nears what they leave."""
    return measured(standing, "torn", 0.799, 40)


def test_a_target_is_demonstrated_ruled_out_or_undecided(standing: Service, torn: str) -> None:
    met = check(standing, torn, 0.6)["attainable"]
    assert met["status"] == "demonstrated"
    assert met["confidence"] > 0.95
    beyond = check(standing, torn, 0.9)
    assert beyond["attainable"]["status"] == "ruled_out"
    assert beyond["attainable"]["confidence"] == 1.0, "on this test split"
    assert "No model can have more than 0.800 of this test split right: 40 of its 200 items" in beyond["sentence"]
    assert not beyond["passed"]
    within = check(standing, torn, 0.8)["attainable"]
    assert within["status"] == "undecided"
    assert 0.05 < within["confidence"] < 0.95
    clean = measured(standing, "clean", 0.795, 0)
    assert check(standing, clean, 0.9)["attainable"]["status"] == "undecided"


def test_the_verdict_names_the_labels_where_nothing_else_is_left(standing: Service, torn: str) -> None:
    told = standing.client.get(f"/jobs/{torn}/verdict").json()["metrics"]["Accuracy"][0]
    assert told["label_bound"]["best"] == 0.8
    assert told["label_bound"]["highest"] > 0.8
    assert told["worth"] != "yes"
    assert told["limited_by"] == "labels"
    assert told["limits"][0]["code"] == "labels"
    assert [one["text"] for one in told["statements"]].count(told["limits"][0]["remedy"]) == 1


def test_far_from_what_the_labels_leave_they_are_told_last(standing: Service) -> None:
    job_id = measured(standing, "little", 0.6, 3)
    told = standing.client.get(f"/jobs/{job_id}/verdict").json()["metrics"]["Accuracy"][0]
    assert told["limited_by"] != "labels"
    assert told["limits"][-1]["code"] == "labels"
    assert "3 of its 200 items contradict" in told["limits"][-1]["detail"]


def test_a_dataset_that_was_read_before_they_were_counted_has_no_bound(standing: Service) -> None:
    job_id = measured(standing, "before", 0.795, None)
    assert standing.client.get(f"/jobs/{job_id}/verdict").json()["metrics"]["Accuracy"][0]["label_bound"] is None
    assert check(standing, job_id, 0.9)["attainable"]["status"] == "undecided"
