"""Results over HTTP: measurements, project, inv_project, curves, export."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from app.jobs.service import get_job
from app.results import comparison, service
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep
from app.web.tables import CSV, TABLE, AsCsv, csv_response
from sufficiency.answers import figures
from sufficiency.answers.figures import Theme
from sufficiency.method.fit import PowerLawFit
from sufficiency.method.projection import (
    ASSURANCE,
    DEFAULT_LEVEL,
    DEFAULT_METHOD,
    HORIZON,
    LEAST_PROBABILITY,
    METHOD_VERSIONS,
    RELIABLE,
    InverseAnswer,
)
from sufficiency.method.projection import project as read_curve
from sufficiency.schemas.examples import JOB_ID
from sufficiency.schemas.fields import Size
from sufficiency.schemas.paging import Page
from sufficiency.schemas.results import (
    OTHER_ID,
    AverageMeasurement,
    BacktestView,
    CellMeasurement,
    ComparedCurve,
    ComparedJob,
    ComparedMetric,
    ComparisonView,
    CrossingView,
    Curves,
    CurveView,
    DataevalExport,
    EfficiencyView,
    InverseProjection,
    PairedView,
    PairView,
    ProjectedValue,
    Projection,
    ReadingView,
    TargetAnswer,
    TrustView,
    Verdicts,
    VerdictView,
)
from sufficiency.schemas.words import ExportFormat, MeasurementsView, Of
from sufficiency.schemas.words import Method as MethodName

router = APIRouter(tags=["results"], responses=documented(404, 422, 503))

CELL_KEY = TypeAdapter(tuple[Size | Literal[0], Size | Literal[0], str, int])
MAX_QUESTIONS = 1000
MAX_COMPARED = 10
FIGURE_EXAMPLE = {
    "data": [{"type": "scatter", "name": "mean ± SD", "x": [25, 2500], "y": [0.31, 0.946]}],
    "layout": {"xaxis": {"type": "log"}},
}

# Nearer to 0 or 1 there is nothing to tell apart.
Level = Annotated[float, Query(ge=1e-6, le=1 - 1e-6, description="level of the intervals, where the method gives any")]
Method = Annotated[
    MethodName, Query(description="calibrated: with intervals; power_law: DataEval's law, a point without interval")
]
Classes = Annotated[
    list[str] | None,
    Query(alias="class", description="of metrics with a value a class, only these, by name or index; repeatable"),
]
Metrics = Annotated[list[str] | None, Query(description="only these metrics; repeatable")]


@router.get("/jobs/{job_id}/measurements", responses={200: TABLE})
def list_measurements(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    view: Annotated[MeasurementsView, Query(description="every value, or mean and SD a step")] = "averages",
    metric: Metrics = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="size of a page of cells")] = 1000,
    cursor: Cursor = None,
) -> Page[CellMeasurement] | Page[AverageMeasurement]:
    """Return what a job has measured: every cell's values, or their mean and standard deviation a step.

    As CSV the table is wide and whole: a column a metric, `Metric_class` where it is one a class. The averages have
    DataEval's columns, in which `step` is the training-set size.
    """
    job = get_job(session, job_id)
    names = service.class_names(session, job)
    if as_csv and view == "cells":
        return _cells_csv(service.cell_values(session, job_id, metric), names, job_id)  # type: ignore[return-value]
    if view == "cells":
        after = decode_cursor(cursor, CELL_KEY) if cursor else None
        rows, following = page_of(
            service.cell_values(session, job_id, metric, after=after, limit=limit + 1),
            limit,
            lambda c: (c.run, c.step, c.metric, c.class_index),
        )
        return Page[CellMeasurement](items=[_cell(row, names) for row in rows], next_cursor=following)
    means = service.averages(session, job, metric)
    if as_csv:
        table = [(mean.n, _column(mean.metric, mean.class_index, names), mean.mean) for mean in means]
        return _wide_csv("step", table, f"{job_id}-measurements.csv")  # type: ignore[return-value]
    return Page[AverageMeasurement](
        items=[
            AverageMeasurement(
                step=mean.step,
                n=mean.n,
                metric=mean.metric,
                class_=service.class_label(mean.class_index, names),
                mean=mean.mean,
                sd=mean.sd,
                runs=mean.runs,
            )
            for mean in means
        ],
        next_cursor=None,
    )


def _cell(cell: service.CellValue, names: Sequence[str]) -> CellMeasurement:
    return CellMeasurement(
        run=cell.run,
        step=cell.step,
        n=cell.n,
        n_unique=cell.n_unique,
        metric=cell.metric,
        class_=service.class_label(cell.class_index, names),
        value=cell.value,
        seconds=cell.seconds,
        device=cell.device,
        attempt=cell.attempt,
    )


def _column(metric: str, class_index: int | None, names: Sequence[str]) -> str:
    label = service.class_label(class_index, names)
    return metric if label is None else f"{metric}_{label}"


def _wide_csv(key: str, values: Iterable[tuple[float, str, Any]], filename: str) -> Response:
    """Return the values of (row, column, value) as one row a key, in the key's order, and one column a metric."""
    rows: dict[float, dict[str, Any]] = {}
    columns: dict[str, None] = {}
    for row, column, value in values:
        columns.setdefault(column)
        rows.setdefault(row, {})[column] = value
    return csv_response(
        [key, *columns], ([row, *(rows[row].get(column) for column in columns)] for row in sorted(rows)), filename
    )


