"""What the curves of a job say: fitted on read while it runs, kept when it completes.

The worker calls `store_curves` when the last cell is in; so nothing here knows HTTP.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Curve, Dataset, Job, Measurement
from app.errors import Conflict, Invalid, NotFound, field_error
from app.sufficiency.fit import NotEnoughData, PowerLawFit, fit_power_law
from app.sufficiency.measurements import Series, series_from_rows
from app.sufficiency.projection import (
    METHOD,
    METHOD_VERSION,
    InverseAnswer,
    ProjectedPoint,
    TargetOutOfBounds,
    check_target,
    inv_project,
    project,
)
from app.sufficiency.spec import MetricSpec

SCALAR = -1
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Fitted:
    """One series with its fit; `stored` when the fit was kept at completion."""

    series: Series
    fit: PowerLawFit
    stored: bool


@dataclass(frozen=True)
class Results:
    """The series of a job and what could be fitted of them."""

    job: Job
    class_names: Sequence[str]
    series: Sequence[Series]
    fitted: Sequence[Fitted]
    skipped: Sequence[tuple[Series, str]] = field(default_factory=list)

    @property
    def provisional(self) -> bool:
        """Whether the job may still measure more."""
        return self.job.state != "completed"

    @property
    def n_observed(self) -> int:
        """The largest training-set size measured."""
        return int(max((float(s.n.max()) for s in self.series if s.n.size), default=0))

    def label(self, class_index: int | None) -> str | int | None:
        """Return the name of a class, its index where it has none, or None for a scalar."""
        return class_label(class_index, self.class_names)

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What could not be fitted, and why."""
        return [
            {"code": "not_enough_data", "metric": s.metric, "class": self.label(s.class_index), "detail": why}
            for s, why in self.skipped
        ]


def class_label(class_index: int | None, names: Sequence[str]) -> str | int | None:
    """Return the name of a class, its index where it has none, or None for a scalar."""
    if class_index is None or class_index < 0:
        return None
    return names[class_index] if class_index < len(names) else class_index


def metric_specs(job: Job) -> dict[str, MetricSpec]:
    """Return how each declared metric reads."""
    return {name: MetricSpec.model_validate(spec) for name, spec in job.metrics.items()}


def class_names(session: Session, job: Job) -> list[str]:
    """Return the names of the classes of a job's dataset."""
    info = session.scalar(select(Dataset.info).where(Dataset.id == job.dataset_id)) or {}
    return [str(name) for name in info.get("class_names") or []]


def load_series(session: Session, job: Job) -> list[Series]:
    """Return what a job has measured so far, one series a metric and class."""
    rows = session.execute(
        select(Cell.run, Cell.step, Cell.n, Measurement.metric, Measurement.class_index, Measurement.value)
        .join(
            Measurement,
            (Measurement.job_id == Cell.job_id) & (Measurement.run == Cell.run) & (Measurement.step == Cell.step),
        )
        .where(Cell.job_id == job.id)
        .order_by(Measurement.metric, Measurement.class_index, Cell.run, Cell.step)
    )
    return series_from_rows((row for row in rows), metric_specs(job))


def load_results(session: Session, job: Job, metrics: Sequence[str] | None = None) -> Results:
    """Return a job's series and their fits.

    Parameters
    ----------
    metrics : sequence of str, optional
        Only these.

    Raises
    ------
    NotFound
        For a metric that the job does not have.
    Conflict
        When nothing of what is asked for can be fitted yet, saying what is missing.
    """
    series = load_series(session, job)
    if metrics:
        measured = {s.metric for s in series}
        known = measured | (set(job.metrics) if not series else set())
        for name in metrics:
            if name not in known:
                raise unknown_metric(name, known, "metric")
        series = [s for s in series if s.metric in metrics]
    stored = _stored_fits(session, job) if job.state == "completed" else {}
    fitted: list[Fitted] = []
    skipped: list[tuple[Series, str]] = []
    for one in series:
        key = (one.metric, _index(one))
        if key in stored:
            fitted.append(Fitted(one, stored[key], True))
            continue
        try:
            fitted.append(Fitted(one, fit_power_law(one), False))
        except NotEnoughData as error:
            skipped.append((one, str(error)))
    if not fitted:
        raise Conflict(_what_is_missing(job, skipped), code="not_enough_data")
    return Results(job, class_names(session, job), series, fitted, skipped)


def unknown_metric(name: str, known: Iterable[str], parameter: str) -> NotFound:
    """Return the problem of a metric that the job does not have."""
    listed = ", ".join(sorted(known))
    detail = f"The job has no metric {name!r}; it has {listed}." if listed else f"The job has no metric {name!r}."
    return NotFound(detail, code="unknown_metric", errors=[field_error(parameter, detail)])


