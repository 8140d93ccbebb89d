"""Several jobs' curves beside those of the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db.tables import Job
from app.errors import Conflict, Invalid, field_error
from app.jobs.service import get_job
from app.results.service import Fitted, Results, load_whole_results, unknown_metric
from sufficiency.method.comparison import Crossing, Efficiency, Paired, efficiency, find_crossing, paired_differences

Key = tuple[str, str | int | None]


@dataclass(frozen=True)
class Pair:
    """A later job's curve beside the first job's."""

    job: Job
    crossing: Crossing
    efficiency: Sequence[Efficiency]
    paired: Sequence[Paired]


@dataclass(frozen=True)
class Compared:
    """One metric (of one class): every job's curve, and each later one beside the first."""

    metric: str
    label: str | int | None
    fitted: Sequence[tuple[Job, Fitted]]
    pairs: Sequence[Pair]


@dataclass(frozen=True)
class Comparison:
    """What jobs have in common, metric by metric."""

    results: Sequence[Results]
    compared: Sequence[Compared]
    warnings: Sequence[dict[str, Any]]


def shares_subsets(one: Job, other: Job) -> bool:
    """Return whether two jobs' runs of the same number trained on the same items at the same size."""
    return one.dataset_fingerprint == other.dataset_fingerprint and all(
        one.spec[name] == other.spec[name] for name in ("seed", "protocol")
    )


def compare(session: Session, ids: Sequence[UUID], metrics: Sequence[str] | None, level: float) -> Comparison:
    """Compare jobs' curves.

    Parameters
    ----------
    ids : sequence of UUID
        The first is what the others are compared with.
    metrics : sequence of str, optional
        Only these; default every metric with one value that all jobs have. Those with a value a class have to be named.

    Raises
    ------
    Invalid
        When a job is named twice.
    NotFound
        For a job that is not there, and for a metric that none of the jobs has.
    Conflict
        When a job has too little for a fit, or the jobs have no metric in common.
    """
    if len(set(ids)) < len(ids):
        detail = "A job is named twice; name different jobs."
        raise Invalid(detail, errors=[field_error("job", detail)])
    results = [load_whole_results(session, get_job(session, job_id)) for job_id in ids]
    by_job = [{_key(found, one): one for one in found.fitted} for found in results]
    known = {metric for keys in by_job for metric, _ in keys}
    for name in metrics or ():
        if name not in known:
            raise unknown_metric(name, known, "metric")
    keys = [key for key in by_job[0] if (key[0] in metrics if metrics else key[1] is None)]
    common = [key for key in keys if all(key in fitted for fitted in by_job)]
    warnings = [_left_out(metric, "not every job has a curve of it") for metric in _names(keys) - _names(common)]
    compared = []
    for key in common:
        group = [(found.job, fitted[key]) for found, fitted in zip(results, by_job, strict=True)]
        if len({one.series.direction for _, one in group}) > 1:
            warnings.append(_left_out(key[0], "the jobs do not agree whether higher or lower is better"))
            continue
        compared.append(Compared(*key, group, _pairs(group, level)))
    if not compared:
        raise Conflict(
            "The jobs have no curve in common: " + "; ".join(map(_has, results, by_job)) + ".",
            code="nothing_in_common",
        )
    return Comparison(results, compared, warnings)


def _pairs(group: Sequence[tuple[Job, Fitted]], level: float) -> list[Pair]:
    first_job, first = group[0]
    pairs = []
    for job, other in group[1:]:
        curves = (first.measured, first.fit, other.measured, other.fit)
        paired = paired_differences(first.measured, other.measured, level) if shares_subsets(first_job, job) else []
        pairs.append(Pair(job, find_crossing(*curves, level), efficiency(*curves, level), paired))
    return pairs


def _key(results: Results, one: Fitted) -> Key:
    return one.series.metric, results.label(one.series.class_index)


def _names(keys: Sequence[Key]) -> set[str]:
    return {metric for metric, _ in keys}


def _left_out(metric: str, why: str) -> dict[str, Any]:
    return {"code": "left_out", "metric": metric, "class": None, "detail": f"{metric} is left out: {why}."}


def _has(results: Results, fitted: Mapping[Key, Fitted]) -> str:
    return f"{results.job.id} has {', '.join(sorted({metric for metric, _ in fitted}))}"
