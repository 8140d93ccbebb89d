"""What the curves of a job say: fitted on read while it runs, kept when it completes.

The worker calls `store_curves` when the last cell is in; so nothing here knows HTTP.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, tuple_
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Curve, Dataset, Job, Measurement
from app.errors import Conflict, Invalid, NotFound, field_error
from app.jobs.values import Spread, value_warnings
from sufficiency.method.backtest import Backtest, backtest
from sufficiency.method.calibrated import CalibratedFit
from sufficiency.method.diagnosis import Flag, diagnose
from sufficiency.method.fit import NotEnoughData, PowerLawFit, fit_power_law
from sufficiency.method.measurements import Bounds, Reading, Series, series_from_rows
from sufficiency.method.projection import (
    DEFAULT_METHOD,
    METHOD_VERSIONS,
    RELIABLE,
    Fit,
    InverseAnswer,
    ProjectedPoint,
    TargetOutOfBounds,
    check_target,
    fit_series,
    inv_project,
    project,
)
from sufficiency.method.verdict import Verdict, judge
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import Direction, Method, Of

SCALAR = -1
R = TypeVar("R", bound=Reading)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Fitted:
    """One series with its fit and what is odd about it; `stored` when the fit was kept at completion."""

    series: Reading
    fit: Fit
    backtest: Backtest
    flags: Sequence[Flag]
    stored: bool

    @property
    def measured(self) -> Series:
        """All that was measured; there where the results were loaded whole."""
        assert isinstance(self.series, Series)
        return self.series


@dataclass(frozen=True)
class KeptReading:
    """What was kept of a series at completion, beside its fits.

    Attributes
    ----------
    flags : sequence of Flag
        What is odd about it.
    skipped : mapping of str to str
        Method to why it could not be fitted.
    """

    metric: str
    class_index: int | None
    direction: Direction
    bounds: Bounds
    flags: Sequence[Flag]
    skipped: Mapping[str, str]

    @classmethod
    def of(cls, series: Series, skipped: Mapping[str, str]) -> Self:
        """Return what is to be kept of a series."""
        return cls(series.metric, series.class_index, series.direction, series.bounds, _flags(series), skipped)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return what `dataclasses.asdict` gave."""
        low, high = data["bounds"]
        return cls(**data | {"bounds": (low, high), "flags": [Flag(**flag) for flag in data["flags"]]})


@dataclass(frozen=True)
class Trust:
    """How well a metric's curve would have predicted its own later steps."""

    backtest_error: float | None
    inside_interval: float | None
    predictions: int


@dataclass(frozen=True)
class Results:
    """The series of a job and what could be fitted of them."""

    job: Job
    class_names: Sequence[str]
    n_observed: int  # the largest training-set size measured
    series: Sequence[Reading]
    fitted: Sequence[Fitted]
    skipped: Sequence[tuple[Reading, str]] = field(default_factory=list)

    @property
    def provisional(self) -> bool:
        """Whether the job may still measure more."""
        return self.job.state != "completed"

    def label(self, class_index: int | None) -> str | int | None:
        """Return the name of a class, its index where it has none, or None for a scalar."""
        return class_label(class_index, self.class_names)

    def warnings(self, largest: float | None = None) -> list[dict[str, Any]]:
        """Return what could not be fitted and why, and what is odd about the curves.

        Parameters
        ----------
        largest : float, optional
            The largest size that is asked for, or answered.
        """
        skipped = [
            {"code": "not_enough_data", "metric": s.metric, "class": self.label(s.class_index), "detail": why}
            for s, why in self.skipped
        ]
        flags: dict[tuple[str, str], list[tuple[str | int | None, str]]] = {}
        for one in self.fitted:
            for flag in [*one.flags, *_far(one.fit, largest)]:
                found = flags.setdefault((one.series.metric, flag.code), [])
                found.append((self.label(one.series.class_index), flag.detail))
        return skipped + [_warning(metric, code, found) for (metric, code), found in flags.items()]

    def trust(self) -> dict[str, Trust]:
        """Return how well the curve of each metric would have predicted its own later steps; the mean over classes."""
        of: dict[str, list[Backtest]] = {}
        for one in self.fitted:
            of.setdefault(one.series.metric, []).append(one.backtest)
        return {metric: _trust(tests) for metric, tests in of.items()}


def _trust(tests: Sequence[Backtest]) -> Trust:
    errors = [test.error for test in tests if test.error is not None]
    inside = [test.inside_interval for test in tests if test.inside_interval is not None]
    return Trust(
        float(np.mean(errors)) if errors else None,
        float(np.mean(inside)) if inside else None,
        sum(len(test.predictions) for test in tests),
    )


