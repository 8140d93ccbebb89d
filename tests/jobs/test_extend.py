"""An ended job taken up again: extended, tried again, started anew; and what is never mixed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.catalog.plugins import advertise
from app.catalog.verification import dataset_ready
from app.db.tables import Cell, Curve, Dataset, Job, Outbox, Unit
from app.units import lease
from app.units.plans import job_planned
from tests.support.events import follow
from tests.support.finished import completed, extend, values
from tests.support.service import INFO, PLUGINS, Service, pointers, power_law, problem


def change_version(service: Service, name: str, version: str) -> None:
    kind, _, plain = name.partition(":")
    with service.database.transaction() as session:
        advertise(
            session, [p | {"version": version} if (p["kind"], p["name"]) == (kind, plain) else p for p in PLUGINS]
        )


def test_more_runs_are_measured_and_nothing_again(service: Service) -> None:
    job_id = completed(service)
    service.keep_messages()
    before = values(service, job_id)
    answer = extend(service, job_id, {"runs": 5})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["state"], job["spec"]["runs"], job["finished_at"]) == ("queued", 5, None)
    assert (job["progress"]["cells_done"], job["progress"]["cells_total"]) == (10, 25)
    assert job["links"]["extend"] == f"/jobs/{job_id}/extend"
    with service.database.transaction() as session:
        open_units = set(session.scalars(select(Unit.id).where(Unit.state == "queued")))
        assert open_units == set(session.scalars(select(Cell.unit_id).where(Cell.finished_at.is_(None))))
        assert open_units <= set(session.scalars(select(Outbox.subject))), "their messages came with them"
    service.work(job_id)
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["fraction"]) == ("completed", 1.0)
    after = values(service, job_id)
    assert {key: after[key] for key in before} == before
    assert {run for run, *_ in after} == set(range(5))
    with service.database.transaction() as session:
        refitted = session.scalars(select(Curve.created_at).where(Curve.job_id == UUID(job_id))).all()
        assert min(refitted) > max(at for _, at in before.values())
    averages = service.client.get(f"/jobs/{job_id}/measurements").json()["items"]
    assert {item["runs"] for item in averages} == {5}
    events = follow(service, job_id)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    again = next(event for event in events if event.data.get("extended"))
    assert again.data == {"state": "queued", "extended": {"runs": 5, "steps": []}}


def test_more_steps_keep_the_numbers_of_those_that_there_are(service: Service) -> None:
    job_id = completed(service)
    before = values(service, job_id)
    job = extend(service, job_id, {"steps": [300, 800]}).json()
    assert job["steps"] == [20, 50, 100, 200, 400, 300, 800]
    assert job["spec"]["schedule"] == [20, 50, 100, 200, 300, 400, 800]
    service.work(job_id)
    after = values(service, job_id)
    assert {key: after[key] for key in before} == before
    averages = service.client.get(f"/jobs/{job_id}/measurements").json()["items"]
    told = [(item["n"], item["step"]) for item in averages if item["metric"] == "Accuracy"]
    assert told == [(20, 0), (50, 1), (100, 2), (200, 3), (300, 5), (400, 4), (800, 6)]
    assert service.client.get(f"/jobs/{job_id}/project?n=5000").json()["n_observed"] == 800
    exported = service.client.get(f"/jobs/{job_id}/export").json()
    assert exported["steps"] == [20, 50, 100, 200, 300, 400, 800]
    means = exported["averaged_measures"]["Accuracy"]
    assert means == sorted(means), "values go with their sizes"
    assert extend(service, job_id, {"steps": [600], "runs": 3}).json()["progress"]["cells_total"] == 24


def test_a_dry_run_counts_and_stores_nothing(service: Service) -> None:
    job_id = completed(service)
    plan = extend(service, job_id, {"runs": 3, "steps": [800]}, "?dry_run=true")
    assert plan.status_code == 200
    body = plan.json()
    assert (body["cells_kept"], body["cells_dropped"], body["cells_to_measure"]) == (10, 0, 8)
    assert body["training_items"] == 2 * 800 + (770 + 800)
    assert body["steps"] == [20, 50, 100, 200, 400, 800]
    assert 1 <= body["units"] <= 8
    assert body["estimated_slot_seconds"] > 0
    assert (body["spec"]["runs"], body["queued_reason"]) == (3, None)
    anew = extend(service, job_id, {"runs": 3}, "?dry_run=true&start_anew=true").json()
    assert (anew["cells_kept"], anew["cells_dropped"], anew["cells_to_measure"]) == (0, 10, 15)
    job = service.client.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["spec"]["runs"], job["steps"]) == ("completed", 2, [20, 50, 100, 200, 400])


def test_a_key_extends_once(service: Service) -> None:
    job_id = completed(service)
    assert extend(service, job_id, {"runs": 3}, **{"Idempotency-Key": "k"}).status_code == 202
    again = extend(service, job_id, {"runs": 3}, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["progress"]["cells_total"]) == (200, 15)
    problem(extend(service, job_id, {"runs": 4}, **{"Idempotency-Key": "k"}), 422, "idempotency_key_reused")
    problem(extend(service, job_id, {"runs": 4}), 409, "job_not_ended")
    service.work(job_id)
    assert extend(service, job_id, {"runs": 3}, **{"Idempotency-Key": "k"}).json()["state"] == "completed"
    other = completed(service)
    assert extend(service, other, {"runs": 4}, **{"Idempotency-Key": "k"}).status_code == 202, "a key is a job's own"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "#"),
        ({"runs": None}, "#"),
        ({"runs": 2}, "#/runs"),
        ({"runs": 1}, "#/runs"),
        ({"runs": "many"}, "#/runs"),
        ({"runs": 21}, "#/runs"),
        ({"steps": []}, "#/steps"),
        ({"steps": [0]}, "#/steps/0"),
        ({"steps": [1001]}, "#/steps/0"),
        ({"steps": [300, 250]}, "#/steps/1"),
        ({"steps": [300, 300]}, "#/steps/1"),
        ({"steps": [300, 400]}, "#/steps/1"),
        ({"steps": [10.5]}, "#/steps/0"),
        ({"steps": list(range(500, 550))}, "#/steps"),
        ({"dataset": "smal"}, "#/dataset"),
        ({"dataset": "small"}, "#/dataset"),
        ({"plan": "grid"}, "#/plan"),
        ({"run": 5}, "#/run"),
    ],
)
def test_bad_fields_are_pointed_at(extended: tuple[Service, str], body: dict[str, Any], where: str) -> None:
    service, job_id = extended
    assert pointers(problem(extend(service, job_id, body), 422)) == [where]
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


@pytest.fixture(scope="module")
def extended(standing: Service) -> tuple[Service, str]:
    return standing, completed(standing)


def test_odd_requests_are_problems(extended: tuple[Service, str]) -> None:
    service, job_id = extended
    nobody = "019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60"
    problem(extend(service, nobody, {"runs": 5}), 404, "job_not_found")
    problem(extend(service, nobody, {"runs": 5}, "?dry_run=true"), 404, "job_not_found")
    undeclared = {"content-type": "text/plain"}
    problem(service.client.post(f"/jobs/{job_id}/extend", content=b"{", headers=undeclared), 415)
    problem(service.client.post(f"/jobs/{job_id}/extend", content=b"{", headers={"content-type": "application/json"}),
            422)  # fmt: skip
    problem(extend(service, job_id, {"runs": 5}, "?start_anew=perhaps"), 422)


def test_an_open_job_is_not_extended(service: Service) -> None:
    job_id = service.submit()["id"]
    assert "cancel it" in problem(extend(service, job_id, {"runs": 5}), 409, "job_not_ended")["detail"]
    service.work(job_id, units=1)
    problem(extend(service, job_id, {"runs": 5}), 409, "job_not_ended")


def test_a_failed_job_is_extended_and_finished(service: Service) -> None:
    job_id = service.submit(schedule=[20, 50, 100, 200, 400])["id"]
    service.work(job_id, units=1)
    service.fail(job_id)
    kept = values(service, job_id)
    assert kept
    job = extend(service, job_id, {"runs": 3}).json()
    assert (job["state"], job["error"], job["progress"]["cells_total"]) == ("queued", None, 15)
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
    after = values(service, job_id)
    assert {key: after[key] for key in kept} == kept
    assert len({key[:2] for key in after}) == 15


def test_a_dataeval_run_is_a_sequence(service: Service) -> None:
    job_id = completed(service, protocol="dataeval")
    refused = problem(extend(service, job_id, {"steps": [300, 800]}), 422, "invalid_extension")
    assert pointers(refused) == ["#/steps/0"]
    assert "trains one model on" in refused["errors"][0]["detail"]
    assert extend(service, job_id, {"steps": [800], "runs": 3}).status_code == 202
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Unit)) == 3, "a run has one unit, a new one"
    for run in range(3):
        claimed, _ = service.claim(job_id)
        done = [(cell.run, cell.step) for cell in claimed.cells if cell.done]
        assert done == ([(run, step) for step in range(5)] if run < 2 else [])
        assert [cell.n for cell in claimed.cells] == [20, 50, 100, 200, 400, 800]
        for cell in claimed.cells:
            if not cell.done:
                result = lease.CellResult(cell.run, cell.step, cell.n, 0.1, "cpu", power_law(0, 0, cell.n))
                with service.database.transaction() as session:
                    assert lease.record_cell(session, claimed.unit_id, claimed.attempt, result)
        with service.database.transaction() as session:
            lease.finish_unit(session, claimed.unit_id, claimed.attempt)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
    anew = extend(service, job_id, {"steps": [300]}, "?start_anew=true").json()
    assert anew["steps"] == [20, 50, 100, 200, 300, 400, 800]
    assert anew["progress"]["cells_done"] == 0


def test_another_version_of_a_plugin_is_not_mixed_in(service: Service) -> None:
    job_id = completed(service)
    before = values(service, job_id)
    for name in ("model:mlp", "training:sgd-classifier", "evaluation:classification"):
        change_version(service, name, "2.0")
        refused = problem(extend(service, job_id, {"runs": 3}), 409, "plugin_changed")
        for part in (f"{name} is version 2.0, and was 1.0", "start_anew=true", "drops the 10 cells"):
            assert part in refused["detail"]
        problem(extend(service, job_id, {"runs": 3}, "?dry_run=true"), 409, "plugin_changed")
        assert values(service, job_id) == before
        change_version(service, name, "1.0")
    assert extend(service, job_id, {"runs": 3}).status_code == 202


def test_retry_refuses_another_version_and_starts_anew_on_demand(service: Service) -> None:
    job_id = service.submit(schedule=[20, 50, 100, 200, 400])["id"]
    service.work(job_id, units=2)
    service.fail(job_id)
    measured = service.client.get(f"/jobs/{job_id}").json()["progress"]["cells_done"]
    change_version(service, "training:sgd-classifier", "2.0")
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "plugin_changed")
    anew = service.client.post(f"/jobs/{job_id}/retry?start_anew=true")
    assert anew.status_code == 202
    job = anew.json()
    assert (job["state"], job["error"]) == ("queued", None)
    assert job["plugin_versions"]["training:sgd-classifier"] == "2.0"
    assert (job["progress"]["cells_done"], job["progress"]["cells_total"]) == (0, 10)
    assert values(service, job_id) == {}
    discarded = next(event for event in follow_so_far(service, job_id) if event[0] == "discarded")
    change = {"what": "training:sgd-classifier", "measured_with": "1.0", "now": "2.0"}
    assert discarded[1] == {"cells": measured, "changed": [change]}
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
    assert len({key[:2] for key in values(service, job_id)}) == 10


def follow_so_far(service: Service, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    from app.db.tables import Event

    with service.database.transaction() as session:
        rows = session.scalars(select(Event).where(Event.job_id == UUID(job_id)).order_by(Event.seq)).all()
        return [(row.type, row.data) for row in rows]


def test_a_job_that_has_measured_nothing_takes_the_plugins_as_they_are(service: Service) -> None:
    job_id = service.submit()["id"]
    service.client.post(f"/jobs/{job_id}/cancel")
    change_version(service, "model:mlp", "3.0")
    job = service.client.post(f"/jobs/{job_id}/retry").json()
    assert (job["state"], job["plugin_versions"]["model:mlp"]) == ("queued", "3.0")
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


def test_a_completed_job_is_measured_anew_only_on_demand(service: Service) -> None:
    job_id = completed(service)
    assert "start_anew" in problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "job_completed")["detail"]
    assert service.client.post(f"/jobs/{job_id}/retry?start_anew=true").json()["progress"]["cells_done"] == 0
    problem(service.client.get(f"/jobs/{job_id}/project?n=100"), 409, "not_enough_data")
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Curve)) == 0
    problem(service.client.post(f"/jobs/{job_id}/retry?start_anew=true"), 409, "job_not_ended")
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}/project?n=100").status_code == 200


def test_parameters_that_a_plugin_no_longer_takes_are_told(service: Service) -> None:
    job_id = completed(service, model={"name": "mlp", "params": {"width": 8}})
    schema = {"type": "object", "additionalProperties": False, "properties": {"layers": {"type": "integer"}}}
    with service.database.transaction() as session:
        advertise(session, [PLUGINS[0] | {"version": "2.0", "params_schema": schema}])
    refused = problem(service.client.post(f"/jobs/{job_id}/retry?start_anew=true"), 409, "job_outdated")
    assert pointers(refused) == ["#/model/params/width"]
    assert service.client.get(f"/jobs/{job_id}/project?n=100").status_code == 200, "nothing was dropped"


def verify(service: Service, name: str, fingerprint: str, size: int = 1000) -> None:
    with service.database.transaction() as session:
        dataset_id = session.scalars(select(Dataset.id).where(Dataset.name == name)).one()
        info = INFO | {"train": {"size": size, "class_counts": [size]}}
        if fingerprint != "sha256:1":
            info["class_names"] = ["pig", "cow", "ape"]
        dataset_ready(session, dataset_id, info, fingerprint)


def test_other_data_are_not_mixed_in(service: Service) -> None:
    job_id = completed(service)
    service.dataset("larger", status="verifying")
    problem(extend(service, job_id, {"dataset": "larger"}), 409, "dataset_not_ready")
    verify(service, "larger", "sha256:2", 2000)
    refused = problem(extend(service, job_id, {"dataset": "larger", "steps": [2000]}), 409, "dataset_changed")
    for part in ("dataset:larger has fingerprint sha256:2 (2000 training items)", "no cell of other data", "compare"):
        assert part in refused["detail"]
    job = extend(service, job_id, {"dataset": "larger", "steps": [2000]}, "?start_anew=true").json()
    assert (job["spec"]["dataset"], job["dataset_fingerprint"]) == ("larger", "sha256:2")
    assert job["steps"] == [20, 50, 100, 200, 400, 2000]
    assert job["progress"]["cells_done"] == 0
    claimed, _ = service.claim(job_id)
    assert (claimed.fingerprint, claimed.dataset_train["params"]) == ("sha256:2", {"path": "larger.npz"})
    assert service.client.delete("/datasets/small").status_code == 204, "the job is no longer on it"


def test_a_geometric_schedule_reaches_to_the_end_of_larger_data(service: Service) -> None:
    job_id = completed(service, schedule=None, substeps=5)
    service.dataset("larger", status="verifying")
    verify(service, "larger", "sha256:2", 2000)
    job = extend(service, job_id, {"dataset": "larger"}, "?start_anew=true").json()
    assert (job["spec"]["schedule"], job["steps"][-1], len(job["steps"])) == (None, 2000, 5)


def test_the_same_data_under_another_name_are_the_same(service: Service) -> None:
    job_id = completed(service)
    service.dataset("moved")
    before = values(service, job_id)
    job = extend(service, job_id, {"dataset": "moved", "runs": 3}).json()
    assert (job["spec"]["dataset"], job["progress"]["cells_done"]) == ("moved", 10)
    assert values(service, job_id) == before
    claimed, _ = service.claim(job_id)
    assert claimed.dataset_train["params"] == {"path": "moved.npz"}


def test_the_same_data_under_another_name_alone_are_nothing_to_measure(service: Service) -> None:
    job_id = completed(service)
    service.dataset("moved")
    before = values(service, job_id)
    job = extend(service, job_id, {"dataset": "moved"}).json()
    assert (job["state"], job["spec"]["dataset"], job["progress"]["fraction"]) == ("completed", "moved", 1.0)
    assert values(service, job_id) == before
    assert {c["stored"] for c in service.client.get(f"/jobs/{job_id}/curves").json()["items"]} == {True}


def test_a_completed_job_keeps_its_class_names_when_its_data_change(service: Service) -> None:
    job_id = completed(service)
    before = service.client.get(f"/jobs/{job_id}/project?n=4000").json()
    with service.database.transaction() as session:
        session.execute(update(Dataset).values(status="verifying", fingerprint=None))
        dataset = session.scalars(select(Dataset).where(Dataset.name == "small")).one()
        dataset_ready(session, dataset.id, {**INFO, "class_names": ["hen", "cow", "pig"]}, "sha256:9")
    assert service.client.get(f"/jobs/{job_id}/project?n=4000").json() == before
    assert {c["class"] for c in service.client.get(f"/jobs/{job_id}/curves?class=dog").json()["items"]} == {None, "dog"}


def test_data_that_are_verified_again_and_found_changed(service: Service) -> None:
    job_id = service.submit(schedule=[20, 50, 100, 200, 400])["id"]
    service.work(job_id, units=1)
    service.client.post(f"/jobs/{job_id}/cancel")
    again = service.client.post("/datasets/small/verify")
    assert again.status_code == 202
    assert (again.json()["status"], again.json()["fingerprint"]) == ("verifying", None)
    assert service.client.post("/datasets/small/verify").json()["status"] == "verifying"
    problem(service.client.post("/datasets/none/verify"), 404, "dataset_not_found")
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "dataset_not_ready")
    recalls = f"/jobs/{job_id}/measurements?view=cells"
    assert {"cat", "dog", "hen", None} == {item["class"] for item in service.client.get(recalls).json()["items"]}
    problem(extend(service, job_id, {"runs": 3}), 409, "dataset_not_ready")
    verify(service, "small", "sha256:1")
    assert service.client.post(f"/jobs/{job_id}/retry").status_code == 202, "found as it was"
    service.client.post(f"/jobs/{job_id}/cancel")
    service.client.post("/datasets/small/verify")
    verify(service, "small", "sha256:9")
    problem(service.client.post(f"/jobs/{job_id}/retry"), 409, "dataset_changed")
    problem(extend(service, job_id, {"runs": 3}), 409, "dataset_changed")
    assert "hen" in {item["class"] for item in service.client.get(recalls).json()["items"]}, "as it was measured"
    anew = service.client.post(f"/jobs/{job_id}/retry?start_anew=true").json()
    assert (anew["dataset_fingerprint"], anew["progress"]["cells_done"]) == ("sha256:9", 0)
    service.work(job_id)
    assert "ape" in {item["class"] for item in service.client.get(recalls).json()["items"]}


def test_a_schedule_plugin_s_job(service: Service) -> None:
    job_id = service.submit(schedule={"name": "halves"})["id"]
    service.client.post(f"/jobs/{job_id}/cancel")
    problem(extend(service, job_id, {"runs": 3}), 409, "job_unplanned")
    service.client.post(f"/jobs/{job_id}/retry")
    with service.database.transaction() as session:
        job_planned(session, UUID(job_id), [250, 500, 1000], 100)
    service.work(job_id)
    change_version(service, "schedule:halves", "2.0")
    more = extend(service, job_id, {"runs": 3}).json()
    assert (more["steps"], more["spec"]["schedule"]["name"]) == ([250, 500, 1000], "halves")
    service.work(job_id)
    anew = service.client.post(f"/jobs/{job_id}/retry?start_anew=true").json()
    assert (anew["steps"], anew["state"]) == (None, "queued")
    with service.database.transaction() as session:
        assert session.scalars(select(Outbox.task).where(Outbox.subject == UUID(job_id))).all() in ([], ["plan_job"])
        session.execute(update(Job).values(plan_sent_at=None))
        job_planned(session, UUID(job_id), [500, 1000], 100)
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


def test_of_two_that_extend_at_once_one_does(service: Service) -> None:
    def send(key: str | None) -> int:
        headers = {"Idempotency-Key": key} if key else {}
        return int(extend(service, job_id, {"runs": 4, "steps": [800]}, **headers).status_code)

    for key, answers in ((None, [202, *[409] * 5]), ("same", [*[200] * 5, 202])):
        job_id = completed(service)
        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(send, [key] * 6)) == answers
        assert service.client.get(f"/jobs/{job_id}").json()["progress"]["cells_total"] == 24
        with service.database.transaction() as session:
            assert session.scalar(select(func.count()).select_from(Cell).where(Cell.job_id == UUID(job_id))) == 24