def _cells_csv(cells: Sequence[service.CellValue], names: Sequence[str], job_id: UUID) -> Response:
    columns = dict.fromkeys(_column(c.metric, c.class_index, names) for c in cells)
    rows: dict[tuple[int, int], tuple[service.CellValue, dict[str, float | None]]] = {}
    for cell in cells:
        _, values = rows.setdefault((cell.run, cell.step), (cell, {}))
        values[_column(cell.metric, cell.class_index, names)] = cell.value
    return csv_response(
        ["run", "step", "n", "n_unique", "seconds", "device", "attempt", *columns],
        (
            [c.run, c.step, c.n, c.n_unique, c.seconds, c.device, c.attempt, *(values.get(name) for name in columns)]
            for c, values in rows.values()
        ),
        f"{job_id}-cells.csv",
    )


@router.get("/jobs/{job_id}/project", responses={200: TABLE, **documented(409)})
def project(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    n: Annotated[
        list[Annotated[int, Query(ge=1, le=2**53)]],
        Query(min_length=1, max_length=MAX_QUESTIONS, description="training-set sizes; repeatable", examples=[[5000]]),
    ],
    metric: Metrics = None,
    level: Level = DEFAULT_LEVEL,
    method: Method = DEFAULT_METHOD,
    of: Annotated[
        Of, Query(description="whose interval: of the mean over as many runs as the job has, or of one new training")
    ] = "mean",
) -> Projection:
    """Return what each metric is expected to be at training-set sizes.

    Within the measured range the answer is what was measured, with the scatter between runs; beyond it the projection.
    """
    results = service.load_results(session, get_job(session, job_id), metric, method)
    projected = service.project_all(results, n, level, of)
    if as_csv:
        table = [
            (int(point.n), _column(one.series.metric, one.series.class_index, results.class_names), point.value)
            for one, points in projected
            for point in points
        ]
        return _wide_csv("step", table, f"{job_id}-project.csv")  # type: ignore[return-value]
    answers: dict[str, list[ProjectedValue]] = {}
    for one, points in projected:
        answers.setdefault(one.series.metric, []).extend(
            ProjectedValue(
                n=int(point.n),
                value=point.value,
                lower=point.lower,
                upper=point.upper,
                measured_range=point.measured_range,
                class_=results.label(one.series.class_index),
            )
            for point in points
        )
    return Projection(
        job_id=job_id,
        method=method,
        level=level,
        of=of,
        n_observed=results.n_observed,
        provisional=results.provisional,
        metrics=answers,
        trust={
            name: TrustView(
                backtest_error=trust.backtest_error,
                inside_interval=trust.inside_interval,
                predictions=trust.predictions,
            )
            for name, trust in results.trust().items()
        },
        warnings=results.warnings(max(n)),
    )


@router.get("/jobs/{job_id}/inv_project", responses={200: TABLE, **documented(409)})
def inv_project(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    target: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=MAX_QUESTIONS,
            description="0.93 for every metric whose bounds admit it, or Accuracy:0.93; repeatable",
            examples=[["0.93"]],
        ),
    ],
    level: Level = DEFAULT_LEVEL,
    method: Method = DEFAULT_METHOD,
) -> InverseProjection:
    """Return how many training items it takes to reach targets. In the CSV form −1 is a target out of reach."""
    targets = service.parse_targets(target)
    results = service.load_results(session, get_job(session, job_id), method=method)
    answered = service.inv_project_all(results, targets, level)
    if as_csv:
        table = [
            (answer.target, _column(one.series.metric, one.series.class_index, results.class_names), _needed(answer))
            for one, answers in answered
            for answer in answers
        ]
        return _wide_csv("target", table, f"{job_id}-inv-project.csv")  # type: ignore[return-value]
    metrics: dict[str, list[TargetAnswer]] = {}
    for one, answers in answered:
        metrics.setdefault(one.series.metric, []).extend(
            TargetAnswer(
                target=answer.target,
                status=answer.status,
                n=answer.n,
                lower=answer.lower,
                upper=answer.upper,
                probability=answer.probability,
                n_assured=answer.n_assured,
                class_=results.label(one.series.class_index),
            )
            for answer in answers
        )
    return InverseProjection(
        job_id=job_id,
        method=method,
        level=level,
        n_observed=results.n_observed,
        provisional=results.provisional,
        metrics=metrics,
        warnings=results.warnings(max((a.n or 0 for _, answers in answered for a in answers), default=0)),
    )


