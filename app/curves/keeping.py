"""The curves of a job: kept when it completes, so that an answer does not change under its reader; made until then."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.curves.details import warnings_of_learner
from app.curves.memory import Memory
from app.curves.series import gaps_of, load_series, study_of
from app.curves.values import value_warnings
from app.curves.versions import version_of
from app.db.engine import reads_no_more
from app.db.tables import Curve, EarlierCurve, Job
from sufficiency.answers.errors import BadQuestion
from sufficiency.answers.headline import headline
from sufficiency.answers.study import (
    FittedCurve,
    FittedStudy,
    Study,
    choose,
    fit_study,
    fit_with_backtests,
    flags_of,
    largest_size,
    of_one_learner,
    with_split_noise,
)
from sufficiency.answers.values import spread_of
from sufficiency.method.backtest import Backtest
from sufficiency.method.curve import Fit, NotEnoughData
from sufficiency.method.diagnosis import Flag
from sufficiency.method.measurements import Key, Reading, Series, key
from sufficiency.method.methods import METHOD_VERSIONS, kept_fit
from sufficiency.schemas.words import DEFAULT_METHOD, Bounds, Direction, Method

# Curves that this process holds, of the jobs that were asked about last.
MOST_CURVES = 2000


def _curves_of(fitted: FittedStudy[Any]) -> int:
    return len(fitted.curves) + len(fitted.skipped)


_FITTED: Memory[FittedStudy[Reading]] = Memory(MOST_CURVES, _curves_of)
_MEASURED: Memory[FittedStudy[Series]] = Memory(MOST_CURVES, _curves_of)


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
    def of(cls, series: Series, flags: Sequence[Flag], skipped: Mapping[str, str]) -> Self:
        """Return what is to be kept of a series."""
        return cls(series.metric, series.class_index, series.direction, series.bounds, flags, skipped)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return what `dataclasses.asdict` gave."""
        low, high = data["bounds"]
        return cls(**data | {"bounds": (low, high), "flags": [Flag(**flag) for flag in data["flags"]]})


def store_curves(session: Session, job: Job) -> None:
    """Fit every series of a job by every method, and keep the fits and what else reading the job takes.

    A series with too little for a fit is kept without one, with the reason.
    """
    # Thousands of classes take longer to fit than a transaction may otherwise stand still.
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1h'"))
    study = study_of(session, job)
    measured = load_series(session, job)
    rows, readings = [], []
    curves: list[FittedCurve[Series]] = []
    ones = [of_one_learner(study, with_split_noise(study, whole)) for whole in measured]
    made = {method: fit_with_backtests(ones, method) for method in METHOD_VERSIONS}
    for place, (series, flags) in enumerate(zip(ones, flags_of(ones), strict=True)):
        metric, class_index = key(series)
        skipped: dict[str, str] = {}
        for method, version in METHOD_VERSIONS.items():
            found = made[method][place]
            if isinstance(found, NotEnoughData):
                skipped[method] = str(found)
                continue
            fit, test = found
            if method == DEFAULT_METHOD:
                curves.append(FittedCurve(series, fit, test, flags))
            rows.append(
                {
                    "job_id": job.id,
                    "metric": metric,
                    "class_index": class_index,
                    "method": method,
                    "method_version": version,
                    "fit": fit.to_dict(),
                    "backtest": test.to_dict(),
                }
            )
        readings.append(asdict(KeptReading.of(series, flags, skipped)))
    job.readings = {"methods": METHOD_VERSIONS, "n_observed": largest_size(measured), "series": readings}
    job.value_warnings = [
        *value_warnings(job, map(spread_of, measured), gaps_of(session, job)),
        *warnings_of_learner(session, job),
    ]
    job.result = result_of(FittedStudy(study, DEFAULT_METHOD, largest_size(measured), curves)) if curves else {}
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


def result_of(fitted: FittedStudy[Series]) -> dict[str, Any]:
    """Return what came of a job in a line, as it is kept for lists."""
    return headline(fitted).model_dump(mode="json")


def refit(session: Session, job: Job) -> dict[Method, int]:
    """Fit a completed job's curves anew by the present versions of the methods; return those it went by until now.

    What it went by is kept beside, to be asked for by its version.
    """
    before = versions_of(session, job)
    kept = select(
        Curve.job_id,
        Curve.metric,
        Curve.class_index,
        Curve.method,
        Curve.method_version,
        Curve.fit,
        Curve.backtest,
        Curve.created_at,
    ).where(Curve.job_id == job.id, Curve.backtest.is_not(None))
    columns = [column.name for column in EarlierCurve.__table__.columns]
    session.execute(insert(EarlierCurve).from_select(columns, kept).on_conflict_do_nothing())
    store_curves(session, job)
    return before


def versions_of(session: Session, job: Job) -> dict[Method, int]:
    """Return the versions of the methods that a job is answered by: those it completed with, else the present ones."""
    kept = session.scalar(select(Job.readings).where(Job.id == job.id)) if job.state == "completed" else None
    told = (kept or {}).get("methods", {})
    # What a later program kept, this one cannot be trusted to read.
    return {method: min(told.get(method, now), now) for method, now in METHOD_VERSIONS.items()}


