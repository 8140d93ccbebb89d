"""Thresholds of a job's learner: in the dry run, in the job's warnings, in its answers, and as its first cell tells."""

from typing import Any
from uuid import UUID

from app.catalog.plugins import advertise
from app.units.lease import CellResult, finish_unit, record_cell
from tests.support.service import Service, _plugin, _schema

BOOSTING = {
    "estimator": "HistGradientBoostingClassifier",
    "bases": ["HistGradientBoostingClassifier"],
    "params": {"early_stopping": "auto", "min_samples_leaf": 5},
    "library": "scikit-learn",
    "version": "1.9.1",
}
SKLEARN = _schema(estimator={"type": "string"}, settings={"type": "object", "default": {}})
MINE = _schema(min_samples_leaf={"type": "integer", "default": 5}, other={"type": "integer", "default": 1})


def with_estimators(service: Service) -> None:
    mine = _plugin("model", "mine", MINE, capabilities={"learner": {"components": [BOOSTING]}})
    with service.database.transaction() as session:
        advertise(
            session, [_plugin("model", "sklearn", SKLEARN), mine, _plugin("training", "fit-estimator", _schema())]
        )


def estimator(name: str, **settings: Any) -> dict[str, Any]:
    model = {"name": "sklearn", "params": {"estimator": name, "settings": settings}}
    return {"model": model, "training": {"name": "fit-estimator"}, "schedule": [10, 30, 100, 400, 1000]}


def told(answer: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(one["kink"], one["n"]) for one in answer["warnings"] if one["code"] == "size_dependent_default"]


def planned(service: Service, **spec: Any) -> list[tuple[str, int | None]]:
    answer = service.client.post("/jobs?dry_run=true", json=service.spec(**spec))
    assert answer.status_code == 200, answer.text
    return told(answer.json())


def test_the_dry_run_names_what_is_not_pinned(service: Service) -> None:
    with_estimators(service)
    boosting = "HistGradientBoostingClassifier"
    # Three classes, the rarest 300 of 1000: no split below 40 items, none of the rarest class's own below 67.
    assert planned(service, **estimator(boosting)) == [
        ("histogram_leaf", 40),
        ("histogram_leaf", 67),
        ("histogram_bins", 256),
    ]
    assert planned(service, **estimator(boosting, min_samples_leaf=1, max_bins=16)) == [("histogram_bins", 17)]
    assert planned(service, **estimator("SVC", gamma=0.1)) == [("summed_loss", None)]
    assert planned(service, **estimator("GaussianNB")) == []
    assert planned(service) == []
    mine = {"model": {"name": "mine"}, "training": {"name": "fit-estimator"}, "schedule": [5, 1000]}
    assert ("histogram_leaf", 10) in planned(service, **mine)
    mine["model"] = {"name": "mine", "params": {"min_samples_leaf": 15}}
    assert ("histogram_leaf", 30) in planned(service, **mine)


def accuracy(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
    return [("Accuracy", -1, (0.4 if n < 40 else 1 - 2 * n**-0.6) + 1e-3 * run)]


def test_a_job_and_its_answers_name_them_and_leave_out_the_far_side(service: Service) -> None:
    boosting = {**BOOSTING, "params": {}}
    with service.database.transaction() as session:
        width = _schema(width={"type": "integer", "default": 64})
        advertise(session, [_plugin("model", "mlp", width, capabilities={"learner": {"components": [boosting]}})])
    job = service.submit(schedule=[10, 30, 100, 400, 1000])
    assert told(job) == [("histogram_leaf", 40), ("histogram_leaf", 67), ("histogram_bins", 256)]
    service.work(job["id"], accuracy)
    job = service.client.get(f"/jobs/{job['id']}").json()
    assert job["state"] == "completed"
    assert len(told(job)) == 3
    for question in ("project?n=20000", "verdict", "curves"):
        answer = service.client.get(f"/jobs/{job['id']}/{question}").json()
        [out] = [one for one in answer["warnings"] if one["code"] == "left_out_of_fit"]
        assert out["sizes"] == [10, 30]
        beyond = ("histogram_early_stopping", 10_001)
        assert (beyond in told(answer)) == question.startswith("project")
    [curve] = service.client.get(f"/jobs/{job['id']}/curves").json()["items"]
    assert curve["stored"]
    assert (curve["fit"]["n_min"], curve["fit"]["n_max"]) == (100, 1000)
    assert len(service.client.get(f"/jobs/{job['id']}/measurements").json()["items"]) == 5


def test_the_first_cell_tells_what_the_learner_is(service: Service) -> None:
    job = service.submit(schedule=[10, 30, 100, 400, 1000])
    assert job["warnings"] == []
    claimed, unit_id = service.claim(job["id"])
    for cell in claimed.cells:
        values = accuracy(cell.run, cell.step, cell.n)
        found = CellResult(cell.run, cell.step, cell.n, 0.5, "cpu", values, learner={"components": [BOOSTING]})
        with service.database.transaction() as session:
            assert record_cell(session, unit_id, claimed.attempt, found)
    with service.database.transaction() as session:
        finish_unit(session, unit_id, claimed.attempt)
    job = service.client.get(f"/jobs/{UUID(job['id'])}").json()
    assert told(job) == [("histogram_leaf", 17), ("histogram_bins", 256)]