def _what_is_missing(job: Job, skipped: Sequence[tuple[Series, str]]) -> str:
    progress = f"{job.cells_done} of {job.cells_total} cells are measured"
    if not skipped:
        return f"There is nothing to fit a curve to yet: {progress}."
    reasons = "; ".join(dict.fromkeys(f"{s.metric}: {why}" for s, why in skipped[:5]))
    return f"There is too little for a fit: {progress}. {reasons}"


def _index(series: Series) -> int:
    return SCALAR if series.class_index is None else series.class_index


def _stored_fits(session: Session, job: Job) -> dict[tuple[str, int], PowerLawFit]:
    rows = session.scalars(
        select(Curve).where(Curve.job_id == job.id, Curve.method == METHOD, Curve.method_version == METHOD_VERSION)
    )
    return {(row.metric, row.class_index): PowerLawFit.from_dict(row.fit) for row in rows}


def store_curves(session: Session, job: Job) -> None:
    """Fit every series of a job and keep the fits; a series with too little for a fit is left out."""
    rows = []
    for series in load_series(session, job):
        try:
            fit = fit_power_law(series)
        except NotEnoughData:
            continue
        rows.append(
            {
                "job_id": job.id,
                "metric": series.metric,
                "class_index": _index(series),
                "method": METHOD,
                "method_version": METHOD_VERSION,
                "fit": fit.to_dict(),
            }
        )
    if not rows:
        return
    statement = insert(Curve)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "metric", "class_index", "method"],
            set_={name: statement.excluded[name] for name in ("method_version", "fit")} | {"created_at": func.now()},
        ),
        rows,
    )


def project_all(results: Results, n: Sequence[int]) -> list[tuple[Fitted, list[ProjectedPoint]]]:
    """Return what every fitted metric is expected to be at the sizes."""
    return [(one, project(one.series, one.fit, [float(size) for size in n])) for one in results.fitted]


def parse_targets(targets: Sequence[str]) -> list[tuple[str | None, float]]:
    """Return the targets as (metric or None for all, value).

    A target is ``0.93`` or ``Accuracy:0.93``; a metric's name may itself contain colons.
    """
    parsed: list[tuple[str | None, float]] = []
    for text in targets:
        name, colon, number = text.rpartition(":")
        value = float(number) if NUMBER.fullmatch(number.strip()) else float("nan")
        if not np.isfinite(value) or (colon and not name):
            detail = f"{text!r} is no target; write a number, or a metric and a number as in Accuracy:0.93."
            raise Invalid(detail, code="invalid_target", errors=[field_error("target", detail)])
        parsed.append((name if colon else None, value))
    return parsed


def inv_project_all(
    results: Results, targets: Sequence[tuple[str | None, float]]
) -> list[tuple[Fitted, list[InverseAnswer]]]:
    """Return how many items each target needs.

    A target without a metric is for every metric whose bounds admit it.

    Raises
    ------
    NotFound
        For a target on a metric that the job does not have.
    Conflict
        For a target on a metric that has too little for a fit.
    Invalid
        For a target outside its metric's bounds, or outside those of all metrics.
    """
    wanted: dict[str, list[float]] = {one.series.metric: [] for one in results.fitted}
    bounds = {one.series.metric: one.series.bounds for one in results.fitted}
    reasons = {series.metric: why for series, why in results.skipped}
    for name, value in targets:
        if name is not None and name not in wanted:
            if name in reasons:
                raise Conflict(f"There is too little for a fit. {name}: {reasons[name]}", code="not_enough_data")
            raise unknown_metric(name, {s.metric for s in results.series}, "target")
        admitted = []
        problem = ""
        for metric in [name] if name is not None else wanted:
            try:
                check_target(value, bounds[metric])
                admitted.append(metric)
            except TargetOutOfBounds as error:
                problem = str(error)
        if not admitted:
            detail = (
                f"Target {value:g} for {name}: {problem}"
                if name is not None
                else f"Target {value:g} is outside the bounds of every metric: "
                + "; ".join(f"{metric} lies in {_interval(b)}" for metric, b in bounds.items())
            )
            raise Invalid(detail, code="target_out_of_bounds", errors=[field_error("target", detail)])
        for metric in admitted:
            if value not in wanted[metric]:
                wanted[metric].append(value)
    return [
        (one, [inv_project(one.series, one.fit, value) for value in wanted[one.series.metric]])
        for one in results.fitted
        if wanted[one.series.metric]
    ]


def _interval(bounds: tuple[float | None, float | None]) -> str:
    low, high = bounds
    return f"[{'−∞' if low is None else f'{low:g}'}, {'∞' if high is None else f'{high:g}'}]"


