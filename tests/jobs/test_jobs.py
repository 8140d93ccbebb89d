"""Jobs: submission and what it refuses, the plan, lists, progress, cancel, retry, delete."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.db.tables import Cell, Event, Job, Measurement, Unit
from tests.support.service import NAMES, Service, pointers, power_law, problem


def test_a_job_is_queued_with_every_default_filled_in(service: Service) -> None:
    answer = service.client.post("/jobs", json=service.spec(labels={"team": "vision"}))
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}" == job["links"]["self"]
    assert job["state"] == "queued"
    assert job["spec"]["model"] == {"name": "mlp", "params": {"width": 64}}
    assert job["spec"]["training"]["params"] == {"lr": 0.01, "epochs": 10, "batch_size": 8}
    assert (job["spec"]["protocol"], job["spec"]["seed"], job["spec"]["reset"]) == ("independent", 0, None)
    assert job["device"] == job["spec"]["device"] == "cpu"
    assert job["steps"][-1] == 1000
    assert len(job["steps"]) == 4
    assert job["metrics"]["Loss"] == {"direction": "minimize", "bounds": [0.0, None], "proportion_of": None}
    assert job["progress"] == {
        "cells_done": 0,
        "cells_not_measurable": 0,
        "cells_total": 8,
        "fraction": 0.0,
        "eta_seconds": None,
    }
    assert job["plugin_versions"] == {
        "model:mlp": "1.0",
        "training:sgd-classifier": "1.0",
        "evaluation:classification": "1.0",
    }
    assert job["created_at"].endswith("Z")
    assert (job["started_at"], job["finished_at"], job["error"], job["warnings"]) == (None, None, None, [])
    assert service.client.get(job["links"]["self"]).json() == job
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Cell)) == 8
        assert session.scalars(select(Event.type).order_by(Event.seq)).all() == ["state", "planned"]


def test_the_job_overrides_what_the_evaluation_declares(service: Service) -> None:
    metrics = {"Loss": {"direction": "minimize", "bounds": [0, 10]}, "Mine": {"bounds": [None, None]}}
    declared = service.submit(metrics=metrics)["metrics"]
    assert declared["Loss"]["bounds"] == [0.0, 10.0]
    assert declared["Mine"] == {"direction": "maximize", "bounds": [None, None], "proportion_of": None}
    assert declared["Accuracy"]["bounds"] == [0.0, 1.0]


def test_a_dry_run_answers_the_plan_and_stores_nothing(service: Service) -> None:
    answer = service.client.post("/jobs?dry_run=true", json=service.spec(schedule=[10, 100, 1000]))
    assert answer.status_code == 200
    plan = answer.json()
    assert (plan["steps"], plan["runs"], plan["cells"]) == ([10, 100, 1000], 2, 6)
    assert plan["training_items"] == 2 * 1110
    assert plan["sgd_steps"] == 2 * 10 * (2 + 13 + 125)
    assert 1 <= plan["units"] <= 6
    assert plan["estimated_slot_seconds"] is None
    assert plan["spec"]["training"]["params"]["batch_size"] == 8
    assert plan["queued_reason"] == "no worker is running"
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
    service.work(service.submit()["id"])
    service.worker()
    plan = service.client.post("/jobs?dry_run=true", json=service.spec(schedule=[10, 100, 1000])).json()
    assert plan["estimated_slot_seconds"] > 0
    assert plan["queued_reason"] is None
    plan = service.client.post("/jobs?dry_run=true", json=service.spec(schedule={"name": "halves"})).json()
    assert (plan["steps"], plan["cells"], plan["sgd_steps"]) == (None, None, None)
    problem(service.client.post("/jobs?dry_run=true", json=service.spec(runs=0)), 422)


BAD_FIELDS = [
    ({"model": {"name": "ml"}}, "#/model/name"),
    ({"model": {"name": "mlp", "params": {"width": "wide"}}}, "#/model/params/width"),
    ({"model": {"name": "mlp", "params": {"width": 0}}}, "#/model/params/width"),
    ({"model": {"name": "mlp", "params": {"depth": 2}}}, "#/model/params/depth"),
    ({"model": {"name": "mlp", "parameters": {}}}, "#/model/parameters"),
    ({"model": "mlp"}, "#/model"),
    ({"model": {}}, "#/model/name"),
    ({"training": {"name": "sgd-classifier", "params": {"lr": 0}}}, "#/training/params/lr"),
    ({"training": {"name": "sgd-classifier", "params": {"lr": None}}}, "#/training/params/lr"),
    ({"evaluation": {"name": "classification", "params": {"metrics": ["a", 1]}}}, "#/evaluation/params/metrics/1"),
    ({"reset": {"name": "nonsense"}}, "#/reset/name"),
    ({"schedule": {"name": "nonsense"}}, "#/schedule/name"),
    ({"schedule": {"name": "halves", "params": {"factor": "two"}}}, "#/schedule/params/factor"),
    ({"schedule": []}, "#/schedule"),
    ({"schedule": [0, 10]}, "#/schedule/0"),
    ({"schedule": [10, 10, 20]}, "#/schedule/1"),
    ({"schedule": [10, 30, 20]}, "#/schedule/2"),
    ({"schedule": [10, 20, 1001]}, "#/schedule/2"),
    ({"schedule": [10, 20.5]}, "#/schedule/1"),
    ({"schedule": [10, "20"]}, "#/schedule/1"),
    ({"schedule": [True]}, "#/schedule/0"),
    ({"schedule": [10, 2**60]}, "#/schedule/1"),
    ({"schedule": "geometric"}, "#/schedule"),
    ({"dataset": "smal"}, "#/dataset"),
    ({"dataset": ""}, "#/dataset"),
    ({"runs": 0}, "#/runs"),
    ({"runs": 26}, "#/runs"),
    ({"runs": "many"}, "#/runs"),
    ({"substeps": 0}, "#/substeps"),
    ({"protocol": "mine"}, "#/protocol"),
    ({"device": "tpu"}, "#/device"),
    ({"priority": 10}, "#/priority"),
    ({"seed": -1}, "#/seed"),
    ({"seed": 2**63}, "#/seed"),
    ({"seed": 10**30}, "#/seed"),
    ({"metrics": {"A": {"bounds": [1, 0]}}}, "#/metrics/A"),
    ({"metrics": {"A/B": {"direction": "up"}}}, "#/metrics/A~1B/direction"),
    ({"labels": {"team": 1}}, "#/labels/team"),
    ({"labels": {"team": "x" * 501}}, "#/labels/team"),
    ({"unknown": 1}, "#/unknown"),
    ({"labels": {"team": "a\x00b"}}, "#/labels/team"),
    ({"labels": {"te\x00am": "a"}}, "#/labels"),
    ({"model": {"name": "mlp", "params": {"width": 10**30}}}, "#/model/params/width"),
]


def test_every_bad_field_is_pointed_at(service: Service) -> None:
    for changes, where in BAD_FIELDS:
        body = problem(service.client.post("/jobs", json=service.spec(**changes)), 422)
        assert pointers(body) == [where], (changes, body)
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_all_bad_fields_come_at_once_and_name_what_is_near(service: Service) -> None:
    body = service.spec(model={"name": "tutorial-cn"}, training={"name": "sgd"}, dataset="smalll")
    refused = problem(service.client.post("/jobs", json=body), 422, "invalid_job")
    assert pointers(refused) == ["#/model/name", "#/training/name", "#/dataset"]
    assert "tutorial-cnn" in refused["errors"][0]["detail"]
    assert "sgd-classifier" in refused["errors"][1]["detail"]
    assert "small" in refused["errors"][2]["detail"]
    missing = problem(service.client.post("/jobs", json={}), 422)
    assert pointers(missing) == ["#/model", "#/training", "#/evaluation", "#/dataset"]


def test_a_dataset_must_be_ready(service: Service) -> None:
    service.dataset("new", status="verifying")
    problem(service.client.post("/jobs", json=service.spec(dataset="new")), 409, "dataset_not_ready")
    service.dataset("broken", status="invalid")
    refused = problem(service.client.post("/jobs", json=service.spec(dataset="broken")), 409, "dataset_invalid")
    assert "test.npz is not there" in refused["detail"]


def test_a_schedule_plugin_names_the_steps_later(service: Service) -> None:
    service.worker()
    job = service.submit(schedule={"name": "halves"})
    assert (job["steps"], job["progress"]["cells_total"]) == (None, 0)
    assert job["spec"]["schedule"] == {"name": "halves", "params": {"factor": 2}}
    assert job["queued_reason"] == "waiting for a worker to ask schedule halves for the steps"


def test_a_replay_answers_the_same_job(service: Service) -> None:
    headers = {"Idempotency-Key": "one"}
    first = service.client.post("/jobs", json=service.spec(), headers=headers)
    again = service.client.post("/jobs", json=service.spec(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    other = service.client.post("/jobs", json=service.spec(seed=1), headers=headers)
    problem(other, 422, "idempotency_key_reused")
    assert service.client.post("/jobs", json=service.spec(), headers={"Idempotency-Key": "two"}).status_code == 201
    problem(service.client.post("/jobs", json=service.spec(), headers={"Idempotency-Key": "k" * 256}), 422)


def test_one_key_makes_one_job_however_many_send_it_at_once(service: Service) -> None:
    def send(_: int) -> tuple[int, str]:
        answer = service.client.post("/jobs", json=service.spec(), headers={"Idempotency-Key": "same"})
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({job_id for _, job_id in answers}) == 1


def test_a_queued_job_says_what_it_waits_for(service: Service) -> None:
    job = service.submit()

    def reason() -> str:
        return str(service.client.get(f"/jobs/{job['id']}").json()["queued_reason"])

    assert reason() == "no worker is running"
    service.worker(plugins=[name for name in NAMES if name != "model:mlp"])
    assert reason() == "no live worker offers plugin model:mlp"
    service.worker(plugins=["model:mlp"])
    assert "offers all of" in reason()
    service.worker()
    assert reason() == "waiting for a worker to take it: 2 of 2 slots are free"
    job = service.submit(device="cuda")
    assert reason() == "no live worker for device cuda"


def test_auto_is_cuda_where_a_live_worker_has_it(service: Service) -> None:
    service.worker()
    assert service.submit()["device"] == "cpu"
    service.worker(devices=["cpu", "cuda"])
    assert service.submit()["device"] == "cuda"
    assert service.submit(device="cpu")["device"] == "cpu"


def test_jobs_are_listed_newest_first_with_filters(service: Service) -> None:
    jobs = [
        service.submit(labels={"team": "vision", "n": str(i)}, model={"name": "mlp" if i % 2 else "tutorial-cnn"})
        for i in range(5)
    ]
    ids = [job["id"] for job in jobs][::-1]
    service.client.post(f"/jobs/{ids[0]}/cancel")

    def listed(**params: object) -> list[str]:
        return [job["id"] for job in service.client.get("/jobs", params=params).json()["items"]]

    assert listed() == ids
    assert listed(state="cancelled") == ids[:1]
    assert listed(state=["cancelled", "queued"]) == ids
    assert listed(model="mlp") == [ids[1], ids[3]]
    assert listed(dataset="small") == ids
    assert listed(dataset="other") == []
    assert listed(label="team:vision") == ids
    assert listed(label=["team:vision", "n:2"]) == [ids[2]]
    assert listed(label="team:") == []
    assert listed(created_after=jobs[2]["created_at"]) == ids[:2]
    assert listed(created_after="2000-01-01T00:00:00") == ids
    assert pointers(problem(service.client.get("/jobs?unknown=x"), 422)) == ["unknown"]
    page = service.client.get("/jobs?limit=2").json()
    rest = service.client.get("/jobs", params={"cursor": page["next_cursor"], "limit": 3}).json()
    assert [job["id"] for job in page["items"] + rest["items"]] == ids
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=asleep", "state"),
        ("label=team", "label"),
        ("label=:x", "label"),
        ("created_after=yesterday", "created_after"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("cursor=ImFiYyI", "cursor"),
        ("model=a%00b", "model"),
        ("label=a:%00", "label"),
        ("created_after=1e30", "created_after"),
        ("cursor=IlwwIg", "cursor"),
        ("dry_run=x&limit=0", "dry_run"),
    ],
)
def test_a_bad_filter_is_refused(standing: Service, query: str, parameter: str) -> None:
    assert pointers(problem(standing.client.get(f"/jobs?{query}"), 422)) == [parameter]


def test_a_job_goes_through_its_states(service: Service) -> None:
    job_id = service.submit()["id"]
    service.work(job_id, units=2)
    running = service.client.get(f"/jobs/{job_id}").json()
    assert (running["state"], running["queued_reason"]) == ("running", None)
    progress = running["progress"]
    assert 0 < progress["cells_done"] < 8
    assert 0 < progress["fraction"] < 1
    assert progress["eta_seconds"] > 0
    problem(service.client.delete(f"/jobs/{job_id}"), 409, "job_not_ended")
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "job_not_ended")
    service.work(job_id)
    done = service.client.get(f"/jobs/{job_id}").json()
    assert (done["state"], done["progress"]["fraction"]) == ("completed", 1.0)
    assert done["started_at"] <= done["finished_at"]
    problem(service.client.post(f"/jobs/{job_id}/cancel"), 409, "job_ended")
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "job_completed")
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204
    problem(service.client.get(f"/jobs/{job_id}"), 404, "job_not_found")
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Measurement)) == 0


def test_a_queued_job_is_cancelled_at_once_and_can_be_tried_again(service: Service) -> None:
    job_id = service.submit()["id"]
    cancelled = service.client.post(f"/jobs/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert cancelled.json()["finished_at"] is not None
    problem(service.client.post(f"/jobs/{job_id}/cancel"), 409, "job_ended")
    retried = service.client.post(f"/jobs/{job_id}/retry")
    assert (retried.status_code, retried.json()["state"]) == (202, "queued")
    assert retried.json()["finished_at"] is None
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


def test_a_running_job_is_cancelled_when_its_workers_let_go(service: Service) -> None:
    job_id = service.submit()["id"]
    service.claim(job_id)
    cancelling = service.client.post(f"/jobs/{job_id}/cancel")
    assert (cancelling.status_code, cancelling.json()["state"]) == (202, "cancelling")
    assert service.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    problem(service.client.delete(f"/jobs/{job_id}"), 409, "job_not_ended")


def test_a_failed_job_says_why_and_goes_on_where_it_was(service: Service) -> None:
    job_id = service.submit()["id"]
    service.work(job_id, units=2)
    error = service.fail(job_id)
    failed = service.client.get(f"/jobs/{job_id}").json()
    assert (failed["state"], failed["error"]) == ("failed", error)
    measured = failed["progress"]["cells_done"]
    with service.database.transaction() as session:
        session.execute(Unit.__table__.update().values(failures=2))
    retried = service.client.post(f"/jobs/{job_id}/retry").json()
    assert (retried["state"], retried["error"], retried["progress"]["cells_done"]) == ("queued", None, measured)
    with service.database.transaction() as session:
        assert set(session.scalars(select(Unit.failures).where(Unit.state == "queued"))) == {0}
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


def test_doubtful_values_are_warned_of(service: Service) -> None:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        values = power_law(run, step, n)
        if (run, step) == (0, 1):
            return [
                *values[:1],
                ("Loss", -1, None),
                *values[2:4],
                ("Recall", 2, None),
            ]  # no loss, and no recall of the last class
        return [("Accuracy", -1, 1.25), *values[1:]] if (run, step) == (1, 1) else values

    job_id = service.submit()["id"]
    service.work(job_id, measure)
    warnings = {(w["code"], w["metric"]): w for w in service.client.get(f"/jobs/{job_id}").json()["warnings"]}
    assert set(warnings) == {("missing_values", "Loss"), ("missing_values", "Recall"), ("outside_bounds", "Accuracy")}
    assert warnings["missing_values", "Loss"]["cells"] == 1
    assert warnings["missing_values", "Recall"]["classes"] == [2]
    assert warnings["outside_bounds", "Accuracy"]["largest"] == 1.25
    assert service.client.get("/jobs").json()["items"][0]["warnings"] == list(warnings.values())


def test_what_is_not_there_is_a_problem(service: Service) -> None:
    nobody = uuid4()
    for method, path in [
        ("GET", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("DELETE", ""),
        ("GET", "/measurements"),
        ("GET", "/project?n=10"),
        ("GET", "/inv_project?target=0.9"),
        ("GET", "/curves"),
        ("GET", "/events"),
        ("GET", "/export"),
    ]:
        problem(service.client.request(method, f"/jobs/{nobody}{path}"), 404, "job_not_found")
        assert pointers(problem(service.client.request(method, f"/jobs/not-an-id{path}"), 422)) == ["job_id"]


def test_a_job_of_one_dataset_version_keeps_its_fingerprint(service: Service) -> None:
    job = service.submit()
    with service.database.transaction() as session:
        assert session.get_one(Job, UUID(job["id"])).dataset_fingerprint == job["dataset_fingerprint"] == "sha256:1"
