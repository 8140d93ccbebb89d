"""The calls of the API, each a method: what it takes, and what it answers, with the API's own model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload
from uuid import UUID

from sufficiency.client.connection import Connection, segment
from sufficiency.client.replies import Reply
from sufficiency.client.waiting import wait_until
from sufficiency.schemas.words import ENDED, ExportFormat, FingerprintOf, MeasurementsView, PictureKind

# A client is made in a moment: what it takes to send a request, and the models of the answers, are imported by the
# first call that needs them.
if TYPE_CHECKING:
    from sufficiency.client.events import JobEvent
    from sufficiency.schemas.datasets import DatasetView
    from sufficiency.schemas.decisions import DecisionView
    from sufficiency.schemas.forecasts import Forecasts
    from sufficiency.schemas.gates import GateView
    from sufficiency.schemas.jobs import ExtensionPlanView, JobView, PlanView
    from sufficiency.schemas.logs import JobOutput, OutputPiece
    from sufficiency.schemas.paging import Page
    from sufficiency.schemas.plugins import PluginView
    from sufficiency.schemas.results import (
        AverageMeasurement,
        CellMeasurement,
        CellView,
        ComparisonView,
        Curves,
        InverseProjection,
        Projection,
        Refitted,
    )
    from sufficiency.schemas.spec import JobSpec
    from sufficiency.schemas.uploads import UploadView
    from sufficiency.schemas.verdicts import Verdicts
    from sufficiency.schemas.words import Plan
    from sufficiency.schemas.workers import WorkerView

J = TypeVar("J", bound="Reply[JobView]")


class Calls(ABC, Generic[J]):
    """The calls of one service's API.

    Parameters
    ----------
    connection : Connection
        To the service.

    Notes
    -----
    `J` is what a job becomes: `_seen` makes it of the API's answer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def url(self) -> str:
        """The service that it talks to."""
        return self._connection.url

    @abstractmethod
    def _seen(self, answer: Mapping[str, Any]) -> J: ...

    # What workers offer

    def ready(self) -> bool:
        """Return whether the service can be reached and says that it is ready; never raises."""
        http = self._connection.http
        from httpx import HTTPError

        try:
            return http.get("/readyz", timeout=5.0).status_code == 200
        except HTTPError:
            return False

    def version(self) -> str:
        """Return the version of the service."""
        return str(self._connection.json("GET", "/version")["version"])

    def plugins(self, kind: str | None = None) -> "list[Reply[PluginView]]":
        """Return the plugins of the catalog, all of them or of one kind."""
        from sufficiency.schemas.plugins import PluginView

        return [Reply(one, PluginView) for one in self._connection.items("/plugins", {"kind": kind})]

    def plugin(self, kind: str, name: str) -> "Reply[PluginView]":
        """Return one plugin."""
        from sufficiency.schemas.plugins import PluginView

        return Reply(self._connection.json("GET", f"/plugins/{segment(kind)}/{segment(name)}"), PluginView)

    def workers(self) -> "list[Reply[WorkerView]]":
        """Return the workers that the service has heard of lately."""
        from sufficiency.schemas.workers import WorkerView

        return [Reply(one, WorkerView) for one in self._connection.items("/workers")]

    # Datasets

    def datasets(self) -> "list[Reply[DatasetView]]":
        """Return the registered datasets."""
        return [self._dataset(one) for one in self._connection.items("/datasets")]

    def dataset(self, name: str) -> "Reply[DatasetView]":
        """Return one dataset."""
        return self._dataset(self._connection.json("GET", f"/datasets/{segment(name)}"))

    def uploads(self) -> "list[Reply[UploadView]]":
        """Return the files that were sent to the service."""
        from sufficiency.schemas.uploads import UploadView

        return [Reply(one, UploadView) for one in self._connection.items("/uploads")]

    def upload(self, file: "str | Path", name: str | None = None) -> "Reply[UploadView]":
        """Send a file to a service with a data folder of its own, such as a standalone, for datasets to be read from.

        Parameters
        ----------
        file : path
            Ends in .npz, .csv, .tsv, .txt or .parquet; it is sent as it is, and read here a part at a time.
        name : str, optional
            What it is called there; default its own name.

        Returns
        -------
        Reply of UploadView
            Its ``path`` is what a loader takes. The same file sent again is the one that is there.
        """
        from sufficiency.schemas.uploads import UploadView

        place = Path(file)
        with place.open("rb") as content:
            answer = self._connection.json(
                "PUT",
                f"/uploads/{segment(name or place.name)}",
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(place.stat().st_size)},
                content=content,
            )
        return Reply(answer, UploadView)

    def delete_upload(self, name: str) -> None:
        """Delete a file that was sent; refused while a dataset is read from it."""
        self._connection.request("DELETE", f"/uploads/{segment(name)}")

    def add_dataset(
        self,
        name: str,
        train: Mapping[str, Any] | None = None,
        test: Mapping[str, Any] | None = None,
        *,
        source: Mapping[str, Any] | None = None,
        split: Mapping[str, Any] | None = None,
        standardise: bool = False,
        features: Mapping[str, Any] | None = None,
        fingerprint: FingerprintOf = "content",
        seed: int = 0,
    ) -> "Reply[DatasetView]":
        """Register a pair of splits; a worker then reads and verifies it.

        Parameters
        ----------
        name : str
            How jobs will call it.
        train, test : mapping
            A loader plugin and its parameters: ``{"loader": "idx", "params": {"path": "mnist", "split": "train"}}``.
        source : mapping, optional
            The same, in place of `train` and `test`: one source that is split by seed.
        split : mapping, optional
            How: of ``{"test_fraction": 0.2, "seed": 0, "stratify": True, "group_by": None}`` what differs.
        features : mapping, optional
            Put what a layer of a registered model is given in place of the items: ``{"model": "tutorial-cnn", "head":
            None}``. It is computed once, and the model is not trained.
        standardise : bool
            Put every feature at mean 0 and SD 1 of the training split.
        fingerprint : {"content", "structure"}
            By what it is known again: all that it holds; or its sizes and labels alone, for items that are another
            whenever they are read.
        seed : int
            Of what its loaders draw at random.

        Returns
        -------
        Reply of DatasetView
            As registered, usually still ``verifying``; see `wait_dataset`.
        """
        asked: dict[str, Any] = {
            "train": train,
            "test": test,
            "source": source,
            "split": split,
            "standardise": standardise or None,
            "features": features,
        }
        asked |= {"fingerprint": None if fingerprint == "content" else fingerprint, "seed": seed or None}
        body = {"name": name, **{key: value for key, value in asked.items() if value is not None}}
        return self._dataset(self._connection.json("POST", "/datasets", body=body))

    def wait_dataset(self, name: str, timeout: float | None = None) -> "Reply[DatasetView]":
        """Return the dataset once it is verified, be it ``ready`` or ``invalid``.

        Raises
        ------
        WaitTimeout
            When it is still being verified after `timeout` seconds.
        """
        return wait_until(
            lambda: self.dataset(name),
            lambda dataset: dataset["status"] != "verifying",
            timeout,
            f"dataset {name!r} is still being verified after {timeout} s: is a worker running? (`sufficiency workers`)",
        )

    def verify_dataset(self, name: str) -> "Reply[DatasetView]":
        """Have a worker read a dataset anew, after its files have changed; see `wait_dataset`."""
        return self._dataset(self._connection.json("POST", f"/datasets/{segment(name)}/verify"))

    def add_version(
        self, name: str, *, appended: Mapping[str, Any] | None = None, train: Mapping[str, Any] | None = None
    ) -> "Reply[DatasetView]":
        """Append items to a dataset: a version of it that keeps the items before, and the test split.

        Parameters
        ----------
        name : str
            Of the dataset, or of any version of it; the latest is added to.
        appended : mapping, optional
            What reads the new items: ``{"loader": …, "params": …}``.
        train : mapping, optional
            In its place what reads the whole training split, old items first.

        Returns
        -------
        Reply[DatasetView]
            The version, called ``name@2``, ``name@3``, …; usually still ``verifying``, see `wait_dataset`.
        """
        asked = {"appended": appended, "train": train}
        body = {key: dict(value) for key, value in asked.items() if value is not None}
        return self._dataset(self._connection.json("POST", f"/datasets/{segment(name)}/versions", body=body))

    def versions(self, name: str) -> "list[Reply[DatasetView]]":
        """Return a dataset's versions, the first first."""
        return [self._dataset(one) for one in self._connection.items(f"/datasets/{segment(name)}/versions")]

    def remove_dataset(self, name: str) -> None:
        """Remove a dataset's registration; its files stay."""
        self._connection.request("DELETE", f"/datasets/{segment(name)}")

    def _dataset(self, answer: Mapping[str, Any]) -> "Reply[DatasetView]":
        from sufficiency.schemas.datasets import DatasetView

        return Reply(answer, DatasetView)

    # Jobs

    @overload
    def submit(
        self, spec: "JobSpec | Mapping[str, Any]", *, dry_run: Literal[False] = ..., idempotency_key: str | None = ...
    ) -> J: ...

    @overload
    def submit(
        self, spec: "JobSpec | Mapping[str, Any]", *, dry_run: Literal[True], idempotency_key: str | None = ...
    ) -> "Reply[PlanView]": ...

    def submit(
        self, spec: "JobSpec | Mapping[str, Any]", *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> "J | Reply[PlanView]":
        """Submit a job.

        Parameters
        ----------
        spec : JobSpec or mapping
            What to measure.
        dry_run : bool
            Validate and answer the plan; store nothing.
        idempotency_key : str, optional
            The same key with the same spec answers the same job again, however often it is sent.

        Returns
        -------
        Job or Reply of PlanView
            The queued job, with methods of its own (`Job.wait`, `Job.project` …), or the plan of a dry run.
        """
        # Only what the caller set is sent, so that the service's own defaults fill in the rest.
        body = spec if isinstance(spec, Mapping) else spec.model_dump(mode="json", exclude_unset=True)
        params = {"dry_run": "true"} if dry_run else None
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        answer = self._connection.json("POST", "/jobs", params, body=body, headers=headers)
        if not dry_run:
            return self._seen(answer)
        from sufficiency.schemas.jobs import PlanView

        return Reply(answer, PlanView)

    def job(self, id: str | UUID) -> J:
        """Return one job."""
        return self._seen(self._connection.json("GET", _path(id)))

    def jobs(self, *, limit: int | None = None, **filters: Any) -> Iterator[J]:
        """Iterate over jobs, the newest first, page by page.

        Parameters
        ----------
        limit : int, optional
            At most so many; default all.
        **filters
            ``state``, ``label``, ``model``, ``dataset``, ``created_after``, and ``q``, parts of words in the job's
            name, model, dataset or id; a list repeats the filter. ``sort`` is another order: ``created``, ``name``,
            ``finished`` or ``value``, with ``-`` before it the greatest first.
        """
        if limit is not None:
            filters["limit"] = min(limit, 100)
        return islice((self._seen(seen) for seen in self._connection.items("/jobs", filters)), limit)

    def rename(self, id: str | UUID, *, name: str | None = None, note: str | None = None) -> J:
        """Give a job another name or another note; what it measures stays as it is.

        Parameters
        ----------
        id : str or UUID
            The job.
        name, note : str, optional
            What it is to be called, and what is to be remembered of it; empty for none.
        """
        body = {key: text for key, text in (("name", name), ("note", note)) if text is not None}
        return self._seen(self._connection.json("PATCH", _path(id), body=body))

    def cancel(self, id: str | UUID) -> J:
        """Ask a job to stop; what it has measured stays."""
        return self._seen(self._connection.json("POST", f"{_path(id)}/cancel"))

    def retry(self, id: str | UUID, *, start_anew: bool = False) -> J:
        """Queue a failed or cancelled job again; what it has measured stays.

        Parameters
        ----------
        id : str or UUID
            The job.
        start_anew : bool
            Drop what is measured, and measure all of it again with the plugins and the data of now. That is the way on
            when these are not what the job was measured with (`ApiError` with code ``plugin_changed`` or
            ``dataset_changed``), and the only one for a completed job.
        """
        return self._seen(
            self._connection.json("POST", f"{_path(id)}/retry", {"start_anew": "true"} if start_anew else None)
        )

    @overload
    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        plan: "Plan | None" = ...,
        stop_when: Mapping[str, Any] | None = ...,
        budget: Mapping[str, Any] | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[False] = ...,
        idempotency_key: str | None = ...,
    ) -> J: ...

    @overload
    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        plan: "Plan | None" = ...,
        stop_when: Mapping[str, Any] | None = ...,
        budget: Mapping[str, Any] | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[True],
        idempotency_key: str | None = ...,
    ) -> "Reply[ExtensionPlanView]": ...

    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = None,
        steps: Sequence[int] | None = None,
        dataset: str | None = None,
        plan: "Plan | None" = None,
        stop_when: Mapping[str, Any] | None = None,
        budget: Mapping[str, Any] | None = None,
        start_anew: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "J | Reply[ExtensionPlanView]":
        """Add runs or steps to an ended job and queue it again; what it has measured stays.

        Parameters
        ----------
        id : str or UUID
            The job.
        runs : int, optional
            The larger number of runs that it shall have in all.
        steps : sequence of int, optional
            Sizes to measure besides those that it has, in increasing order.
        dataset : str, optional
            A later version of the job's dataset, to which it goes on, up to all that there is unless `steps` are named;
            or another registration of the same data; other data only with `start_anew`.
        plan : {"adaptive", "grid"}, optional
            ``"grid"`` measures what an adaptive job has left out.
        stop_when, budget : mapping, optional
            Another question, another budget, in place of those that it has.
        start_anew : bool
            Drop what is measured, and measure all of it with the plugins and the data of now.
        dry_run : bool
            Validate and answer the plan; store nothing.
        idempotency_key : str, optional
            The same key with the same request extends the job once, however often it is sent.

        Returns
        -------
        Job or Reply of ExtensionPlanView
            The queued job, or the plan of a dry run.
        """
        wanted = {
            "runs": runs,
            "steps": list(steps) if steps is not None else None,
            "dataset": dataset,
            "plan": plan,
            "stop_when": stop_when,
            "budget": budget,
        }
        flags = {"start_anew": start_anew, "dry_run": dry_run}
        answer = self._connection.json(
            "POST",
            f"{_path(id)}/extend",
            {name: "true" for name, is_set in flags.items() if is_set},
            body={name: value for name, value in wanted.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else None,
        )
        if not dry_run:
            return self._seen(answer)
        from sufficiency.schemas.jobs import ExtensionPlanView

        return Reply(answer, ExtensionPlanView)

    def delete(self, id: str | UUID) -> None:
        """Delete an ended job with everything it measured."""
        self._connection.request("DELETE", _path(id))

    def wait(self, id: str | UUID, timeout: float | None = None, *, each: Callable[[J], object] | None = None) -> J:
        """Return the job once it has ended: completed, failed or cancelled.

        Parameters
        ----------
        id : str or UUID
            The job.
        timeout : float, optional
            Seconds; default as long as it takes.
        each : callable, optional
            Gets the job whenever it was looked at.

        Raises
        ------
        WaitTimeout
            When it has not ended after `timeout` seconds; it goes on.
        """

        def look() -> J:
            job = self.job(id)
            if each is not None:
                each(job)
            return job

        return wait_until(
            look,
            lambda job: job["state"] in ENDED,
            timeout,
            f"job {id} has not ended after {timeout} s; it goes on",
        )

    def events(self, id: str | UUID, last_id: int | None = None) -> "Iterator[JobEvent]":
        """Iterate over a job's events until it has ended, across broken connections.

        Parameters
        ----------
        id : str or UUID
            The job.
        last_id : int, optional
            The last event already seen; default all from the first.

        Raises
        ------
        ServiceUnreachable
            When the connection broke and could not be made again.
        """
        from sufficiency.client.events import follow

        return follow(self._connection, f"{_path(id)}/events", last_id, lambda: self.job(id)["state"] in ENDED)

    def logs(self, id: str | UUID, tail: int = 200) -> "Reply[JobOutput]":
        """Return the last lines that a job's plugins, and the libraries below them, have written."""
        from sufficiency.schemas.logs import JobOutput

        return Reply(self._connection.json("GET", f"{_path(id)}/logs", {"tail": tail}), JobOutput)

    def follow_logs(self, id: str | UUID, last_id: int = 0) -> "Iterator[Reply[OutputPiece]]":
        """Iterate over what a job's plugins write, across broken connections, until the job has ended.

        Parameters
        ----------
        id : str or UUID
            The job.
        last_id : int
            Go on behind this piece, as `logs` names it; default all that is kept.

        Raises
        ------
        ServiceUnreachable
            When the connection broke and could not be made again.
        """
        from sufficiency.client.events import follow
        from sufficiency.schemas.logs import OutputPiece

        path = f"{_path(id)}/logs/stream"
        for event in follow(self._connection, path, last_id, lambda: self.job(id)["state"] in ENDED):
            if event.type == "output":
                yield Reply(event.data, OutputPiece)

    # Results

    @overload
    def measurements(self, id: str | UUID, view: Literal["averages"] = ...) -> "Reply[Page[AverageMeasurement]]": ...

    @overload
    def measurements(self, id: str | UUID, view: Literal["cells"]) -> "Reply[Page[CellMeasurement]]": ...

    @overload
    def measurements(
        self, id: str | UUID, view: MeasurementsView
    ) -> "Reply[Page[AverageMeasurement]] | Reply[Page[CellMeasurement]]": ...

    def measurements(
        self, id: str | UUID, view: MeasurementsView = "averages"
    ) -> "Reply[Page[AverageMeasurement]] | Reply[Page[CellMeasurement]]":
        """Return a job's measurements: every cell's values, or mean and standard deviation a step; all pages as one."""
        from sufficiency.schemas.paging import Page
        from sufficiency.schemas.results import AverageMeasurement, CellMeasurement

        items = list(self._connection.items(f"{_path(id)}/measurements", {"view": view}))
        answer = {"items": items, "next_cursor": None}
        return Reply(answer, Page[CellMeasurement]) if view == "cells" else Reply(answer, Page[AverageMeasurement])

    def cells(self, id: str | UUID) -> "Reply[Page[CellView]]":
        """Return a job's measured cells: optimiser steps, what the learner settled by itself, warnings."""
        from sufficiency.schemas.paging import Page
        from sufficiency.schemas.results import CellView

        items = list(self._connection.items(f"{_path(id)}/cells"))
        return Reply({"items": items, "next_cursor": None}, Page[CellView])

    def project(self, id: str | UUID, n: Sequence[float], **options: Any) -> "Reply[Projection]":
        """Return what the metrics are expected to be at training-set sizes `n`.

        Parameters
        ----------
        id : str or UUID
            The job.
        n : sequence of float
            Training-set sizes.
        **options
            ``metric``, ``level``, ``method``, ``method_version``, and ``of``: whose interval, of the ``mean``, of
            ``one_training``, or of the ``population`` that the test split was drawn from.
        """
        from sufficiency.schemas.results import Projection

        answer = self._connection.json("GET", f"{_path(id)}/project", {"n": list(n), **options})
        return Reply(answer, Projection)

    def inv_project(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> "Reply[InverseProjection]":
        """Return how many training items the targets need.

        Parameters
        ----------
        id : str or UUID
            The job.
        targets : sequence of float or str
            ``0.93`` for all metrics, or ``"Accuracy:0.93"`` for one.
        **options
            ``level``, ``method``, ``method_version``.
        """
        from sufficiency.schemas.results import InverseProjection

        return Reply(
            self._connection.json("GET", f"{_path(id)}/inv_project", {"target": list(targets), **options}),
            InverseProjection,
        )

    def verdict(self, id: str | UUID, **options: Any) -> "Reply[Verdicts]":
        """Return whether more data is worth it, by every metric.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``level``, ``primary``: the metric that answers for the job, and ``min_gain``: what doubling the
            data must bring, in the metric's units, 0.01 for all or ``"Accuracy:0.01"``; a list repeats it.
        """
        from sufficiency.schemas.verdicts import Verdicts

        return Reply(self._connection.json("GET", f"{_path(id)}/verdict", options), Verdicts)

    def refit(self, id: str | UUID) -> "Reply[Refitted]":
        """Fit a completed job's curves anew, by the present versions of the methods; nothing is measured.

        Returns
        -------
        Reply
            The versions `before` and `now`; answers by the former are there still, by their ``method_version``.
        """
        from sufficiency.schemas.results import Refitted

        return Reply(self._connection.json("POST", f"{_path(id)}/refit"), Refitted)

    def decide(self, id: str | UUID, price: float, **options: Any) -> "Reply[DecisionView]":
        """Return how many labels to buy now, 0 among the answers, and what is to be expected of it.

        Parameters
        ----------
        id : str or UUID
            The job.
        price : float
            Of a label.
        **options
            ``value``: of a point; or ``target`` (0.95 or ``"Accuracy:0.95"``) with the ``penalty`` of missing it.
            ``round_cost`` of each purchase, ``rounds`` that are left, ``budget``, ``metric``, ``class``.
        """
        from sufficiency.schemas.decisions import DecisionView

        return Reply(self._connection.json("GET", f"{_path(id)}/decision", {"price": price, **options}), DecisionView)

    def decision_figure(self, id: str | UUID, price: float, **options: Any) -> dict[str, Any]:
        """Return what money buys at best as a Plotly figure; the options are those of `decide`, and ``theme``."""
        return self._connection.json("GET", f"{_path(id)}/decision/figure", {"price": price, **options})

    def decision_plot(self, id: str | UUID, price: float, kind: PictureKind = "svg", **options: Any) -> bytes:
        """Return what money buys at best as a picture; the options are those of `decide`, and ``theme``."""
        params = {"price": price, **options}
        return self._connection.request("GET", f"{_path(id)}/decision/plot.{kind}", params).content

    def gate(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> "Reply[GateView]":
        """Return whether every target is met surely enough.

        Parameters
        ----------
        id : str or UUID
            The job.
        targets : sequence of float or str
            ``0.93`` for all metrics, or ``"Accuracy:0.93"`` for one.
        **options
            ``probability``, 0.8 unless given; ``n``, the largest measured size unless given; ``class``, ``level``.
        """
        from sufficiency.schemas.gates import GateView

        return Reply(self._connection.json("GET", f"{_path(id)}/gate", {"target": list(targets), **options}), GateView)

    def report(self, id: str | UUID, **terms: Any) -> str:
        """Return the job on one page of HTML, which prints on a sheet of A4; with prices, as `decide` takes them."""
        return self._connection.request("GET", f"{_path(id)}/report", terms).text

    def curves(self, id: str | UUID, **options: Any) -> "Reply[Curves]":
        """Return the fitted curves with their back-test.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``method``, and ``method_version``: what the curves were until they were fitted anew.
        """
        from sufficiency.schemas.results import Curves

        return Reply(self._connection.json("GET", f"{_path(id)}/curves", options), Curves)

    def compare(self, ids: Sequence[str | UUID], **options: Any) -> "Reply[ComparisonView]":
        """Return jobs' curves side by side: where they cross, and how many times the data one needs.

        Parameters
        ----------
        ids : sequence of str or UUID
            The jobs; the first is what the others are compared with.
        **options
            ``metric``, ``level``.
        """
        from sufficiency.schemas.results import ComparisonView

        return Reply(
            self._connection.json("GET", "/compare", {"job": [str(id) for id in ids], **options}), ComparisonView
        )

    def forecasts(self, **options: Any) -> "Reply[Forecasts]":
        """Return what was said of sizes before they were measured, what came, and how well all of it came true.

        Parameters
        ----------
        **options
            ``job``, ``metric``, ``scored``, ``limit``, ``cursor``; a list repeats it.
        """
        from sufficiency.schemas.forecasts import Forecasts

        return Reply(self._connection.json("GET", "/forecasts", options), Forecasts)

    def figure(self, id: str | UUID, **options: Any) -> dict[str, Any]:
        """Return one metric's curve as a Plotly figure, for ``plotly.graph_objects.Figure``.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        return self._connection.json("GET", f"{_path(id)}/figure", options)

    def plot(self, id: str | UUID, kind: PictureKind = "svg", **options: Any) -> bytes:
        """Return one metric's curve as a picture; the options are those of `figure`."""
        return self._connection.request("GET", f"{_path(id)}/plot.{kind}", options).content

    def table(self, id: str | UUID, view: str, params: Mapping[str, Any] | None = None) -> str:
        """Return ``measurements``, ``project`` or ``inv_project`` as CSV: the wide form of DataEval's data frames."""
        return self._connection.request("GET", f"{_path(id)}/{view}", {**(params or {}), "format": "csv"}).text

    def export(self, id: str | UUID, format: ExportFormat = "dataeval") -> bytes:
        """Return a job's results as a file.

        Parameters
        ----------
        id : str or UUID
            The job.
        format : {"dataeval", "csv"}
            ``dataeval`` is the JSON that DataEval's ``SufficiencyOutput`` takes; ``csv`` every cell.
        """
        return self._connection.request("GET", f"{_path(id)}/export", {"format": format}).content


def _path(id: str | UUID) -> str:
    return f"/jobs/{segment(str(id))}"