@dataclass(frozen=True)
class CellValue:
    """One measurement with the cell it is of."""

    run: int
    step: int
    n: int
    n_unique: int | None
    metric: str
    class_index: int
    value: float | None
    seconds: float | None
    device: str | None
    attempt: int | None


def cell_values(
    session: Session, job_id: UUID, *, after: tuple[int, int, str, int] | None = None, limit: int | None = None
) -> list[CellValue]:
    """Return measurements by run, step, metric and class."""
    order = (Measurement.run, Measurement.step, Measurement.metric, Measurement.class_index)
    statement = (
        select(
            Cell.run,
            Cell.step,
            Cell.n,
            Cell.n_unique,
            Measurement.metric,
            Measurement.class_index,
            Measurement.value,
            Cell.seconds,
            Cell.device,
            Cell.attempt,
        )
        .join(
            Measurement,
            (Measurement.job_id == Cell.job_id) & (Measurement.run == Cell.run) & (Measurement.step == Cell.step),
        )
        .where(Measurement.job_id == job_id)
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [CellValue(**row) for row in session.execute(statement).mappings()]


@dataclass(frozen=True)
class Average:
    """Mean and standard deviation over the runs at one step; None where there are too few."""

    step: int
    n: int
    metric: str
    class_index: int | None
    mean: float | None
    sd: float | None
    runs: int


def averages(session: Session, job: Job) -> list[Average]:
    """Return mean and standard deviation a step, for every metric and class."""
    steps = {n: step for step, n in enumerate(job.steps or [])}
    return [
        Average(
            step=steps.get(int(n), k),
            n=int(n),
            metric=series.metric,
            class_index=series.class_index,
            mean=_finite(mean),
            sd=_finite(sd),
            runs=int(runs),
        )
        for series in load_series(session, job)
        for k, (n, mean, sd, runs) in enumerate(zip(series.n, series.mean(), series.sd(), series.runs(), strict=True))
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def dataeval_export(session: Session, job: Job) -> dict[str, Any]:
    """Return what DataEval's ``SufficiencyOutput`` takes, with the fitted parameters.

    Returns
    -------
    dict
        ``steps`` (K,); ``measures`` metric → (R, K) or (R, K, classes); ``averaged_measures`` metric → (K,) or
        (classes, K); ``unit_interval``; ``params`` metric → [scale, exponent, error asymptote], one a class.

    Raises
    ------
    Conflict
        When cells are still missing, or every metric has missing values: DataEval's arrays have no holes.
    """
    if job.state != "completed":
        raise Conflict(
            f"{job.cells_done} of {job.cells_total} cells are measured and the job is {job.state}; "
            "DataEval's output has no holes. Take format=csv for what there is, or wait until the job has completed.",
            code="job_incomplete",
        )
    whole: dict[str, list[Series]] = {}
    holes: set[str] = set()
    for series in load_series(session, job):
        whole.setdefault(series.metric, []).append(series)
        if np.isnan(series.values).any() or series.values.size != job.cells_total:
            holes.add(series.metric)
    warnings = [
        {"code": "missing_values", "metric": metric, "detail": f"{metric} has missing values and is left out."}
        for metric in sorted(holes)
    ]
    whole = {metric: group for metric, group in whole.items() if metric not in holes}
    if not whole:
        raise Conflict(
            "Every metric has missing values, and DataEval's output has no holes. Take format=csv for what there is.",
            code="missing_values",
        )
    stored = _stored_fits(session, job)
    return {
        "steps": [int(n) for n in next(iter(whole.values()))[0].n],
        "measures": {metric: _stack([s.values for s in group], group) for metric, group in whole.items()},
        "averaged_measures": {
            metric: [s.mean().tolist() for s in group] if _per_class(group) else group[0].mean().tolist()
            for metric, group in whole.items()
        },
        "unit_interval": all(s.bounds == (0.0, 1.0) for group in whole.values() for s in group),
        "params": {metric: _params(group, stored) for metric, group in whole.items()},
        "warnings": warnings,
    }


def _per_class(group: Sequence[Series]) -> bool:
    return group[0].class_index is not None


def _stack(values: Sequence[NDArray[np.float64]], group: Sequence[Series]) -> list[Any]:
    array = np.stack(values, axis=-1) if _per_class(group) else values[0]
    nested: list[Any] = array.tolist()
    return nested


def _params(group: Sequence[Series], stored: Mapping[tuple[str, int], PowerLawFit]) -> Any:
    each: list[list[float | None] | None] = []
    for series in group:
        fit = stored.get((series.metric, _index(series)))
        if fit is None:
            try:
                fit = fit_power_law(series)
            except NotEnoughData:
                each.append(None)
                continue
        each.append(fit.params())
    return each if _per_class(group) else each[0]
