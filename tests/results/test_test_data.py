"""Jobs that were evaluated on different test items are compared, and that is said."""

from typing import Any

from sqlalchemy import select

from app.db.tables import Dataset, Job
from tests.support.service import Service

STEPS = [10, 40, 160, 640]


def measured(service: Service, dataset: str) -> str:
    job_id = str(service.submit(dataset=dataset, schedule=STEPS, runs=2)["id"])
    service.work(job_id)
    return job_id


def doubts(service: Service, *jobs: str) -> list[dict[str, Any]]:
    answer = service.client.get("/compare", params={"job": jobs})
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["warnings"] if one["code"] == "other_test_data"]


def test_other_test_items_are_said_and_the_same_are_not(service: Service) -> None:
    service.dataset("twin")
    service.dataset("strange")
    with service.database.transaction() as session:
        for name in ("twin", "strange"):
            dataset = session.scalars(select(Dataset).where(Dataset.name == name)).one()
            dataset.fingerprint = f"sha256:{name}"
            if name == "strange":
                dataset.test = {"loader": "npz", "params": {"path": "other-test.npz"}}
    small, twin, strange = (measured(service, name) for name in ("small", "twin", "strange"))
    with service.database.transaction() as session:
        known = {str(job.id): job.dataset_fingerprint for job in session.scalars(select(Job))}
    assert len({known[small], known[twin], known[strange]}) == 3, "the training items differ throughout"
    assert doubts(service, small, twin) == []
    [told] = doubts(service, small, twin, strange)
    assert told["job_id"] == strange
    assert "different test data: one on small's, the other on strange's" in told["detail"]


def test_of_what_was_measured_elsewhere_it_is_not_known(service: Service) -> None:
    values = [{"n": n, "metric": "Accuracy", "value": 1 - n**-0.5} for n in STEPS]
    handed_in = service.client.post("/jobs", json={"measured": {"values": values, "dataset": "signs"}}).json()["id"]
    [told] = doubts(service, measured(service, "small"), handed_in)
    assert "signs" in told["detail"]
    assert "not known" in told["detail"]
