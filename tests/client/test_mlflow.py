"""A job in a real MLflow, on SQLite: once, however often and however interrupted."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sufficiency import Client, Job
from sufficiency.client.mlflow import MlflowError, _settled, clean
from tests.support.command_line import Outcome
from tests.support.listening import SPEC, HandWorker

# MLflow's own: it uses what its libraries have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore")
mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracking store that is made once: its migrations take seconds."""
    directory = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{directory / 'mlflow.db'}"
    mlflow.MlflowClient(tracking_uri=uri).create_experiment("study", artifact_location=str(directory / "artifacts"))
    return uri


def runs(store: str, experiment: str = "study") -> list[Any]:
    api = mlflow.MlflowClient(tracking_uri=store)
    return list(api.search_runs([api.get_experiment_by_name(experiment).experiment_id]))


def test_a_job_becomes_a_run_with_children_once(
    job: Job, store: str, url: str, sufficiency: Callable[..., Outcome]
) -> None:
    told = sufficiency("export", job.id, "--to-mlflow", store, "--experiment", "study", "--url", url)
    assert told.code == 0, told.err
    found = runs(store)
    parent = next(run for run in found if "sufficiency.run" not in run.data.tags)
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert parent.info.run_id in told.out
    assert len(found) == 3
    assert {run.data.tags["sufficiency.run"] for run in children} == {"0", "1"}
    assert {run.info.status for run in found} == {"FINISHED"}
    assert parent.data.params["training.lr"] == "0.1"
    assert "Accuracy" in parent.data.tags["mlflow.note.content"]
    api = mlflow.MlflowClient(tracking_uri=store)

    def curve(run: Any, key: str) -> dict[int, float]:
        history = api.get_metric_history(run.info.run_id, key)
        assert len({point.step for point in history}) == len(history)
        return {point.step: point.value for point in history}

    means = {row["n"]: row["mean"] for row in job.measurements() if row["metric"] == "Accuracy"}
    assert curve(parent, "Accuracy") == pytest.approx(means)
    assert set(curve(parent, "Accuracy.sd")) == set(means)
    ahead = {row["n"]: row["upper"] for row in job.project(800, 1600, 3200, metric="Accuracy")}
    assert curve(parent, "Accuracy.projected_upper") == pytest.approx(ahead)
    assert set(curve(children[0], "Recall/cat")) == set(means)
    with_paths = {item.path for item in api.list_artifacts(parent.info.run_id)}
    assert {"measurements.csv", "dataeval.json", "curves.json"} <= with_paths
    figures = {item.path for item in api.list_artifacts(parent.info.run_id, "figures")}
    assert figures == {f"figures/{metric}.{kind}" for metric in ("Accuracy", "Recall") for kind in ("json", "svg")}
    dataeval = Path(api.download_artifacts(parent.info.run_id, "dataeval.json")).read_text()
    assert json.loads(dataeval)["steps"] == job["steps"]

    assert job.to_mlflow(store, "study") == parent.info.run_id  # nothing to do
    api.delete_tag(parent.info.run_id, "sufficiency.exported")  # as an interrupted export leaves it
    assert job.to_mlflow(store, "study") == parent.info.run_id
    assert len(runs(store)) == 3
    assert curve(parent, "Accuracy") == pytest.approx(means)


def test_a_renamed_job_renames_its_run_but_not_one_that_somebody_named(job: Job, store: str) -> None:
    api = mlflow.MlflowClient(tracking_uri=store)
    run_id = job.to_mlflow(store, "study")
    usual = api.get_run(run_id).info.run_name
    job.rename(name="first batch")
    assert job.to_mlflow(store, "study") == run_id
    assert api.get_run(run_id).info.run_name == "first batch"
    api.update_run(run_id, name="the one for Tuesday")
    job.rename(name="second batch")
    job.to_mlflow(store, "study")
    assert api.get_run(run_id).info.run_name == "the one for Tuesday"
    api.update_run(run_id, name="first batch")
    job.rename(name="")
    job.to_mlflow(store, "study")
    assert api.get_run(run_id).info.run_name == usual


