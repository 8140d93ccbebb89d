"""Answers about a study in this process: the service's own, to the same questions, with the same refusals."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, overload
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from sufficiency.answers.comparison import compare
from sufficiency.answers.curves import curves
from sufficiency.answers.decision import decision
from sufficiency.answers.drawing import draw
from sufficiency.answers.errors import BadQuestion, QuestionError, Unanswerable, UnknownSubject
from sufficiency.answers.export import dataeval_export
from sufficiency.answers.figure import Figure, figure
from sufficiency.answers.frontier import draw_frontier, frontier_figure
from sufficiency.answers.gate import gate
from sufficiency.answers.learner import learners_table
from sufficiency.answers.measured import averages, cell_measurement, cells_table
from sufficiency.answers.plotly import plotly_figure
from sufficiency.answers.projection import inv_project, project
from sufficiency.answers.report import report
from sufficiency.answers.study import FittedStudy, choose, fit_study
from sufficiency.answers.tables import Table, averages_table, inverse_table, projection_table
from sufficiency.answers.targets import parse_targets
from sufficiency.answers.verdict import verdict
from sufficiency.client.errors import ApiError
from sufficiency.client.replies import Reply
from sufficiency.method.curve import ASSURANCE, DEFAULT_LEVEL
from sufficiency.method.fitted_to import TrainScores, train_scores
from sufficiency.method.measurements import Series
from sufficiency.method.methods import METHOD_VERSIONS
from sufficiency.schemas.decisions import DecisionTerms, DecisionView, contradictions
from sufficiency.schemas.faults import worded
from sufficiency.schemas.fields import Strict
from sufficiency.schemas.gates import GateView
from sufficiency.schemas.jobs import JobView
from sufficiency.schemas.paging import Page
from sufficiency.schemas.results import (
    AverageMeasurement,
    CellMeasurement,
    CellView,
    ComparisonView,
    Curves,
    InverseProjection,
    Projection,
)
from sufficiency.schemas.verdicts import Verdicts
from sufficiency.schemas.words import DEFAULT_METHOD, ExportFormat, MeasurementsView, Method, Of, PictureKind, Theme
from sufficiency.study.record import Record

M = TypeVar("M", bound=BaseModel)
Q = TypeVar("Q", bound=Strict)

# What the service answers each kind of refusal with.
_STATUS: dict[type[QuestionError], tuple[int, str]] = {
    UnknownSubject: (404, "Not found"),
    Unanswerable: (409, "Not possible in the present state"),
    BadQuestion: (422, "The request is not valid"),
}
Names = str | list[str] | None


class Question(Strict):
    """What every question about curves may be asked with."""

    metric: Names = None
    class_: Names = Field(None, alias="class")
    level: float = Field(DEFAULT_LEVEL, ge=1e-6, le=1 - 1e-6)
    method: Method = DEFAULT_METHOD
    method_version: int | None = Field(None, ge=1)


class _Sizes(Question):
    n: list[Annotated[int, Field(ge=1, le=2**53)]] = Field(min_length=1)
    of: Of = "mean"


class _Targets(Question):
    target: list[str] = Field(min_length=1)


class _Worth(Question):
    min_gain: Names = None
    primary: str | None = None


class _Picture(Question):
    metric: str | None = None
    class_: str | None = Field(None, alias="class")
    target: float | None = Field(None, allow_inf_nan=False)
    theme: Theme = "light"


class _Gated(Strict):
    target: list[str] = Field(min_length=1)
    probability: float = Field(ASSURANCE, gt=0, lt=1)
    n: int | None = Field(None, ge=1, le=2**53)
    class_: Names = Field(None, alias="class")
    level: float = Field(DEFAULT_LEVEL, ge=1e-6, le=1 - 1e-6)


class _Decided(Strict):
    metric: str | None = None
    class_: str | None = Field(None, alias="class")
    level: float = Field(DEFAULT_LEVEL, ge=1e-6, le=1 - 1e-6)


class _Themed(Strict):
    theme: Theme = "light"


class _Table(Strict):
    view: Literal["measurements", "cells", "project", "inv_project"]


class OwnAnswers:
    """Answers about the study of a record.

    Parameters
    ----------
    record : Record
        It may still be measured: each answer is of what there is.
    """

    def __init__(self, record: Record) -> None:
        self._record = record

    @property
    def url(self) -> str:
        """Where it is: in this process."""
        return "this process"

    def job(self, id: str | UUID) -> Reply[JobView]:
        """Return the study as the API shows a job."""
        return Reply(self._record.seen(), JobView)

    @overload
    def measurements(self, id: str | UUID, view: Literal["averages"] = ...) -> Reply[Page[AverageMeasurement]]: ...

    @overload
    def measurements(self, id: str | UUID, view: Literal["cells"]) -> Reply[Page[CellMeasurement]]: ...

    def measurements(
        self, id: str | UUID, view: MeasurementsView = "averages"
    ) -> Reply[Page[AverageMeasurement]] | Reply[Page[CellMeasurement]]:
        """Return every cell's values, or mean and standard deviation a step."""
        study = self._record.study()
        if view == "cells":
            cells = Page[CellMeasurement](
                items=[cell_measurement(study, one) for one in self._record.values()], next_cursor=None
            )
            return _reply(cells)
        return _reply(Page[AverageMeasurement](items=averages(study, self._record.series()), next_cursor=None))

    def cells(self, id: str | UUID) -> Reply[Page[CellView]]:
        """Return the measured cells: optimiser steps, what the learner settled by itself, warnings."""
        return _reply(Page[CellView](items=self._record.cell_views(), next_cursor=None))

    def project(self, id: str | UUID, n: Sequence[float], **options: Any) -> Reply[Projection]:
        """Return what the metrics are expected to be at training-set sizes `n`; see `Client.project`."""
        with _refusing("project"):
            return _reply(self._projection(n, options))

    def inv_project(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> Reply[InverseProjection]:
        """Return how many training items the targets need; see `Client.inv_project`."""
        with _refusing("inv_project"):
            return _reply(self._inverse(targets, options))

    def verdict(self, id: str | UUID, **options: Any) -> Reply[Verdicts]:
        """Return whether more data is worth it; see `Client.verdict`."""
        with _refusing("verdict"):
            asked = _asked(_Worth, options)
            gains = parse_targets(_names(asked.min_gain), "min_gain")
            return _reply(verdict(self.fitted(asked), gains, asked.level, asked.primary, self._trained()))

    def decide(self, id: str | UUID, price: float, **options: Any) -> Reply[DecisionView]:
        """Return how many labels to buy now; see `Client.decide`."""
        with _refusing("decision"):
            return _reply(self._decision(price, options))

    def decision_figure(self, id: str | UUID, price: float, **options: Any) -> dict[str, Any]:
        """Return what money buys at best as a Plotly figure; see `Client.decision_figure`."""
        with _refusing("decision/figure"):
            theme = _asked(_Themed, {"theme": options.pop("theme", None)}).theme
            return frontier_figure(self._decision(price, options), theme)

    def decision_plot(self, id: str | UUID, price: float, kind: PictureKind = "svg", **options: Any) -> bytes:
        """Return what money buys at best as a picture; see `Client.decision_plot`."""
        with _refusing("decision/plot"):
            theme = _asked(_Themed, {"theme": options.pop("theme", None)}).theme
            return draw_frontier(self._decision(price, options), kind, theme)

    def gate(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> Reply[GateView]:
        """Return whether every target is met surely enough; see `Client.gate`."""
        with _refusing("gate"):
            asked = _asked(_Gated, {**options, "target": [str(_plain(one)) for one in targets]})
            fitted = self.fitted(Question.model_validate({"class": asked.class_}))
            return _reply(gate(fitted, parse_targets(asked.target), asked.probability, asked.n, asked.level))

    def report(self, id: str | UUID, **terms: Any) -> str:
        """Return one page of HTML for who pays; see `Client.report`."""
        with _refusing("report"):
            priced = self._terms(terms) if terms.get("price") is not None else None
            return report(self.fitted(Question()), priced, trained=self._trained())

    def curves(self, id: str | UUID, **options: Any) -> Reply[Curves]:
        """Return the fitted curves with their back-test; see `Client.curves`."""
        with _refusing("curves"):
            return _reply(curves(self.fitted(_asked(Question, options))))

    def figure(self, id: str | UUID, **options: Any) -> dict[str, Any]:
        """Return one metric's curve as a Plotly figure; see `Client.figure`."""
        with _refusing("figure"):
            asked = _asked(_Picture, options)
            return plotly_figure(self._picture(asked), asked.theme)

    def plot(self, id: str | UUID, kind: PictureKind = "svg", **options: Any) -> bytes:
        """Return one metric's curve as a picture; see `Client.plot`."""
        with _refusing("plot"):
            asked = _asked(_Picture, options)
            return draw(self._picture(asked), kind, asked.theme)

    def table(self, id: str | UUID, view: str, params: Mapping[str, Any] | None = None) -> str:
        """Return ``measurements``, ``project`` or ``inv_project`` as CSV; see `Client.table`."""
        with _refusing(view):
            return self._table(_asked(_Table, {"view": view}).view, dict(params or {})).csv()

    def export(self, id: str | UUID, format: ExportFormat = "dataeval") -> bytes:
        """Return the results as a file; see `Client.export`."""
        with _refusing("export"):
            study = self._record.study()
            if format == "csv":
                return cells_table(study, self._record.values()).csv().encode()
            return json.dumps(dataeval_export(study, self._record.series(), {}).model_dump()).encode()

    def compare(self, others: Sequence["OwnAnswers"], **options: Any) -> Reply[ComparisonView]:
        """Return the curves of several studies side by side; see `Client.compare`."""
        with _refusing("compare"):
            asked = _asked(Question, options)
            studies = [one.fitted(Question()) for one in (self, *others)]
            marks = [one._record.marks() for one in (self, *others)]
            return _reply(compare(studies, _names(asked.metric) or None, asked.level, marks))

    def _decision(self, price: float, options: dict[str, Any]) -> DecisionView:
        asked = _asked(_Decided, {name: options.pop(name, None) for name in ("metric", "class", "level")})
        terms = self._terms({"price": _plain(price), **options})
        fitted = self.fitted(Question.model_validate({"class": asked.class_}))
        return decision(fitted, terms, asked.metric, asked.level)

    def _terms(self, terms: Mapping[str, Any]) -> DecisionTerms:
        given = dict(terms)
        if given.get("target") is not None:
            given["target"] = str(_plain(given["target"]))
        if faults := contradictions(given):
            detail = "; ".join(why for _, why in faults)
            errors = [{"pointer": name, "detail": why} for name, why in faults]
            raise _refusal(422, "The request is not valid", "contradicting_terms", detail, errors, "decision")
        return _asked(DecisionTerms, given)

    def _trained(self) -> dict[int, TrainScores]:
        return train_scores((self._record.steps[step], cell.details) for (_, step), cell in self._record.cells.items())

    def _projection(self, n: Sequence[float], options: Mapping[str, Any]) -> Projection:
        asked = _asked(_Sizes, {**options, "n": list(n)})
        return project(self.fitted(asked), asked.n, asked.level, asked.of)

    def _inverse(self, targets: Sequence[float | str], options: Mapping[str, Any]) -> InverseProjection:
        asked = _asked(_Targets, {**options, "target": [str(_plain(one)) for one in targets]})
        wanted = parse_targets(asked.target)
        return inv_project(self.fitted(asked), wanted, asked.level)

    def _picture(self, asked: _Picture) -> Figure:
        return figure(self.fitted(asked), asked.target)

    def _table(self, view: str, params: dict[str, Any]) -> Table:
        if view == "project":
            return projection_table(self._projection(params.pop("n"), params))
        if view == "inv_project":
            return inverse_table(self._inverse(params.pop("target"), params))
        if view == "cells":
            return learners_table(self._record.cell_views())
        if params.get("view") == "cells":
            return cells_table(self._record.study(), self._record.values())
        return averages_table(averages(self._record.study(), self._record.series()))

    def fitted(self, asked: Question) -> FittedStudy[Series]:
        """Return the curves that are asked for; those that were fitted stay so until more is measured."""
        present = METHOD_VERSIONS[asked.method]
        if asked.method_version not in (None, present):
            detail = (
                f"This library has version {present} of {asked.method}, and no other; what version "
                f"{asked.method_version} says is kept by the service that was asked, or by a library of its time."
            )
            raise BadQuestion(detail, "unknown_method_version", "method_version")
        place = (
            len(self._record.cells),
            len(self._record.gaps),
            asked.method,
            tuple(_names(asked.metric)),
            tuple(_names(asked.class_)),
        )
        if place not in self._kept:
            study = self._record.study()
            chosen = choose(study, self._record.series(), _names(asked.metric), _names(asked.class_))
            self._kept[place] = fit_study(study, chosen, asked.method)
        return self._kept[place]

    @cached_property
    def _kept(self) -> dict[tuple[Any, ...], FittedStudy[Series]]:
        return {}


def _asked(model: type[Q], options: Mapping[str, Any]) -> Q:
    given = {name: _plain(value) for name, value in options.items() if value is not None}
    return model.model_validate(given)


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, and sequences of them as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _names(value: Names) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _reply(answer: M) -> Reply[M]:
    return Reply(answer.model_dump(mode="json", by_alias=True), type(answer))


@contextmanager
def _refusing(question: str) -> Iterator[None]:
    """Refuse as the service does, with the same status, code and words."""
    try:
        yield
    except QuestionError as error:
        status, title = next(said for kind, said in _STATUS.items() if isinstance(error, kind))
        errors = [] if error.pointer is None else [{"pointer": error.pointer, "detail": error.detail}]
        raise _refusal(status, title, error.code, error.detail, errors, question) from error
    except ValidationError as error:
        errors = [{"pointer": ".".join(map(str, one["loc"])), "detail": worded(one)} for one in error.errors()]
        detail = "; ".join(f"{one['pointer']}: {one['detail']}" for one in errors[:3])
        raise _refusal(422, "The request is not valid", "invalid_request", detail, errors, question) from error


def _refusal(
    status: int, title: str, code: str, detail: str, errors: Sequence[Mapping[str, str]], question: str
) -> ApiError:
    problem = {
        "type": f"urn:sufficiency:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
    }
    return ApiError(status, problem, question)
