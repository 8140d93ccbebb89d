"""Several studies' curves beside those of the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sufficiency.answers.errors import Unanswerable, UnknownMetric
from sufficiency.answers.projection import projected_value
from sufficiency.answers.study import FittedCurve, FittedStudy, Study
from sufficiency.answers.warnings import left_out
from sufficiency.method.comparison import (
    Crossing,
    Efficiency,
    Paired,
    Side,
    efficiency,
    find_crossing,
    paired_differences,
)
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.items import ItemsPaired, Place, paired_on_items
from sufficiency.method.measurements import Series, bounds_text
from sufficiency.method.projection import project
from sufficiency.schemas.results import (
    ComparedCurve,
    ComparedJob,
    ComparedMetric,
    ComparisonView,
    CrossingView,
    EfficiencyView,
    ItemsPairedView,
    PairedView,
    PairView,
)
from sufficiency.schemas.words import ClassLabel, Told
from sufficiency.schemas.work import ItemMarks

# A metric, and the class that the curve is of.
_Key = tuple[str, ClassLabel]
_Curves = Mapping[_Key, FittedCurve[Series]]
# Of one study, by metric: which test items each of its trainings was right about.
Marks = Mapping[str, Mapping[Place, ItemMarks]]
# How far ahead curves are shown beside each other, in doublings of the largest measured size.
_DOUBLINGS = 4
# Of so many metrics a refusal says why they are left out.
_MOST_REASONS = 3


def compare(
    studies: Sequence[FittedStudy[Series]],
    metrics: Sequence[str] | None = None,
    level: float = DEFAULT_LEVEL,
    marks: Sequence[Marks] = (),
) -> ComparisonView:
    """Compare studies' curves: where they cross, how many times the data one needs for the other's level.

    Parameters
    ----------
    studies : sequence of FittedStudy
        The first is what the others are compared with. By a method that gives intervals.
    metrics : sequence of str, optional
        Only these; default every metric with one value that all have. Those with a value a class have to be named.
    marks : sequence of mapping
        Of each study, by metric, which test items its trainings were right about; none: nobody knows.

    Raises
    ------
    UnknownMetric
        For a metric that none of them has.
    Unanswerable
        When they have no metric in common.
    """
    by_study = [{(one.reading.metric, fitted.label(one)): one for one in fitted.curves} for fitted in studies]
    keys, warnings = _in_common(by_study, metrics)
    compared: dict[str, list[ComparedMetric]] = {}
    opposed: list[dict[str, Any]] = []
    for metric, label in keys:
        curves = [of_study[metric, label] for of_study in by_study]
        if len({one.reading.direction for one in curves}) > 1:
            opposed.append(left_out(metric, "the jobs do not agree whether higher or lower is better"))
            continue
        if (read := _other_ranges(curves)) is not None:
            warnings.append(read)
        of_metric = [one.get(metric, {}) if label is None else {} for one in marks] or [{}] * len(studies)
        compared.setdefault(metric, []).append(_compared(studies, curves, label, level, of_metric))
    if not compared:
        # What not all of them have is seen by what each has.
        why = "".join(f" {one['detail']}" for one in opposed[:_MOST_REASONS])
        detail = "The jobs have no curve in common: " + "; ".join(map(_has, studies, by_study)) + "." + why
        raise Unanswerable(detail, "nothing_in_common")
    return ComparisonView(
        level=level,
        jobs=[_job(studies[0].study, fitted) for fitted in studies],
        metrics=compared,
        warnings=[*warnings, *opposed],
    )


def _in_common(by_study: Sequence[_Curves], metrics: Sequence[str] | None) -> tuple[list[_Key], list[dict[str, Any]]]:
    """Return what all have of what is asked for, and warnings of what they do not."""
    known = {metric for curves in by_study for metric, _ in curves}
    for name in metrics or ():
        if name not in known:
            raise UnknownMetric(name, known, "metric")
    keys = [key for key in by_study[0] if (key[0] in metrics if metrics else key[1] is None)]
    common = [key for key in keys if all(key in curves for curves in by_study)]
    shared = {metric for metric, _ in common}
    missing = dict.fromkeys(metric for metric, _ in keys if metric not in shared)
    return common, [left_out(metric, "not every job has a curve of it") for metric in missing]


def _other_ranges(curves: Sequence[FittedCurve[Series]]) -> dict[str, Any] | None:
    """Return the warning that a metric's range is not that of the other jobs, as where one has per cent of it."""
    one = curves[0].reading
    ranges = list(dict.fromkeys(bounds_text(curve.reading.bounds) for curve in curves))
    if len(ranges) == 1:
        return None
    detail = (
        f"The jobs do not agree on the range of {one.metric}: {', '.join(ranges)}. If its units differ, the comparison "
        "says nothing; else declare one range in each job's `metrics`."
    )
    return {"code": "other_ranges", "metric": one.metric, "class": None, "detail": detail}


