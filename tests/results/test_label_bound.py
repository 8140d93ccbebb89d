"""A target is demonstrated, ruled out or undecided; the verdict names the labels where they are the limit."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db.tables import Dataset
from tests.support.service import INFO, Service

STEPS = [10, 40, 160, 640, 1000]
# The evaluation of these tests says of its accuracy what the built-in one says.
ACCURACY = {"metrics": {"Accuracy": {"bounds": [0.0, 1.0], "proportion_of": "items"}}}


def near(**told: Any) -> dict[str, Any]:
    """What a worker finds of near copies: pairs of which about as many differ across the splits as within one."""
    found = {
        "unavoidable": 0,
        "across": 100,
        "across_differing": 40,
        "within_train": 150,
        "within_train_differing": 56,
        "groups": 250,
        "groups_differing": 96,
        "by_chance": 0.66,
        "directions": 48,
        "directions_agreeing": 25,
        **told,
    }
    counts = {"test_items": 100, "within_test": 0, "within_train": 300, "examples": [[0, 1]]}
    return {"test": 200, "train": 1000, "stands_for": 200, **counts, "differing": found, "partial": False}


def measured(
    service: Service, dataset: str, top: float, unavoidable: int | None, near_copies: dict[str, Any] | None = None
) -> str:
    service.dataset(dataset)
    with service.database.transaction() as session:
        found = session.scalars(select(Dataset).where(Dataset.name == dataset)).one()
        found.info = {**INFO, **({} if unavoidable is None else {"test_unavoidable": unavoidable})}
        found.info |= {} if near_copies is None else {"near_copies": near_copies}
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


@pytest.fixture(scope="module")
def resembling(standing: Service) -> str:
    """A job half of whose test items have a near copy in the training split, two in five of them of another class."""
    return measured(standing, "resembling", 0.879, 0, near())


def test_labels_of_near_copies_rule_a_target_out_for_models_that_answer_them_alike(
    standing: Service, resembling: str
) -> None:
    beyond = check(standing, resembling, 0.97)["attainable"]
    assert (beyond["status"], beyond["of_models"]) == ("ruled_out", "answering_alike")
    assert 0.95 <= beyond["confidence"] < 1
    assert "no model that answers nearly alike items alike has 0.970 of such data right" in beyond["detail"]
    assert "of 100 test items that are nearly alike to a training item 40 have another class" in beyond["detail"]
    within = check(standing, resembling, 0.91)["attainable"]
    assert (within["status"], within["of_models"]) == ("undecided", None)


def test_the_verdict_tells_what_near_copies_leave_apart_from_copies(standing: Service, resembling: str) -> None:
    told = standing.client.get(f"/jobs/{resembling}/verdict").json()["metrics"]["Accuracy"][0]
    bound = told["label_bound"]
    assert (bound["best"], bound["highest"], bound["unavoidable"]) == (1, 1, 0), "nothing is so for all models"
    assert 0.8 < bound["alike"]["best"] < bound["alike"]["highest"] < 0.97
    assert (bound["alike"]["pairs"], bound["alike"]["differing"], bound["alike"]["looked_at"]) == (100, 40, 200)
    assert told["limited_by"] == "labels"
    assert told["limits"][0]["detail"].startswith("A model that answers nearly alike items alike should have no more")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"within_train": 0, "within_train_differing": 0}, id="nothing_tells_that_both_are_labelled_alike"),
        pytest.param({"within_train_differing": 110}, id="the_training_labels_are_worse"),
        pytest.param({"directions_agreeing": 40}, id="what_little_differs_tells_the_class"),
        pytest.param({"by_chance": 0.2}, id="they_differ_oftener_than_by_chance"),
    ],
)
def test_where_near_copies_may_differ_for_a_reason_nothing_is_ruled_out(
    standing: Service, told: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    job_id = measured(standing, request.node.callspec.id, 0.87, 0, near(**told))
    assert check(standing, job_id, 0.97)["attainable"]["status"] == "undecided"
    assert standing.client.get(f"/jobs/{job_id}/verdict").json()["metrics"]["Accuracy"][0]["label_bound"] is None


def test_a_model_that_is_past_the_bound_tells_them_apart(standing: Service) -> None:
    job_id = measured(standing, "past", 0.97, 0, near())
    assert check(standing, job_id, 0.999)["attainable"]["status"] == "undecided"