def _far(fit: Fit, largest: float | None) -> list[Flag]:
    if largest is None or largest <= RELIABLE * fit.n_max:
        return []
    detail = (
        f"n = {largest:,.0f} is {largest / fit.n_max:,.0f} times the largest measured size; past {RELIABLE} times, "
        "what curves do is a guess, and so are the intervals."
    )
    return [Flag("far_extrapolation", detail)]


def _warning(metric: str, code: str, found: Sequence[tuple[str | int | None, str]]) -> dict[str, Any]:
    """Return one warning of a metric; many classes share theirs."""
    label, detail = found[0]
    if len(found) > 1:
        names = ", ".join(str(name) for name, _ in found[:3]) + (", …" if len(found) > 3 else "")
        label, detail = None, f"{len(found)} classes ({names}), the first: {detail}"
    return {"code": code, "metric": metric, "class": label, "detail": detail}


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
    return [str(name) for name in _dataset_info(session, job).get("class_names") or []]


def _dataset_info(session: Session, job: Job) -> dict[str, Any]:
    """Return what is in the data that a job measured."""
    return job.dataset_info or session.scalar(select(Dataset.info).where(Dataset.id == job.dataset_id)) or {}


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


def load_results(
    session: Session,
    job: Job,
    metrics: Sequence[str] | None = None,
    method: Method = DEFAULT_METHOD,
    classes: Sequence[str] | None = None,
) -> Results:
    """Return the fits of a job's series: those kept at completion, or made of what is measured so far.

    Parameters
    ----------
    metrics : sequence of str, optional
        Only these.
    method : str
        How the curves are fitted.
    classes : sequence of str, optional
        Of the metrics with a value a class, only these classes, each by its name or its index.

    Raises
    ------
    NotFound
        For a metric or a class that the job does not have.
    Conflict
        When nothing of what is asked for can be fitted yet, saying what is missing.
    """
    kept = _kept_results(session, job, metrics, method, classes)
    return kept or load_whole_results(session, job, metrics, method, classes)


def _kept_results(
    session: Session, job: Job, metrics: Sequence[str] | None, method: Method, classes: Sequence[str] | None
) -> Results | None:
    """Return a completed job's results without a look at what it measured; None where not all of them were kept."""
    if job.state != "completed":
        return None
    kept = session.scalars(select(Job.readings).where(Job.id == job.id)).one()
    if kept is None or kept["methods"] != METHOD_VERSIONS:
        return None
    names = class_names(session, job)
    readings = _of_metrics([KeptReading.from_dict(one) for one in kept["series"]], metrics, job)
    readings = _of_classes(readings, classes, names)
    stored = _stored_fits(session, job, method)
    fitted: list[Fitted] = []
    skipped: list[tuple[Reading, str]] = []
    for one in readings:
        if found := stored.get((one.metric, _index(one))):
            fitted.append(Fitted(one, *found, one.flags, stored=True))
        elif method in one.skipped:
            skipped.append((one, one.skipped[method]))
        else:
            return None
    if not fitted:
        raise Conflict(_what_is_missing(job, skipped), code="not_enough_data")
    return Results(job, names, kept["n_observed"], readings, fitted, skipped)


def load_whole_results(
    session: Session,
    job: Job,
    metrics: Sequence[str] | None = None,
    method: Method = DEFAULT_METHOD,
    classes: Sequence[str] | None = None,
) -> Results:
    """Return what `load_results` does, always with the whole series."""
    names = class_names(session, job)
    series = _of_classes(_of_metrics(load_series(session, job), metrics, job), classes, names)
    stored = _stored_fits(session, job, method) if job.state == "completed" else {}
    fitted: list[Fitted] = []
    skipped: list[tuple[Reading, str]] = []
    for one in series:
        try:
            fit, test = stored.get((one.metric, _index(one))) or (fit_series(one, method), backtest(one, method))
        except NotEnoughData as error:
            skipped.append((one, str(error)))
            continue
        fitted.append(Fitted(one, fit, test, _flags(one), stored=(one.metric, _index(one)) in stored))
    if not fitted:
        raise Conflict(_what_is_missing(job, skipped), code="not_enough_data")
    return Results(job, names, _n_observed(series), series, fitted, skipped)


def _of_metrics(series: list[R], metrics: Sequence[str] | None, job: Job) -> list[R]:
    if not metrics:
        return series
    measured = {s.metric for s in series}
    known = measured | (set(job.metrics) if not series else set())
    for name in metrics:
        if name not in known:
            raise unknown_metric(name, known, "metric")
    return [s for s in series if s.metric in metrics]