def _needed(answer: InverseAnswer) -> int | None:
    if answer.n is not None:
        return answer.n
    return None if answer.status == "undetermined" else -1


@router.get("/jobs/{job_id}/verdict", responses=documented(409))
def verdict(
    session: SessionDep,
    job_id: UUID,
    metric: Metrics = None,
    class_: Classes = None,
    level: Level = DEFAULT_LEVEL,
    min_gain: Annotated[
        list[str] | None,
        Query(
            max_length=MAX_QUESTIONS,
            description="what doubling the data must bring to be worth it, in the metric's units: 0.01 for all, "
            "or Accuracy:0.01; repeatable. Else a tenth of what is left to the best value, or of the measured range "
            "where there is none; at least the test split's own noise",
            examples=[["Accuracy:0.01"]],
        ),
    ] = None,
) -> Verdicts:
    """Return whether more data is worth it: what it would bring, where the ceiling is, what limits, what to do next."""
    gains = service.parse_targets(min_gain or [], "min_gain")
    results = service.load_whole_results(session, get_job(session, job_id), metric, classes=class_)
    verdicts: dict[str, list[VerdictView]] = {}
    for one, judged in service.judge_all(session, results, gains, level):
        verdicts.setdefault(one.series.metric, []).append(
            VerdictView.of(judged, results.label(one.series.class_index), one.backtest)
        )
    return Verdicts(
        job_id=job_id,
        method=DEFAULT_METHOD,
        level=level,
        n_observed=results.n_observed,
        provisional=results.provisional,
        metrics=verdicts,
        warnings=results.warnings(),
    )


@router.get("/jobs/{job_id}/curves", responses=documented(409))
def list_curves(
    session: SessionDep,
    job_id: UUID,
    metric: Metrics = None,
    class_: Classes = None,
    method: Method = DEFAULT_METHOD,
) -> Curves:
    """Return the fitted curves with their back-test: those kept at completion, or made of what there is so far."""
    results = service.load_results(session, get_job(session, job_id), metric, method, class_)
    return Curves(
        job_id=job_id,
        n_observed=results.n_observed,
        provisional=results.provisional,
        reading=ReadingView(
            horizon=HORIZON, reliable=RELIABLE, least_probability=LEAST_PROBABILITY, assurance=ASSURANCE
        ),
        items=[
            CurveView(
                metric=one.series.metric,
                class_=results.label(one.series.class_index),
                direction=one.series.direction,
                bounds=one.series.bounds,
                method=method,
                method_version=METHOD_VERSIONS[method],
                stored=one.stored,
                params=one.fit.params() if isinstance(one.fit, PowerLawFit) else None,
                fit=one.fit.to_dict(),
                backtest=BacktestView.of(one.backtest),
            )
            for one in results.fitted
        ],
        warnings=results.warnings(),
    )


@router.get(
    "/jobs/{job_id}/export",
    response_model=DataevalExport,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}, **documented(409)},
)
def export_job(
    session: SessionDep,
    job_id: UUID,
    format: Annotated[ExportFormat, Query(description="csv: every cell, a column a metric")] = "dataeval",
) -> Response:
    """Return a job's results as a file: what DataEval's `SufficiencyOutput` takes, or every cell as CSV."""
    job = get_job(session, job_id)
    if format == "csv":
        return _cells_csv(service.cell_values(session, job_id), service.class_names(session, job), job_id)
    headers = {"Content-Disposition": f'inline; filename="{job_id}-dataeval.json"'}
    return JSONResponse(service.dataeval_export(session, job), headers=headers)


Target = Annotated[float | None, Query(allow_inf_nan=False, description="a value to mark, with the size it needs")]
OneMetric = Annotated[
    str | None, Query(description="which metric; default the first with one value, else the first there is")
]
OneClass = Annotated[
    str | None,
    Query(alias="class", description="of a metric with a value a class: by name or index; default the first"),
]


@router.get(
    "/jobs/{job_id}/figure",
    responses={200: {"content": {"application/json": {"example": FIGURE_EXAMPLE}}}, **documented(409)},
)
def get_figure(
    session: SessionDep,
    job_id: UUID,
    metric: OneMetric = None,
    class_: OneClass = None,
    target: Target = None,
    theme: Theme = "light",
) -> dict[str, Any]:
    """Return one metric's learning curve as a Plotly figure: `plotly.graph_objects.Figure(answer)` shows it."""
    return figures.plotly_figure(_figure(session, job_id, metric, class_, target), theme)


