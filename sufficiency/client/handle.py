"""A study in Python's hands: what is known of it, with the questions that it can be asked, and a face in notebooks."""

import json
from collections.abc import Mapping
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from sufficiency.client.asking import Answering
from sufficiency.client.errors import ClientError
from sufficiency.client.frames import Rows, by_metric, means_table
from sufficiency.client.progress import summary
from sufficiency.client.replies import Reply
from sufficiency.schemas.jobs import JobView, ProgressView
from sufficiency.schemas.paging import Page
from sufficiency.schemas.words import ExportFormat, MeasurementsView, PictureKind

if TYPE_CHECKING:
    from sufficiency.answers.dataeval import SufficiencyOutput
    from sufficiency.schemas.decisions import DecisionView
    from sufficiency.schemas.gates import GateView
    from sufficiency.schemas.results import (
        AverageMeasurement,
        CellMeasurement,
        CellView,
        Curves,
        InverseProjection,
        Projection,
    )
    from sufficiency.schemas.verdicts import Verdicts


class Handle(Reply[JobView]):
    """A study as the API shows it (``study["state"]``, ``study.view.state``), and what can be asked of it.

    Parameters
    ----------
    asked : Answering
        Who answers.
    seen : mapping
        What is known of the study.
    """

    def __init__(self, asked: Answering, seen: Mapping[str, Any]) -> None:
        super().__init__(seen, JobView)
        self._asked = asked

    @property
    def asked(self) -> Answering:
        """Who answers questions about it."""
        return self._asked

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
            cells = self._asked.measurements(self.id, view)
            return Rows(cells["items"], cells)
        averages = self._asked.measurements(self.id, view)
        return Rows(averages["items"], averages)

    def cells(self) -> "Rows[Page[CellView]]":
        """Return the measured cells: optimiser steps, what the learner settled by itself, the library's warnings."""
        cells = self._asked.cells(self.id)
        return Rows(cells["items"], cells)

    def project(self, *n: float, **options: Any) -> "Rows[Projection]":
        """Return what the metrics are expected to be at training-set sizes; the options are `Client.project`'s."""
        return by_metric(self._asked.project(self.id, n, **options))

    def inv_project(self, *targets: float | str, **options: Any) -> "Rows[InverseProjection]":
        """Return how many training items the targets need; the options are `Client.inv_project`'s."""
        return by_metric(self._asked.inv_project(self.id, targets, **options))

    def verdict(self, **options: Any) -> "Rows[Verdicts]":
        """Return whether more data is worth it, a row a metric, first the one that answers for the job.

        Parameters
        ----------
        **options
            `Client.verdict`'s.
        """
        rows = by_metric(self._asked.verdict(self.id, **options))
        asked_first = (rows.answer.get("overall") or {}).get("metric")
        rows.sort(key=lambda row: bool(row["metric"] != asked_first))
        return rows

    def decide(self, price: float, **options: Any) -> "Reply[DecisionView]":
        """Return how many labels to buy now; the options are `Client.decide`'s."""
        return self._asked.decide(self.id, price, **options)

    def decision_figure(self, price: float, **options: Any) -> Any:
        """Return what money buys at best: a ``plotly.graph_objects.Figure`` where plotly is there, else JSON."""
        return _plotly(self._asked.decision_figure(self.id, price, **options))

    def decision_plot(self, price: float, kind: PictureKind = "svg", **options: Any) -> bytes:
        """Return what money buys at best as a picture; the options are `Client.decision_plot`'s."""
        return self._asked.decision_plot(self.id, price, kind, **options)

    def gate(self, *targets: float | str, **options: Any) -> "Reply[GateView]":
        """Return whether every target is met surely enough; the options are `Client.gate`'s."""
        return self._asked.gate(self.id, targets, **options)

    def report(self, **terms: Any) -> str:
        """Return one page of HTML for who pays; with prices, as `decide` takes them."""
        return self._asked.report(self.id, **terms)

    def curves(self, **options: Any) -> "Reply[Curves]":
        """Return the fitted curves with their back-test; the options are `Client.curves`'s."""
        return self._asked.curves(self.id, **options)

    def figure(self, **options: Any) -> Any:
        """Return the figure: a ``plotly.graph_objects.Figure`` where plotly is installed, else its JSON as a dict.

        Parameters
        ----------
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        return _plotly(self._asked.figure(self.id, **options))

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
        picture = self._asked.plot(self.id, kind, **options)
        return picture.decode() if kind == "svg" else picture

    def table(self, view: str, params: Mapping[str, Any] | None = None) -> str:
        """Return ``measurements``, ``project`` or ``inv_project`` as CSV: the wide form of DataEval's data frames."""
        return self._asked.table(self.id, view, params)

    def export(self, format: ExportFormat = "dataeval") -> bytes:
        """Return the results as a file; see `Client.export`."""
        return self._asked.export(self.id, format)

    def to_dataeval(self) -> "SufficiencyOutput":
        """Return what DataEval's ``Sufficiency`` would have returned; ``dataeval_plots.plot`` draws it."""
        from sufficiency.answers.dataeval import SufficiencyOutput

        return SufficiencyOutput.of(json.loads(self.export()))

    def to_mlflow(self, tracking_uri: str, experiment: str = "sufficiency") -> str:
        """Write the results to MLflow, once however often it is called; return the id of the job's run there."""
        from sufficiency.client.mlflow import export_study

        return export_study(self._asked, self.id, tracking_uri, experiment)

    # How it looks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {summary(self)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the figure; a table where there is none, be it that the service or the job has none yet."""
        shown = {"text/plain": repr(self)}
        try:
            return {**shown, "image/svg+xml": self.plot()}
        except ClientError:
            return {**shown, "text/html": self._html()}

    # Not _repr_html_: notebooks would prefer it to the figure.
    def _html(self) -> str:
        head = f"<p><b>{type(self).__name__} {escape(self.id)}</b>: {escape(summary(self))}</p>"
        try:
            return head + (means_table(self.measurements()) if (self.get("progress") or {}).get("cells_done") else "")
        except ClientError as error:
            return head + f"<p>{escape(str(error))}</p>"


def _plotly(figure: dict[str, Any]) -> Any:
    try:
        return import_module("plotly.graph_objects").Figure(figure)
    except ImportError:
        return figure
