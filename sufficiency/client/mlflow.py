"""A job in MLflow: a run for the job with its curve and files, a child for each of its own runs. Twice is once."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sufficiency.client.asking import Answering
from sufficiency.client.errors import ApiError, ClientError
from sufficiency.client.frames import by_metric
from sufficiency.client.replies import Reply
from sufficiency.extras import needs
from sufficiency.schemas.words import ENDED

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from sufficiency.schemas.jobs import JobView

JOB_TAG, RUN_TAG, EXPORTED_TAG = "sufficiency.job_id", "sufficiency.run", "sufficiency.exported"
NAME_TAG = "sufficiency.name"
STATUS = {"completed": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
AHEAD = (2, 4, 8)  # times the largest measured size
# What `extend` may change. MLflow never lets a parameter be another, so these are tags: they say what is so now.
CHANGING = ("runs", "substeps", "schedule", "dataset")
_TRIES = 2  # more than the first; its own seven take minutes
LONGEST_KEY, LONGEST_VALUE, BATCH = 240, 6000, 1000

Points = dict[str, dict[int, float]]  # key → training-set size → value


class MlflowError(ClientError):
    """Why nothing, or not all, was written to MLflow."""


def export_study(client: Answering, id: str, tracking_uri: str, experiment: str) -> str:
    """Write an ended job to MLflow and return the id of its run there.

    What an earlier or interrupted export has written is found by the job's id, and only what is missing is added. A job
    that was extended or retried since brings the same run up to date.
    """
    with needs("mlflow"):
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    job = client.job(id)
    if job["state"] not in ENDED:
        raise MlflowError(f"job {id} is {job['state']}: its curve would change; export it when it has ended")
    try:
        with _few_tries():
            return _export(client, job, MlflowClient(tracking_uri=tracking_uri), experiment)
    except MlflowException as error:
        raise MlflowError(f"MLflow at {tracking_uri} said no: {error.message}") from error


@contextmanager
def _few_tries() -> Iterator[None]:
    """Have MLflow give up on a server that is not there within seconds, where nobody has said how often it tries."""
    from mlflow import environment_variables

    most: Any = environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES
    if most.is_set():
        yield
        return
    most.set(_TRIES)
    try:
        yield
    finally:
        most.unset()


def _export(client: Answering, job: "Reply[JobView]", mlflow: "MlflowClient", experiment: str) -> str:
    experiment_id = _experiment(mlflow, experiment)
    usual = f"{job['spec']['model']['name']} on {job['spec']['dataset']}"
    name = job["name"] or usual
    parent, children = _earlier(mlflow, experiment_id, job["id"])
    # A job that was renamed, unless somebody has given the run a name of its own.
    if parent is not None and name != parent.info.run_name == parent.data.tags.get(NAME_TAG, usual):
        mlflow.update_run(parent.info.run_id, name=name)
        mlflow.set_tag(parent.info.run_id, NAME_TAG, name)
    if parent is not None and parent.data.tags.get(EXPORTED_TAG) == job["finished_at"]:
        return str(parent.info.run_id)
    # A job that failed early and was tried again has other results by now, under the same run.
    run = parent or mlflow.create_run(
        experiment_id, _millis(job["created_at"]), {JOB_TAG: job["id"], NAME_TAG: name}, name
    )
    run_id = str(run.info.run_id)
    tags = {"sufficiency.url": f"{client.url}/jobs/{job['id']}", "mlflow.note.content": _note(client, job)}
    tags |= {f"label.{clean(key)}": value for key, value in job["labels"].items()}
    _log(mlflow, run, _job_points(client, job), tags, _params(job["spec"]), job, fresh=parent is None)
    for number, points in sorted(_run_points(client, job).items()):
        earlier = children.get(str(number))
        child = earlier or mlflow.create_run(
            experiment_id,
            _millis(job["created_at"]),
            {JOB_TAG: job["id"], RUN_TAG: str(number), "mlflow.parentRunId": run_id},
            f"{name}, run {number}",
        )
        _log(mlflow, child, points, {}, {"run": number}, job, fresh=earlier is None)
    for path, text in _files(client, job):
        mlflow.log_text(run_id, text, path)
    # Last of all: an export that was interrupted before this is gone through again.
    mlflow.set_tag(run_id, EXPORTED_TAG, job["finished_at"])
    return run_id


def _experiment(mlflow: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = mlflow.get_experiment_by_name(name)
    if found is None:
        try:
            return str(mlflow.create_experiment(name))
        except MlflowException:  # another export made it at the same moment
            found = mlflow.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _earlier(mlflow: "MlflowClient", experiment_id: str, job_id: str) -> tuple["Run | None", dict[str, "Run"]]:
    """Return the job's run and its children by number, of an earlier export."""
    found: list[Run] = []
    token = None
    while True:
        page = mlflow.search_runs([experiment_id], f"tags.`{JOB_TAG}` = '{job_id}'", page_token=token)
        found += page
        token = page.token
        if not token:
            break
    found.sort(key=lambda run: run.info.start_time or 0)
    parent = next((run for run in found if RUN_TAG not in run.data.tags), None)
    return parent, {run.data.tags[RUN_TAG]: run for run in found if RUN_TAG in run.data.tags}