@router.get(
    "/jobs/{job_id}/plot.{kind}",
    response_class=Response,
    responses={
        200: {
            "content": {
                "image/svg+xml": {"schema": {"type": "string", "format": "binary"}, "example": "<svg …>"},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
            }
        },
        **documented(409),
    },
)
def plot_job(
    session: SessionDep,
    job_id: UUID,
    kind: figures.Kind,
    metric: OneMetric = None,
    class_: OneClass = None,
    target: Target = None,
    theme: Theme = "light",
) -> Response:
    """Return one metric's learning curve as a picture, for a report."""
    content = figures.draw(_figure(session, job_id, metric, class_, target), kind, theme)
    headers = {
        "Content-Disposition": f'inline; filename="{job_id}.{kind}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=figures.MEDIA_TYPES[kind], headers=headers)


def _figure(
    session: SessionDep, job_id: UUID, metric: str | None, class_: str | None, target: float | None
) -> figures.Figure:
    job = get_job(session, job_id)
    only_class = [class_] if class_ else None
    results = service.load_whole_results(session, job, [metric] if metric else None, classes=only_class)
    one = next((one for one in results.fitted if one.series.class_index is None), results.fitted[0])
    if target is not None:
        service.require_target(one, target)
    title = f"{job.spec['model']['name']} on {job.spec['dataset']}"
    return figures.figure_of(title, results.label(one.series.class_index), one, target)


@router.get("/compare", responses=documented(409))
def compare_jobs(
    session: SessionDep,
    job: Annotated[
        list[UUID],
        Query(
            min_length=2,
            max_length=MAX_COMPARED,
            description="the jobs; the first is what the others are compared with",
            examples=[[JOB_ID, OTHER_ID]],
        ),
    ],
    metric: Metrics = None,
    level: Level = DEFAULT_LEVEL,
) -> ComparisonView:
    """Compare jobs' curves: where they cross, how many times the data one needs for the other's level, paired runs.

    Metrics with a value a class are compared where `metric` names them.
    """
    found = comparison.compare(session, job, metric, level)
    first = found.results[0].job
    metrics: dict[str, list[ComparedMetric]] = {}
    for one in found.compared:
        sizes = _shared_sizes([fitted for _, fitted in one.fitted])
        metrics.setdefault(one.metric, []).append(
            ComparedMetric(
                curves=[
                    ComparedCurve(
                        job_id=owner.id,
                        points=[
                            ProjectedValue(**{**vars(point), "n": int(point.n)})
                            for point in read_curve(fitted.series, fitted.fit, sizes, level)
                        ],
                    )
                    for owner, fitted in one.fitted
                ],
                pairs=[_pair_view(first.id, pair) for pair in one.pairs],
                class_=one.label,
            )
        )
    return ComparisonView(
        level=level,
        jobs=[
            ComparedJob(
                job_id=results.job.id,
                model=results.job.spec["model"]["name"],
                dataset=results.job.spec["dataset"],
                n_observed=results.n_observed,
                provisional=results.provisional,
                shares_subsets=comparison.shares_subsets(first, results.job),
            )
            for results in found.results
        ],
        metrics=metrics,
        warnings=list(found.warnings),
    )


def _shared_sizes(fitted: Sequence[service.Fitted]) -> list[float]:
    """Sizes for all curves alike: every one that was measured, then doublings as far as they can be relied on."""
    low = max(one.fit.n_min for one in fitted)
    most = max(one.fit.n_max for one in fitted)
    measured = {float(n) for one in fitted for n in one.measured.n if low <= n <= most}
    return sorted(measured | {most * 2**k for k in range(1, 5)})


def _pair_view(first_id: UUID, pair: comparison.Pair) -> PairView:
    sides: dict[str | None, UUID | None] = {"first": first_id, "second": pair.job.id, None: None}
    crossing = vars(pair.crossing)
    return PairView(
        job_id=pair.job.id,
        crossing=CrossingView(**{**crossing, **{k: sides[crossing[k]] for k in ("ahead_before", "ahead_after")}}),
        efficiency=[
            EfficiencyView(
                n_first=one.n_first,
                value=one.value,
                status=one.status,
                n=one.n_second,
                lower=one.lower,
                upper=one.upper,
                ratio=one.ratio,
                ratio_lower=one.ratio_lower,
                ratio_upper=one.ratio_upper,
            )
            for one in pair.efficiency
        ],
        paired=[PairedView(**vars(one)) for one in pair.paired],
    )
