"""A dataset of frozen features: its model is checked as a job's is, and workers without it cannot read it."""

from app.jobs.waiting import needed_plugins
from sufficiency.schemas.spec import JobSpec
from tests.support.service import Service, pointers, problem

SPLITS = {
    "train": {"loader": "npz", "params": {"path": "a.npz"}},
    "test": {"loader": "npz", "params": {"path": "b.npz"}},
}


def test_the_features_step_is_checked_and_kept(service: Service) -> None:
    answer = service.client.post("/datasets", json={"name": "f", **SPLITS, "features": {"model": "mlp"}})
    assert answer.status_code == 201, answer.text
    features = {"model": "mlp", "params": {"width": 64}, "head": None}
    assert answer.json()["train"]["features"] == features == answer.json()["test"]["features"]
    # The same again is the same; with another step it is another dataset.
    again = {"name": "f", **SPLITS, "features": {"model": "mlp", "head": "hidden"}}
    problem(service.client.post("/datasets", json=again), 409, "dataset_exists")
    with service.database.transaction() as session:
        from app.catalog.datasets import get_dataset

        needed = needed_plugins(
            JobSpec.model_validate(service.spec(dataset="f", model={"name": "tutorial-cnn"})), get_dataset(session, "f")
        )
    assert {"model:mlp", "model:tutorial-cnn"} <= set(needed)
    wrong = {"name": "g", **SPLITS, "features": {"model": "mlp", "params": {"depth": 1}}}
    assert pointers(problem(service.client.post("/datasets", json=wrong), 422)) == ["#/features/params/depth"]
    wrong["features"] = {"model": "nothing"}
    assert pointers(problem(service.client.post("/datasets", json=wrong), 422)) == ["#/features/model"]