def fitted_study(
    session: Session,
    job: Job,
    metrics: Sequence[str] | None = None,
    method: Method = DEFAULT_METHOD,
    classes: Sequence[str] | None = None,
    version: int | None = None,
) -> FittedStudy[Reading]:
    """Return the curves of a job: those kept at completion, or made of what is measured so far.

    Parameters
    ----------
    metrics : sequence of str, optional
        Only these.
    method : str
        How the curves are fitted.
    classes : sequence of str, optional
        Of the metrics with a value a class, only these classes, each by its name or its index.
    version : int, optional
        Of the method, by which the job's curves were kept: the one that it goes by, or one before.

    Raises
    ------
    UnknownMetric, UnknownClass
        For one that the job does not have.
    BadQuestion
        For a version by which nothing is kept.
    TooLittleMeasured
        When nothing of what is asked for can be fitted yet, saying what is missing.
    """
    asked = tuple(metrics or ()), tuple(classes or ())
    return _FITTED.get(
        (version_of(session, job.id), job.id, method, version, *asked),
        lambda: _fitted_study(session, job, metrics, method, classes, version),
    )


def measured_study(
    session: Session, job: Job, metrics: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> FittedStudy[Series]:
    """Return what `fitted_study` does, by the method with intervals, with all that the job measured."""
    [study] = measured_studies(session, [job], metrics, classes)
    return study


def measured_studies(
    session: Session, jobs: Sequence[Job], metrics: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> list[FittedStudy[Series]]:
    """Return what `measured_study` does, of several jobs; all of them are read before the first is fitted."""
    asked = tuple(metrics or ()), tuple(classes or ())
    keys = [(version_of(session, job.id), job.id, *asked) for job in jobs]
    read = [
        _MEASURED.find(place) or _load(session, job, study_of(session, job), metrics, DEFAULT_METHOD, classes)
        for place, job in zip(keys, jobs, strict=True)
    ]
    reads_no_more(session)
    return [
        one if isinstance(one, FittedStudy) else _MEASURED.get(place, partial(_fit, one))
        for place, one in zip(keys, read, strict=True)
    ]


@dataclass(frozen=True)
class _Loaded:
    """What fitting a job takes, read from the database; `kept` are fits by `version` of the method."""

    study: Study
    series: Sequence[Series]
    kept: Mapping[Key, tuple[Fit, Backtest]]
    version: int


def _fitted_study(
    session: Session,
    job: Job,
    metrics: Sequence[str] | None,
    method: Method,
    classes: Sequence[str] | None,
    version: int | None,
) -> FittedStudy[Reading]:
    present = versions_of(session, job)[method]
    asked = version or present
    if job.state != "completed" and method == DEFAULT_METHOD and asked == present:
        return measured_study(session, job, metrics, classes)  # one fit for all questions to what there is so far
    study = study_of(session, job)
    found = _kept_study(session, job, study, metrics, method, classes, asked)
    if found is None and asked != present:
        detail = f"No curves by version {asked} of {method} are kept of this job; it goes by version {present}."
        raise BadQuestion(detail, "unknown_method_version", "method_version")
    if found is None:
        loaded = _load(session, job, study, metrics, method, classes)
        reads_no_more(session)
        return fit_study(study, loaded.series, method, loaded.kept, loaded.version)
    reads_no_more(session)
    return found


def _kept_study(
    session: Session,
    job: Job,
    study: Study,
    metrics: Sequence[str] | None,
    method: Method,
    classes: Sequence[str] | None,
    version: int,
) -> FittedStudy[KeptReading] | None:
    """Return a completed job's curves without a look at what it measured; None where not all of them were kept."""
    if study.provisional:
        return None
    kept = session.scalars(select(Job.readings).where(Job.id == job.id)).one()
    if kept is None:
        return None
    readings = choose(study, [KeptReading.from_dict(one) for one in kept["series"]], metrics, classes)
    fits = stored_fits(session, job, method, version)
    curves: list[FittedCurve[KeptReading]] = []
    skipped: list[tuple[KeptReading, str]] = []
    for one in readings:
        if found := fits.get(key(one)):
            curves.append(FittedCurve(one, *found, one.flags, stored=True))
        elif method in one.skipped:
            skipped.append((one, one.skipped[method]))
        else:
            return None
    return FittedStudy(study, method, kept["n_observed"], curves, skipped, version)


def _load(
    session: Session,
    job: Job,
    study: Study,
    metrics: Sequence[str] | None,
    method: Method,
    classes: Sequence[str] | None,
) -> _Loaded:
    """Read what a job measured and, where it has completed, the fits that were kept."""
    series = choose(study, load_series(session, job), metrics, classes)
    version = versions_of(session, job)[method]
    kept = {} if study.provisional else stored_fits(session, job, method, version)
    # Where some fits are lost, what is answered is of one version: the present one.
    whole = all(key(one) in kept for one in series)
    return _Loaded(study, series, kept if whole or version == METHOD_VERSIONS[method] else {}, version)


def _fit(loaded: _Loaded) -> FittedStudy[Series]:
    return fit_study(loaded.study, loaded.series, DEFAULT_METHOD, loaded.kept, loaded.version)


def stored_fits(session: Session, job: Job, method: Method, version: int) -> dict[Key, tuple[Fit, Backtest]]:
    """Return the fits of a job that were kept, by a version of a method, with their back-tests."""
    for table in (Curve, EarlierCurve):
        rows = session.execute(
            select(table.metric, table.class_index, table.fit, table.backtest).where(
                table.job_id == job.id,
                table.method == method,
                table.method_version == version,
                table.backtest.is_not(None),
            )
        ).all()
        if rows:
            break
    return {
        (metric, class_index): (kept_fit(fit, method), Backtest.from_dict(test))
        for metric, class_index, fit, test in rows
    }
