"""Answers are dictionaries and models at once, and the handle passes on all that the client takes."""

import copy
import inspect
import json
from typing import Any

import pytest

from sufficiency import Client, Job, Reply, UnknownShape
from sufficiency.schemas.datasets import DatasetView
from sufficiency.schemas.decisions import DecisionView
from sufficiency.schemas.forecasts import Forecasts
from sufficiency.schemas.jobs import ExtensionPlanView, JobView, PlanView
from sufficiency.schemas.plugins import PluginView
from sufficiency.schemas.results import ComparisonView, Curves, InverseProjection, Projection
from sufficiency.schemas.verdicts import Verdicts
from tests.support.listening import SPEC, HandWorker
from tests.support.script import Script

EXAMPLE: dict[str, Any] = JobView.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload,assignment]
METHODS = sorted(
    name
    for name, method in inspect.getmembers(Client)
    if inspect.isfunction(method) and not name.startswith("_") and "id" in inspect.signature(method).parameters
)


def answer(body: Any) -> tuple[int, dict[str, str], str]:
    return 200, {}, json.dumps(body)


def test_every_answer_has_its_model(client: Client, worker: HandWorker, job: Job) -> None:
    other = client.submit({**SPEC, "runs": 3})
    worker.measure(other.id)
    replies: list[tuple[Reply[Any], type]] = [
        (job, JobView),
        (client.submit(SPEC, dry_run=True), PlanView),
        (client.extend(job.id, runs=3, dry_run=True), ExtensionPlanView),
        (client.dataset("digits"), DatasetView),
        (client.datasets()[0], DatasetView),
        (client.plugins("model")[0], PluginView),
        (client.plugin("model", SPEC["model"]["name"]), PluginView),
        (client.project(job.id, [1000]), Projection),
        (client.inv_project(job.id, ["Accuracy:0.9"]), InverseProjection),
        (client.verdict(job.id), Verdicts),
        (client.decide(job.id, 0.1, value=100.0, rounds=2), DecisionView),
        (client.curves(job.id), Curves),
        (client.compare([job.id, other.id]), ComparisonView),
        (client.forecasts(), Forecasts),
        (client.versions("digits")[0], DatasetView),
    ]
    for reply, model in replies:
        assert isinstance(reply.view, model)
        # To the last digit and letter: the model says what the JSON does.
        assert reply.view.model_dump(mode="json", by_alias=True) == reply
    for view in ("cells", "averages"):
        measured = client.measurements(job.id, view)
        assert measured.view.model_dump(mode="json", by_alias=True) == measured
        assert len(job.measurements(view)) == len(measured.view.items)
    for worker in client.workers():
        assert worker.view.live == worker["live"]
    assert job.progress.fraction == job["progress"]["fraction"] == 1.0
    rows = job.project(1000)
    assert rows.answer.view.metrics["Accuracy"][0].value in [row["value"] for row in rows]


def test_a_newer_service_is_borne(script: Script, patience: list[float]) -> None:
    newer = {**EXAMPLE, "state": "paused", "device": "tpu", "mood": "sunny"}
    script.answers = [answer(newer), answer({**newer, "state": "completed"})]
    with Client(script.url) as client:
        job = client.wait(EXAMPLE["id"])
        assert (job.state, job["mood"], job.view.device) == ("completed", "sunny", "tpu")
        script.answers = [answer(newer)]
        assert job.refresh().view.state == job.state == "paused"
        assert repr(job) == f"<Job {job.id} paused, 20/50 cells>"
        assert json.loads(json.dumps(job)) == newer


def test_a_view_of_what_is_not_there_says_so(script: Script) -> None:
    script.answers = [answer({"id": EXAMPLE["id"], "state": "queued"})]
    with Client(script.url) as client:
        job = client.job(EXAMPLE["id"])
    assert job.state == "queued"
    with pytest.raises(UnknownShape, match=r"JobView \(.*is required.*same version"):
        _ = job.view


def test_a_reply_is_copied_as_it_is() -> None:
    reply = Reply({"items": [1]}, PlanView)
    twin = copy.deepcopy(reply)
    assert (twin, type(twin)) == (reply, Reply)
    assert twin["items"] is not reply["items"]


@pytest.mark.parametrize("name", METHODS)
def test_the_handle_takes_what_the_client_takes(name: str) -> None:
    if name == "job":
        return  # that is `refresh`
    offered = inspect.signature(getattr(Job, name)).parameters
    for parameter in list(inspect.signature(getattr(Client, name)).parameters.values())[2:]:
        assert parameter.name in offered, f"Job.{name} does not pass {parameter.name} on"
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert offered[parameter.name].default == parameter.default


CALLS: list[tuple[str, dict[str, Any], str, dict[str, Any] | None]] = [
    ("cancel", {}, "POST /jobs/{id}/cancel", None),
    ("retry", {}, "POST /jobs/{id}/retry", None),
    ("retry", {"start_anew": True}, "POST /jobs/{id}/retry?start_anew=true", None),
    ("refit", {}, "POST /jobs/{id}/refit", None),
    ("extend", {"runs": 7, "steps": (5, 6)}, "POST /jobs/{id}/extend", {"runs": 7, "steps": [5, 6]}),
    (
        "extend",
        {"dataset": "other", "start_anew": True, "idempotency_key": "once"},
        "POST /jobs/{id}/extend?start_anew=true",
        {"dataset": "other"},
    ),
    ("extend", {"runs": 7, "dry_run": True, "idempotency_key": "once"}, "POST /jobs/{id}/extend?dry_run=true", None),
    ("delete", {}, "DELETE /jobs/{id}", None),
    ("table", {"view": "project", "params": {"n": 5}}, "GET /jobs/{id}/project?n=5&format=csv", None),
    ("export", {"format": "csv"}, "GET /jobs/{id}/export?format=csv", None),
    ("plot", {"kind": "png", "metric": "Accuracy"}, "GET /jobs/{id}/plot.png?metric=Accuracy", None),
    ("curves", {"method": "power_law"}, "GET /jobs/{id}/curves?method=power_law", None),
]


@pytest.mark.parametrize(("name", "options", "asked", "body"), CALLS)
def test_the_handle_asks_as_the_client_does(
    script: Script, name: str, options: dict[str, Any], asked: str, body: dict[str, Any] | None
) -> None:
    script.answers = [answer(EXAMPLE)] * 2
    with Client(script.url) as client:
        job = Job(client, EXAMPLE)
        by_handle = getattr(job, name)(**options)
        by_client = getattr(client, name)(job.id, **options)
    first, second = script.asked
    assert first == second
    assert first[0] == asked.format(id=job.id)
    assert first[1].get("Idempotency-Key") == options.get("idempotency_key")
    if body is not None:
        assert script.bodies == [body, body]
    assert by_handle == by_client
    if name in ("cancel", "retry", "extend") and not options.get("dry_run"):
        assert by_handle is job


def test_each_look_of_a_handle_is_told(script: Script, patience: list[float]) -> None:
    script.answers = [answer(EXAMPLE), answer({**EXAMPLE, "state": "completed"})]
    looks: list[str] = []
    with Client(script.url) as client:
        Job(client, EXAMPLE).wait(each=lambda job: looks.append(job.state), progress=False)
    assert looks == ["running", "completed"]
