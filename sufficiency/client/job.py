"""A job in Python's hands: what the API says of it, with methods, and a face in notebooks."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from sufficiency.client.errors import ClientError
from sufficiency.client.frames import Rows, by_metric, means_table
from sufficiency.client.progress import progress_bar
from sufficiency.client.replies import Reply
from sufficiency.schemas.jobs import ExtensionPlanView, JobView, ProgressView
from sufficiency.schemas.paging import Page
from sufficiency.schemas.words import ExportFormat, MeasurementsView, PictureKind

if TYPE_CHECKING:
    from sufficiency.answers.dataeval import SufficiencyOutput
    from sufficiency.client.calls import Client
    from sufficiency.client.events import JobEvent
    from sufficiency.schemas.results import (
        AverageMeasurement,
        CellMeasurement,
        Curves,
        InverseProjection,
        Projection,
        Verdicts,
    )


class Job(Reply[JobView]):
    """A job as the API shows it (``job["state"]``, ``job.view.state``), and what can be asked of it.

    Notes
    -----
    It is what was last seen of the job: `refresh` and `wait` look again, and change it in place.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     job = client.submit({"model": {"name": "mlp"}, ...}).wait()
    ...     job.project(5000, 10_000).to_pandas()
    """

    def __init__(self, client: "Client", seen: Mapping[str, Any]) -> None:
        super().__init__(seen, JobView)
        self._client = client

    @property
    def id(self) -> str:
        """Its id."""
        return str(self["id"])

    @property
    def state(self) -> str:
        """Its state when it was last looked at; of a newer service, maybe one that this client does not know."""
        return str(self["state"])

    @property
    def progress(self) -> ProgressView:
        """How far it was when it was last looked at."""
        return self.view.progress

    def refresh(self) -> Self:
        """Look at the job again."""
        return self._see(self._client.job(self.id))

    def wait(
        self,
        timeout: float | None = None,
        *,
        each: "Callable[[Job], object] | None" = None,
        progress: bool | None = None,
    ) -> Self:
        """Return the job once it has ended: completed, failed or cancelled.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default as long as it takes.
        each : callable, optional
            Gets the job whenever it was looked at.
        progress : bool, optional
            Show a bar; default in a notebook and on a terminal.

        Raises
        ------
        WaitTimeout
            When it has not ended after `timeout` seconds; it goes on.
        """
        with progress_bar(progress) as show:

            def looked(job: Job) -> None:
                for tell in (show, each):
                    if tell is not None:
                        tell(job)

            return self._see(self._client.wait(self.id, timeout, each=looked))

    def events(self, last_id: int | None = None) -> "Iterator[JobEvent]":
        """Iterate over its events until it has ended, across broken connections; those after `last_id`, if given."""
        return self._client.events(self.id, last_id)

    def cancel(self) -> Self:
        """Ask the job to stop; what it has measured stays."""
        return self._see(self._client.cancel(self.id))

    def retry(self, *, start_anew: bool = False) -> Self:
        """Queue a failed or cancelled job again; what it has measured stays, unless it is to `start_anew`."""
        return self._see(self._client.retry(self.id, start_anew=start_anew))

    @overload
    def extend(
        self,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[False] = ...,
        idempotency_key: str | None = ...,
    ) -> Self: ...

    @overload
    def extend(
        self,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[True],
        idempotency_key: str | None = ...,
    ) -> Reply[ExtensionPlanView]: ...

    def extend(
        self,
        *,
        runs: int | None = None,
        steps: Sequence[int] | None = None,
        dataset: str | None = None,
        start_anew: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Self | Reply[ExtensionPlanView]:
        """Add runs or steps to an ended job and queue it again; what it has measured stays.

        Parameters
        ----------
        runs : int, optional
            How many there are to be in all.
        steps : sequence of int, optional
            Training-set sizes to add.
        dataset : str, optional
            Another registration of the same data; other data only with `start_anew`.
        start_anew : bool
            Drop what is measured, and measure all of it with the plugins and the data of now.
        dry_run : bool
            Validate and answer the plan; store nothing, and leave this job as it was seen.
        idempotency_key : str, optional
            The same key with the same request extends the job once, however often it is sent.
        """
        if dry_run:
            return self._client.extend(
                self.id,
                runs=runs,
                steps=steps,
                dataset=dataset,
                start_anew=start_anew,
                dry_run=True,
                idempotency_key=idempotency_key,
            )
        return self._see(
            self._client.extend(
                self.id,
                runs=runs,
                steps=steps,
                dataset=dataset,
                start_anew=start_anew,
                idempotency_key=idempotency_key,
            )
        )

    def delete(self) -> None:
        """Delete the ended job with everything it measured."""
        self._client.delete(self.id)

    def _see(self, seen: Mapping[str, Any]) -> Self:
        self.clear()
        self.update(seen)
        self.__dict__.pop("view", None)
        return self

    # Results

    @overload
    def measurements(self, view: Literal["averages"] = ...) -> "Rows[Page[AverageMeasurement]]": ...

    @overload
    def measurements(self, view: Literal["cells"]) -> "Rows[Page[CellMeasurement]]": ...

    def measurements(
        self, view: MeasurementsView = "averages"
    ) -> "Rows[Page[AverageMeasurement]] | Rows[Page[CellMeasurement]]":
        """Return what was measured: every cell's values, or mean and standard deviation a step."""
        if view == "cells":
            cells = self._client.measurements(self.id, view)
            return Rows(cells["items"], cells)
        averages = self._client.measurements(self.id, view)
        return Rows(averages["items"], averages)

    def project(self, *n: float, **options: Any) -> "Rows[Projection]":
        """Return what the metrics are expected to be at training-set sizes; the options are `Client.project`'s."""
        return by_metric(self._client.project(self.id, n, **options))

    def inv_project(self, *targets: float | str, **options: Any) -> "Rows[InverseProjection]":
        """Return how many training items the targets need; the options are `Client.inv_project`'s."""
        return by_metric(self._client.inv_project(self.id, targets, **options))

    def verdict(self, **options: Any) -> "Rows[Verdicts]":
        """Return whether more data is worth it, a row a metric; the options are `Client.verdict`'s."""
        return by_metric(self._client.verdict(self.id, **options))

    def curves(self, **options: Any) -> "Reply[Curves]":
        """Return the fitted curves with their back-test; the options are `Client.curves`'s."""
        return self._client.curves(self.id, **options)

    def figure(self, **options: Any) -> Any:
        """Return the figure: a ``plotly.graph_objects.Figure`` where plotly is installed, else its JSON as a dict.

        Parameters
        ----------
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        figure = self._client.figure(self.id, **options)
        try:
            return import_module("plotly.graph_objects").Figure(figure)
        except ImportError:
            return figure

    @overload
    def plot(self, kind: Literal["svg"] = ..., **options: Any) -> str: ...

    @overload
    def plot(self, kind: Literal["png"], **options: Any) -> bytes: ...

    def plot(self, kind: PictureKind = "svg", **options: Any) -> str | bytes:
        """Return the figure as a picture: SVG as text, PNG as bytes.

        Parameters
        ----------
        kind : {"svg", "png"}
            Which.
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        picture = self._client.plot(self.id, kind, **options)
        return picture.decode() if kind == "svg" else picture

    def table(self, view: str, params: Mapping[str, Any] | None = None) -> str:
        """Return ``measurements``, ``project`` or ``inv_project`` as CSV: the wide form of DataEval's data frames."""
        return self._client.table(self.id, view, params)

    def export(self, format: ExportFormat = "dataeval") -> bytes:
        """Return the results as a file; see `Client.export`."""
        return self._client.export(self.id, format)

    def to_dataeval(self) -> "SufficiencyOutput":
        """Return what DataEval's ``Sufficiency`` would have returned; ``dataeval_plots.plot`` draws it."""
        from sufficiency.answers.dataeval import SufficiencyOutput

        return SufficiencyOutput.of(json.loads(self.export()))

    def to_mlflow(self, tracking_uri: str, experiment: str = "sufficiency") -> str:
        """Write the results to MLflow, once however often it is called; return the id of the job's run there."""
        return self._client.to_mlflow(self.id, tracking_uri, experiment)

    # How it looks

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.summary()}>"

    def summary(self) -> str:
        """Return in a line how far it is, and why no farther."""
        done = self.get("progress") or {}
        cells = f"{done.get('cells_done', 0)}/{done.get('cells_total', 0)} cells"
        why = self.get("queued_reason") or (self.get("error") or {}).get("detail")
        return f"{self.state}, {cells}" + (f": {why}" if why else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the figure; a table where there is none, be it that the service or the job has none yet."""
        shown = {"text/plain": repr(self)}
        try:
            return {**shown, "image/svg+xml": self.plot()}
        except ClientError:
            return {**shown, "text/html": self._html()}

    # Not _repr_html_: notebooks would prefer it to the figure.
    def _html(self) -> str:
        head = f"<p><b>Job {escape(self.id)}</b>: {escape(self.summary())}</p>"
        try:
            return head + (means_table(self.measurements()) if (self.get("progress") or {}).get("cells_done") else "")
        except ClientError as error:
            return head + f"<p>{escape(str(error))}</p>"