def _has(fitted: FittedStudy[Series], curves: _Curves) -> str:
    return f"{fitted.study.id} has {', '.join(sorted({metric for metric, _ in curves}))}"


def _job(first: Study, fitted: FittedStudy[Series]) -> ComparedJob:
    return ComparedJob(
        job_id=fitted.study.id,
        model=fitted.study.model,
        dataset=fitted.study.dataset,
        n_observed=fitted.n_observed,
        provisional=fitted.study.provisional,
        shares_subsets=_share_subsets(first, fitted.study),
    )


def _share_subsets(one: Study, other: Study) -> bool:
    """Return whether two studies' runs of the same number trained on the same items at the same size."""
    return one.subsets is not None and one.subsets == other.subsets


def _compared(
    studies: Sequence[FittedStudy[Series]],
    curves: Sequence[FittedCurve[Series]],
    label: ClassLabel,
    level: float,
    marks: Sequence[Mapping[Place, ItemMarks]],
) -> ComparedMetric:
    """Return one metric (of one class): every study's curve, and each later one beside the first."""
    sizes = _shared_sizes(curves)
    sides = [
        _Side(fitted.study, curve, of_items) for fitted, curve, of_items in zip(studies, curves, marks, strict=True)
    ]
    return ComparedMetric(
        curves=[
            ComparedCurve(
                job_id=fitted.study.id,
                points=[projected_value(point) for point in project(one.reading, one.fit, sizes, level)],
            )
            for fitted, one in zip(studies, curves, strict=True)
        ],
        pairs=[_pair(sides[0], other, level) for other in sides[1:]],
        class_=label,
    )


def _shared_sizes(curves: Sequence[FittedCurve[Series]]) -> list[float]:
    """Sizes for all curves alike: every one that was measured, then doublings as far as they can be relied on."""
    low = max(one.fit.n_min for one in curves)
    most = max(one.fit.n_max for one in curves)
    measured = {float(n) for one in curves for n in one.reading.n if low <= n <= most}
    return sorted(measured | {most * 2**k for k in range(1, _DOUBLINGS + 1)})


@dataclass(frozen=True)
class _Side:
    """One of two studies that are put beside each other: its curve, and which test items it was right about."""

    study: Study
    curve: FittedCurve[Series]
    marks: Mapping[Place, ItemMarks]


def _pair(first: _Side, other: _Side, level: float) -> PairView:
    curves = (first.curve.reading, first.curve.fit, other.curve.reading, other.curve.fit)
    share = _share_subsets(first.study, other.study)
    paired = paired_differences(curves[0], curves[2], level) if share else []
    same_split = first.study.split is not None and first.study.split == other.study.split
    marks = (first.marks, other.marks) if same_split else ({}, {})
    on_items = paired_on_items(*marks, level, share_subsets=share)
    crossing = find_crossing(*curves, level)
    # So many looks at the same two models: each must be that much surer.
    strict = 1.0 - (1.0 - level) / max(len(paired) + len(on_items), 1)
    sign = 1.0 if curves[0].direction == "maximize" else -1.0
    seen = [
        *_seen(paired_differences(curves[0], curves[2], strict) if share else [], sign),
        *_seen(paired_on_items(*marks, strict, share_subsets=share), sign),
    ]
    return PairView(
        job_id=other.study.id,
        crossing=_crossing(crossing, first.study.id, other.study.id, crossing.told(level, seen)),
        efficiency=[_efficiency(one) for one in efficiency(*curves, level)],
        paired=[PairedView(**vars(one)) for one in paired],
        on_items=[ItemsPairedView(**vars(one)) for one in on_items],
    )


def _seen(paired: Sequence[Paired | ItemsPaired], sign: float) -> list[tuple[int, Side]]:
    """Return the sizes at which an interval leaves no doubt which of the two is ahead."""
    return [
        (one.n, "second" if sign * one.lower > 0 else "first")
        for one in paired
        if one.lower is not None and one.upper is not None and one.lower * one.upper > 0
    ]


def _crossing(found: Crossing, first: UUID, second: UUID, told: Told) -> CrossingView:
    sides: dict[str | None, UUID | None] = {"first": first, "second": second, None: None}
    ahead = {"ahead_before": sides[found.ahead_before], "ahead_after": sides[found.ahead_after]}
    return CrossingView(**{**vars(found), **ahead}, told=told)


def _efficiency(found: Efficiency) -> EfficiencyView:
    return EfficiencyView(
        n_first=found.n_first,
        value=found.value,
        status=found.status,
        n=found.n_second,
        lower=found.lower,
        upper=found.upper,
        ratio=found.ratio,
        ratio_lower=found.ratio_lower,
        ratio_upper=found.ratio_upper,
    )
