"""The mission, from outside: a DataEval user's own classes, a job, and the answer to "what will it be at n = 5000?"."""

import numpy as np
import pytest

from tests.support.standalone import Service, register, run

METRICS = {"Accuracy", "AUROC", "TPR at 0.5 Fixed FPR"}
SIZES = [20, 40, 80, 140, 200]


def write_stripes(service: Service, count: int = 300) -> None:
    """Write images like digits, of ten kinds, that take more than a few of each kind to be told apart."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % 10
    x = rng.random((count, 1, 28, 28), dtype=np.float32) * 0.6
    for row, label in enumerate(y):
        x[row, 0, 2 * label : 2 * label + 4] += 0.4
    np.savez(service.data / "stripes.npz", x=x, y=y)


# That the other protocol works from outside is proved by test_main_job.py each time.
@pytest.mark.parametrize("protocol", ["independent", pytest.param("dataeval", marks=pytest.mark.slow)])
def test_the_tutorials_classes_from_registration_to_projection(service: Service, protocol: str) -> None:
    """The tutorial's model, strategies and reset, unchanged, from a module that knows nothing of this project."""
    write_stripes(service)
    source = {"loader": "npz", "params": {"path": "stripes.npz"}}
    train, test = ({**source, "params": {**source["params"], **part}} for part in ({"limit": 200}, {"start": 200}))
    dataset = register(service.client, "stripes", train, test)
    assert dataset["status"] == "ready", dataset
    job = run(
        service.client,
        {
            "model": {"name": "tutorial-net"},
            "training": {"name": "tutorial-training"},
            "evaluation": {"name": "tutorial-evaluation"},
            "reset": {"name": "tutorial-reset"},
            "dataset": "stripes",
            "runs": 2,
            "schedule": SIZES,
            "protocol": protocol,
        },
    )
    assert job["state"] == "completed", job
    rows = service.client.get(f"/jobs/{job['id']}/measurements", params={"view": "averages"}).json()["items"]
    measured = {(row["metric"], row["n"]): row["mean"] for row in rows}
    assert {metric for metric, _ in measured} == METRICS
    assert {n for _, n in measured} == set(SIZES)
    assert measured["Accuracy", 200] > 0.5 > measured["Accuracy", 20]
    answer = service.client.get(f"/jobs/{job['id']}/project", params={"n": 5000}).json()
    assert answer["provisional"] is False
    assert set(answer["metrics"]) == METRICS
    for metric, [point] in answer["metrics"].items():
        assert point["n"] == 5000
        assert point["lower"] <= point["value"] <= point["upper"] <= 1
        assert point["value"] >= measured[metric, 200] - 0.05, metric