def _n_observed(series: Sequence[Series]) -> int:
    return int(max((float(s.n.max()) for s in series if s.n.size), default=0))


def _flags(series: Series) -> list[Flag]:
    try:
        return diagnose(series)
    except NotEnoughData:
        return []


def _of_classes(series: list[R], classes: Sequence[str] | None, names: Sequence[str]) -> list[R]:
    """Return the scalar series, and of the others those of the classes."""
    if not classes:
        return series
    wanted: set[str] = set(classes)
    known = {(str(s.class_index), str(class_label(s.class_index, names))) for s in series if s.class_index is not None}
    for text in classes:
        if known and not any(text in pair for pair in known):
            detail = f"No metric of the job has a class {text!r}."
            raise NotFound(detail, code="unknown_class", errors=[field_error("class", detail)])
    return [
        s
        for s in series
        if s.class_index is None or wanted & {str(s.class_index), str(class_label(s.class_index, names))}
    ]


def unknown_metric(name: str, known: Iterable[str], parameter: str) -> NotFound:
    """Return the problem of a metric that the job does not have."""
    listed = ", ".join(sorted(known))
    detail = f"The job has no metric {name!r}; it has {listed}." if listed else f"The job has no metric {name!r}."
    return NotFound(detail, code="unknown_metric", errors=[field_error(parameter, detail)])


def _what_is_missing(job: Job, skipped: Sequence[tuple[Reading, str]]) -> str:
    progress = f"{job.cells_done} of {job.cells_total} cells are measured"
    if not skipped:
        return f"There is nothing to fit a curve to yet: {progress}."
    reasons = "; ".join(dict.fromkeys(f"{s.metric}: {why}" for s, why in skipped[:5]))
    return f"There is too little for a fit: {progress}. {reasons}"


def _index(series: Reading) -> int:
    return SCALAR if series.class_index is None else series.class_index


def _stored_fits(session: Session, job: Job, method: Method) -> dict[tuple[str, int], tuple[Fit, Backtest]]:
    kind = CalibratedFit if method == "calibrated" else PowerLawFit
    rows = session.scalars(
        select(Curve).where(
            Curve.job_id == job.id,
            Curve.method == method,
            Curve.method_version == METHOD_VERSIONS[method],
            Curve.backtest.is_not(None),
        )
    )
    return {
        (row.metric, row.class_index): (kind.from_dict(row.fit), Backtest.from_dict(row.backtest or {})) for row in rows
    }


def store_curves(session: Session, job: Job) -> None:
    """Fit every series of a job by every method, and keep the fits and what else reading the job takes.

    A series with too little for a fit is kept without one, with the reason.
    """
    rows = []
    # Thousands of classes take longer to fit than a transaction may otherwise stand still.
    session.execute(sql("SET LOCAL idle_in_transaction_session_timeout = '1h'"))
    readings = []
    measured = load_series(session, job)
    for series in measured:
        skipped: dict[str, str] = {}
        for method, version in METHOD_VERSIONS.items():
            try:
                fit = fit_series(series, method)
            except NotEnoughData as error:
                skipped[method] = str(error)
                continue
            rows.append(
                {
                    "job_id": job.id,
                    "metric": series.metric,
                    "class_index": _index(series),
                    "method": method,
                    "method_version": version,
                    "fit": fit.to_dict(),
                    "backtest": backtest(series, method).to_dict(),
                }
            )
        readings.append(asdict(KeptReading.of(series, skipped)))
    job.readings = {"methods": METHOD_VERSIONS, "n_observed": _n_observed(measured), "series": readings}
    job.value_warnings = value_warnings(job, [_spread(series) for series in measured])
    if not rows:
        return
    statement = insert(Curve)
    kept = ("method_version", "fit", "backtest")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "metric", "class_index", "method"],
            set_={name: statement.excluded[name] for name in kept} | {"created_at": func.now()},
        ),
        rows,
    )


def _spread(series: Series) -> Spread:
    values = series.values[np.isfinite(series.values)]
    least, most = (float(values.min()), float(values.max())) if values.size else (None, None)
    return Spread(series.metric, _index(series), values.size, least, most)


def project_all(results: Results, n: Sequence[int], level: float, of: Of) -> list[tuple[Fitted, list[ProjectedPoint]]]:
    """Return what every fitted metric is expected to be at the sizes."""
    return [(one, project(one.series, one.fit, [float(size) for size in n], level, of)) for one in results.fitted]