def _log(
    mlflow: "MlflowClient",
    run: "Run",
    points: Points,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    job: "Reply[JobView]",
    *,
    fresh: bool,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    run_id, at = str(run.info.run_id), _millis(job["finished_at"])
    fixed, now = _settled({clean(key): str(value)[:LONGEST_VALUE] for key, value in params.items()}, run.data.params)
    known: dict[str, dict[int, float]] = {}
    if not fresh:
        known = {key: {m.step: m.value for m in mlflow.get_metric_history(run_id, key)} for key in points}
    metrics = [
        Metric(key, value, at, n)
        for key, curve in points.items()
        for n, value in sorted(curve.items())
        if known.get(key, {}).get(n) != value
    ]
    mlflow.log_batch(
        run_id,
        params=[Param(key, value) for key, value in fixed.items()],
        tags=[RunTag(key, value[:LONGEST_VALUE]) for key, value in {**tags, **now}.items()],
    )
    for start in range(0, len(metrics), BATCH):
        mlflow.log_batch(run_id, metrics=metrics[start : start + BATCH])
    mlflow.set_terminated(run_id, STATUS[job["state"]], at)


def _settled(params: Mapping[str, str], held: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters that can be written, and the tags for those that may be, or are, others than before.

    Parameters
    ----------
    params : mapping
        As they are now.
    held : mapping
        What an earlier export has written.
    """
    fixed = {key: value for key, value in params.items() if key not in held and key not in CHANGING}
    now = {key: value for key, value in params.items() if key in CHANGING or held.get(key, value) != value}
    tags = {f"spec.{key}": value for key, value in now.items()}
    # One that an earlier version has written is named too, where it no longer holds.
    tags |= {f"spec.{key}": "not set any more" for key in held if key not in params}
    return fixed, tags


def _job_points(client: Answering, job: "Reply[JobView]") -> Points:
    """Return the means and their standard deviations, and where the curve goes from there."""
    keys = _Keys()
    points: Points = {}
    for row in client.measurements(job["id"])["items"]:
        for suffix, value in (("", row["mean"]), (".sd", row["sd"])):
            if value is not None:
                points.setdefault(keys.of(row["metric"], row["class"], suffix), {})[row["n"]] = value
    largest = max(job["steps"] or [0])
    try:
        ahead = by_metric(client.project(job["id"], [times * largest for times in AHEAD])) if points else []
    except ApiError as error:  # too little was measured for a curve
        if error.status != 409:
            raise
        ahead = []
    for row in ahead:
        for suffix, field in ((".projected", "value"), (".projected_lower", "lower"), (".projected_upper", "upper")):
            if row[field] is not None:
                points.setdefault(keys.of(row["metric"], row.get("class"), suffix), {})[row["n"]] = row[field]
    return points


def _run_points(client: Answering, job: "Reply[JobView]") -> dict[int, Points]:
    keys = _Keys()
    runs: dict[int, Points] = {}
    for row in client.measurements(job["id"], "cells")["items"]:
        points = runs.setdefault(row["run"], {})
        if row["value"] is not None:
            points.setdefault(keys.of(row["metric"], row["class"]), {})[row["n"]] = row["value"]
    return runs


class _Keys:
    """Gives every metric, of every class, a key that MLflow takes and no other has."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, Any, str], str] = {}

    def of(self, metric: str, label: Any, suffix: str = "") -> str:
        known = self._given.get((metric, label, suffix))
        if known is None:
            parts = [clean(metric)] if label is None else [clean(metric), clean(str(label))]
            wanted = known = "/".join(parts)[: LONGEST_KEY - len(suffix)] + suffix
            taken = set(self._given.values())
            number = 2
            while known in taken:
                known, number = f"{wanted}_{number}", number + 1
            self._given[metric, label, suffix] = known
        return known


def clean(name: str) -> str:
    """Return a name with only what MLflow takes in keys."""
    return re.sub(r"[^\w.\- ]", "_", name).strip(". ")[:LONGEST_KEY] or "_"


def _params(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked, flat: ``training.lr``."""
    flat: dict[str, Any] = {}
    for key, value in spec.items():
        if key in ("labels", "metrics") or value is None:
            continue
        if isinstance(value, dict) and "name" in value:
            flat[key] = value["name"]
            flat |= {f"{key}.{name}": given for name, given in value.get("params", {}).items()}
        else:
            flat[key] = value if isinstance(value, str | int | float) else json.dumps(value)
    return flat


def _note(client: Answering, job: "Reply[JobView]") -> str:
    """Return the run's description: the verdict of each metric, or why there is none."""
    if job["error"]:
        return str(job["error"].get("detail", ""))
    try:
        return "\n\n".join(
            f"**{row['metric']}{'' if row.get('class') is None else ' of ' + str(row['class'])}**: {row['sentence']}"
            for row in by_metric(client.verdict(job["id"]))
        )
    except ApiError:
        return ""


def _files(client: Answering, job: "Reply[JobView]") -> Iterable[tuple[str, str]]:
    """Yield the files that the service can make of the job."""
    makers: dict[str, Callable[[], str]] = {
        "measurements.csv": lambda: client.export(job["id"], "csv").decode(),
        "dataeval.json": lambda: client.export(job["id"]).decode(),
        "curves.json": lambda: json.dumps(client.curves(job["id"]), indent=2),
    }
    for metric in dict.fromkeys(row["metric"] for row in client.measurements(job["id"])["items"]):
        makers[f"figures/{clean(metric)}.json"] = partial(_figure, client, job["id"], metric)
        makers[f"figures/{clean(metric)}.svg"] = partial(_picture, client, job["id"], metric)
    for path, make in makers.items():
        try:
            yield path, make()
        except ApiError as error:  # too little was measured for a curve, or the service is one without figures
            if error.status not in (404, 409):
                raise


def _figure(client: Answering, id: str, metric: str) -> str:
    return json.dumps(client.figure(id, metric=metric))


def _picture(client: Answering, id: str, metric: str) -> str:
    return client.plot(id, "svg", metric=metric).decode()


def _millis(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
