"""Jobs whose values were measured elsewhere: completed when they are handed in, and alike to every question."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

import sufficiency
from sufficiency import ApiError, Client, Job
from tests.support.listening import SPEC

N = [50, 100, 200, 400, 800]


def values(runs: int = 2, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"n": n, "run": run, "metric": "Accuracy", "value": 1 - 2 * n**-0.5 + 0.001 * run} | changes
        for run in range(runs)
        for n in N
    ]


def by_class() -> list[dict[str, Any]]:
    return [{"n": n, "metric": "Recall", "class": name, "value": 0.9 - n**-0.5} for n in N for name in ("dog", "cat")]


def hand_in(client: Client, measured: Any, **rest: Any) -> Any:
    return client.submit({"measured": measured if isinstance(measured, dict) else {"values": measured}, **rest})


def test_it_is_completed_when_it_is_made_and_answers_as_any_job(client: Client) -> None:
    job = hand_in(
        client, {"values": values() + by_class(), "model": "resnet", "dataset": "signs", "source": "a report"}
    )
    assert (job.state, job.view.state, job["measured_elsewhere"]) == ("completed", "completed", True)
    assert job["progress"] == job["progress"] | {"cells_done": 10, "cells_total": 10, "fraction": 1.0}
    assert job["steps"] == N
    assert [one["code"] for one in job["warnings"]][:1] == ["measured_elsewhere"]
    assert "a report" in job["warnings"][0]["detail"]
    here = sufficiency.fit(N, {"Accuracy": np.array([[1 - 2 * n**-0.5 + 0.001 * run for n in N] for run in range(2)])})
    assert job.project(5000, metric="Accuracy")[0] == here.project(5000)[0]
    assert job.inv_project("Accuracy:0.95")[0] == here.inv_project(0.95)[0]
    assert {row["metric"] for row in job.verdict()} == {"Accuracy", "Recall"}
    assert {row["class"] for row in job.measurements()} == {None, "cat", "dog"}
    assert job.to_dataeval().to_dataframe()["step"].to_list() == N
    assert job.export("csv").startswith(b"run,step,n")
    assert job.figure(metric="Accuracy")
    assert [event.type for event in job.events()] == ["state"]
    assert any(one.id == job.id for one in client.jobs(model="resnet"))
    other = hand_in(client, values(runs=3))
    compared = client.compare([job.id, other.id])
    assert compared["jobs"][1]["shares_subsets"] is False
    assert client.submit({"measured": {"values": values()}}, dry_run=True)["cells"] == 10
    for again in (job.retry, lambda: job.retry(start_anew=True), lambda: job.extend(runs=9)):
        with pytest.raises(ApiError) as refused:
            again()
        assert refused.value.code == "measured_elsewhere"
    job.delete()


def test_the_same_key_is_the_same_job(client: Client) -> None:
    body = {"measured": {"values": values()}}
    first = client.submit(body, idempotency_key="elsewhere-1")
    assert client.submit(body, idempotency_key="elsewhere-1").id == first.id
    with pytest.raises(ApiError, match="another body"):
        client.submit({"measured": {"values": values(runs=1)}}, idempotency_key="elsewhere-1")


def test_a_study_is_published_with_all_that_is_known_of_it(client: Client) -> None:
    study = sufficiency.fit(
        N,
        {"Loss": np.array([[2 * n**-0.5 for n in N]])},
        metrics={"Loss": {"direction": "minimize", "bounds": [0, None]}},
        model="cnn",
        dataset="signs",
        test_size=500,
        labels={"team": "vision"},
    )
    job = client.publish(study)
    assert isinstance(job, Job)
    assert (job["spec"]["model"]["name"], job["spec"]["dataset"], job["labels"]) == ("cnn", "signs", {"team": "vision"})
    assert job.project(5000)[0] == study.project(5000)[0]
    assert job.inv_project(0.05)[0] == study.inv_project(0.05)[0]
    assert client.publish(study).id == job.id, "once, however often it is published"


@pytest.mark.parametrize(
    ("body", "pointer", "told"),
    [
        ({"measured": {"values": []}}, "#/measured/values", "at least 1"),
        ({"measured": {}}, "#/measured/values", "required"),
        ({"measured": []}, "#/measured", "object"),
        ({"measured": {"values": [{"n": 0, "value": 1}]}}, "#/measured/values/0/n", "at least 1"),
        ({"measured": {"values": [{"n": 2.5, "value": 1}]}}, "#/measured/values/0/n", "whole"),
        ({"measured": {"values": [{"n": 1, "value": "x"}]}}, "#/measured/values/0/value", "number"),
        ({"measured": {"values": [{"n": 1}]}}, "#/measured/values/0/value", "required"),
        ({"measured": {"values": values() + values()[:1]}}, "#/measured/values/10/run", "there twice"),
        (
            {"measured": {"values": by_class(), "class_names": ["cat"]}},
            "#/measured/values/0/class",
            "no class 'dog'; there is cat",
        ),
        ({"measured": {"values": values()[:1] + values(**{"class": 0})[:1]}}, "#/measured/values/1/class", "different"),
        ({"measured": {"values": [{"n": 1, "value": 1, "run": 9999}] * 1 + values()}}, "", "a job may have"),
        ({"measured": {"values": values()}, "metrics": {"Acuracy": {}}}, "#/metrics/Acuracy", "no value"),
        ({"measured": {"values": values(), "class_names": ["a", "a"]}}, "#/measured", "same name"),
        ({"measured": {"values": values(), "colour": 1}}, "#/measured/colour", "no such field"),
        ({**SPEC, "measured": {"values": values()}}, "", "in place of model, training, evaluation, dataset"),
        ({"measured": {"values": values(), "model": ""}}, "#/measured/model", "at least 1"),
        ({"measured": {"values": values(), "model": 7}}, "#/measured/model", "string"),
        ({"measured": {"values": values(metric="a\x00b")}}, "", "NUL"),
    ],
)
def test_what_is_wrong_is_named(url: str, body: dict[str, Any], pointer: str, told: str) -> None:
    answer = httpx.post(
        f"{url}/jobs", content=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    said = json.dumps(problem, ensure_ascii=False)
    assert told in said
    assert not pointer or pointer in {one["pointer"] for one in problem["errors"]}


def test_odd_values_are_taken_or_refused_and_never_a_fault_of_the_service(client: Client, url: str) -> None:
    for odd in (
        values(value=None),
        values(value=1e308),
        values(value=-1e308),
        values(value=0.5),
        values()[:1],
        [{"n": 2**53, "value": 1.0}, {"n": 1, "value": 0.0}, {"n": 7, "value": 0.5}],
        values(metric="ä" * 200),
        [{"n": n, "value": 0.1, "class": k} for n in N for k in range(30)],
    ):
        answer = httpx.post(f"{url}/jobs", json={"measured": {"values": odd}}, timeout=60)
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 201:
            for question in ("project?n=500", "inv_project?target=0.9", "verdict", "curves", "measurements", "export"):
                assert httpx.get(f"{url}/jobs/{answer.json()['id']}/{question}", timeout=60).status_code in (
                    200,
                    409,
                    422,
                )


def test_its_webhook_is_sent_as_any_job_s(client: Client) -> None:
    """The event is written with the job; that what is written is sent, is held by the tests of webhooks."""
    job = hand_in(client, values())
    [event] = job.events()
    assert (event.type, event.data["state"]) == ("state", "completed")