def test_an_extended_job_brings_its_run_up_to_date(client: Client, worker: HandWorker, store: str) -> None:
    job = client.submit(SPEC)
    worker.measure(job.id)
    job.wait(timeout=60)
    run_id = job.to_mlflow(store, "study")
    api = mlflow.MlflowClient(tracking_uri=store)
    # As a version before this one has written it.
    api.log_param(run_id, "runs", "2")
    api.log_param(run_id, "schedule", "[20, 50, 100, 200, 400]")

    def exported() -> tuple[Any, list[Any]]:
        assert job.to_mlflow(store, "study") == run_id
        mine = [run for run in runs(store) if run.data.tags["sufficiency.job_id"] == job.id]
        return api.get_run(run_id), [run for run in mine if "sufficiency.run" in run.data.tags]

    for runs_now, more in ((3, {"runs": 3}), (3, {"steps": [300]}), (5, {"runs": 5, "steps": [350]})):
        job.extend(**more)
        worker.measure(job.id)
        job.wait(timeout=60)
        parent, children = exported()
        assert parent.info.status == "FINISHED"
        assert parent.data.tags["spec.runs"] == str(runs_now)
        assert parent.data.params["training.lr"] == "0.1"
        assert {run.data.tags["sufficiency.run"] for run in children} == {str(run) for run in range(runs_now)}
        newest = {point.step: point.value for point in api.get_metric_history(run_id, "Accuracy")}
        means = {row["n"]: row["mean"] for row in job.measurements() if row["metric"] == "Accuracy"}
        assert {n: newest[n] for n in means} == pytest.approx(means)
        text = Path(api.download_artifacts(run_id, "dataeval.json")).read_text()
        assert sorted(json.loads(text)["steps"]) == sorted(job.refresh()["steps"])
    client.delete(job.id)


def test_a_failed_job_that_was_retried_brings_its_run_up_to_date(
    client: Client, worker: HandWorker, store: str
) -> None:
    job = client.submit(SPEC)
    worker.fail(job.id)
    job.wait(timeout=60)
    run_id = job.to_mlflow(store, "study")
    api = mlflow.MlflowClient(tracking_uri=store)
    assert api.get_run(run_id).info.status == "FAILED"
    job.retry()
    worker.measure(job.id)
    job.wait(timeout=60)
    assert job.to_mlflow(store, "study") == run_id
    assert api.get_run(run_id).info.status == "FINISHED"
    assert "raised ValueError" not in api.get_run(run_id).data.tags["mlflow.note.content"]
    client.delete(job.id)


def test_a_parameter_that_is_another_now_is_a_tag() -> None:
    fixed, tags = _settled({"runs": "3", "a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "1", "d": "4"})
    assert fixed == {"c": "3"}
    assert tags == {"spec.runs": "3", "spec.b": "2", "spec.d": "not set any more"}


def test_an_interrupted_export_is_finished(
    job: Job, store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api = mlflow.MlflowClient(tracking_uri=store)
    api.create_experiment("interrupted", artifact_location=str(tmp_path))
    calls = 0
    log_batch = mlflow.MlflowClient.log_batch

    def dies_in_the_middle(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:  # the first child's metrics
            raise KeyboardInterrupt
        return log_batch(*arguments, **named)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", dies_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        job.to_mlflow(store, "interrupted")
    job.to_mlflow(store, "interrupted")
    found = runs(store, "interrupted")
    assert len(found) == 3
    for run in found:
        history = api.get_metric_history(run.info.run_id, "Accuracy")
        assert [point.step for point in history] == job["steps"]


def test_a_job_that_goes_on_is_not_exported(client: Client, worker: HandWorker, store: str) -> None:
    job = client.submit(SPEC)
    with pytest.raises(MlflowError, match="when it has ended"):
        job.to_mlflow(store)
    job.cancel()
    job.to_mlflow(store, "study")
    run = next(run for run in runs(store) if run.data.tags["sufficiency.job_id"] == job.id)
    assert run.info.status == "KILLED"
    client.delete(job.id)


def test_what_mlflow_refuses_is_told(
    job: Job, url: str, sufficiency: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = sufficiency("export", job.id, "--to-mlflow", "nonsense://x", "--url", url)
    assert told.code == 1
    assert "MLflow at nonsense://x" in told.err
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    told = sufficiency("export", job.id, "--to-mlflow", "sqlite:///x.db", "--url", url)
    assert (told.code, "pip install 'sufficiency[mlflow]'" in told.err) == (1, True)


def test_a_server_that_is_not_there_is_told_within_seconds(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    began = time.monotonic()
    with pytest.raises(MlflowError, match=r"MLflow at http://127\.0\.0\.1:9 said no"):
        job.to_mlflow("http://127.0.0.1:9", "study")
    assert time.monotonic() - began < 30  # MLflow's own seven tries take four minutes
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


@pytest.mark.parametrize(
    "options",
    [("--experiment", "x"), ("--to-mlflow", "sqlite:///x.db", "-o", "x"), ("--to-mlflow", "x", "--format", "csv")],
)
def test_options_that_would_do_nothing_are_misuse(
    sufficiency: Callable[..., Outcome], options: tuple[str, ...]
) -> None:
    told = sufficiency("export", "019a0000-0000-7000-8000-000000000000", *options)
    assert (told.code, "--output and --format are for a file" in told.err) == (2, True)


@pytest.mark.parametrize("name", ["Größe", "AUROC (macro)", "<b>", "a/../b", "..", " ", "x" * 300, "F1: 50 %"])
def test_odd_metric_names_become_keys(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(clean(name))