def judge_all(
    session: Session, results: Results, gains: Sequence[tuple[str | None, float]], level: float
) -> list[tuple[Fitted, Verdict]]:
    """Return whether more data is worth it, by every fitted metric.

    Parameters
    ----------
    results : Results
        With the whole series.
    gains : sequence of (metric or None for all, gain)
        What doubling the data must bring, in the metric's units; a metric's own before the one for all.

    Raises
    ------
    NotFound
        For a gain on a metric that the job does not have.
    Invalid
        For a gain that is not above zero.
    """
    wanted = dict(gains)
    known = {one.series.metric for one in results.fitted}
    for name, gain in wanted.items():
        if name is not None and name not in known:
            raise unknown_metric(name, known, "min_gain")
        if gain <= 0:
            detail = f"A gain must be above zero, in the metric's units; {gain:g} is not."
            raise Invalid(detail, code="invalid_gain", errors=[field_error("min_gain", detail)])
    counts = _test_items(session, results.job)
    verdicts = []
    for one in results.fitted:
        assert isinstance(one.fit, CalibratedFit)
        verdict = judge(
            one.measured,
            one.fit,
            one.flags,
            items=counts(one.measured),
            min_gain=wanted.get(one.series.metric, wanted.get(None)),
            level=level,
        )
        verdicts.append((one, verdict))
    return verdicts


def _test_items(session: Session, job: Job) -> Callable[[Series], int | None]:
    """Return how many test items a series is a proportion of, as far as its metric is one."""
    test = _dataset_info(session, job).get("test") or {}
    specs = metric_specs(job)

    def items(series: Series) -> int | None:
        spec = specs.get(series.metric)
        proportion = spec.proportion_of if spec else None
        if proportion is None and series.metric.lower() == "accuracy" and series.bounds == (0.0, 1.0):
            proportion = "items"
        if proportion == "items" and series.class_index is None:
            return int(test["size"]) if test.get("size") else None
        counts = test.get("class_counts") or []
        if proportion == "class_items" and series.class_index is not None and series.class_index < len(counts):
            return int(counts[series.class_index]) or None
        return None

    return items


def parse_targets(targets: Sequence[str], parameter: str = "target") -> list[tuple[str | None, float]]:
    """Return the targets as (metric or None for all, value).

    A target is ``0.93`` or ``Accuracy:0.93``; a metric's name may itself contain colons.
    """
    parsed: list[tuple[str | None, float]] = []
    for text in targets:
        name, colon, number = text.rpartition(":")
        value = float(number) if NUMBER.fullmatch(number.strip()) else float("nan")
        if not np.isfinite(value) or (colon and not name):
            detail = f"{text!r} is no {parameter}; write a number, or a metric and a number as in Accuracy:0.93."
            raise Invalid(detail, code=f"invalid_{parameter}", errors=[field_error(parameter, detail)])
        parsed.append((name if colon else None, value))
    return parsed


def inv_project_all(
    results: Results, targets: Sequence[tuple[str | None, float]], level: float
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
        (one, [inv_project(one.series, one.fit, value, level) for value in wanted[one.series.metric]])
        for one in results.fitted
        if wanted[one.series.metric]
    ]


def require_target(one: Fitted, target: float) -> None:
    """Refuse a target that the metric cannot take.

    Raises
    ------
    Invalid
    """
    try:
        check_target(target, one.series.bounds)
    except TargetOutOfBounds as error:
        detail = f"Target {target:g} for {one.series.metric}: {error}"
        raise Invalid(detail, code="target_out_of_bounds", errors=[field_error("target", detail)]) from None


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
    session: Session,
    job_id: UUID,
    metrics: Sequence[str] | None = None,
    *,
    after: tuple[int, int, str, int] | None = None,
    limit: int | None = None,
) -> list[CellValue]:
    """Return measurements by run, step, metric and class; of `metrics` only, where some are named."""
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
    if metrics:
        statement = statement.where(Measurement.metric.in_(metrics))
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


def averages(session: Session, job: Job, metrics: Sequence[str] | None = None) -> list[Average]:
    """Return mean and standard deviation a step, for every metric and class, or for those of `metrics` only."""
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
        if not metrics or series.metric in metrics
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
    stored = {key: fit for key, (fit, _) in _stored_fits(session, job, "power_law").items()}
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


def _params(group: Sequence[Series], stored: Mapping[tuple[str, int], Fit]) -> Any:
    each: list[list[float | None] | None] = []
    for series in group:
        fit = stored.get((series.metric, _index(series)))
        if not isinstance(fit, PowerLawFit):
            try:
                fit = fit_power_law(series)
            except NotEnoughData:
                each.append(None)
                continue
        each.append(fit.params())
    return each if _per_class(group) else each[0]
