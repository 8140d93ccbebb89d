"""What will it reach at n, and how many items does a target need?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sufficiency.answers.errors import require_few
from sufficiency.answers.heading import heading
from sufficiency.answers.study import FittedStudy
from sufficiency.answers.targets import Target, targets_by_metric
from sufficiency.answers.warnings import warnings_of
from sufficiency.method import projection as method
from sufficiency.method.backtest import Backtest
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.measurements import Reading
from sufficiency.method.projection import ProjectedPoint
from sufficiency.schemas.results import InverseProjection, ProjectedValue, Projection, TargetAnswer, TrustView
from sufficiency.schemas.words import ClassLabel, Of


def project(
    fitted: FittedStudy[Reading], n: Sequence[int], level: float = DEFAULT_LEVEL, of: Of = "mean"
) -> Projection:
    """Return what every fitted metric is expected to be at training-set sizes.

    Parameters
    ----------
    fitted : FittedStudy
    n : sequence of int
        Each ≥ 1.
    level : float
        Of the intervals, in (0, 1).
    of : {"mean", "one_training", "population"}
        Whose interval: of the mean over as many runs as there are, on the same test split; of one new training on it;
        or of the mean on all data that the test split was drawn from.
    """
    require_few("n", len(n), len(fitted.curves))
    sizes = [float(size) for size in n]
    metrics: dict[str, list[ProjectedValue]] = {}
    for one in fitted.curves:
        points = method.project(one.reading, one.fit, sizes, level, of)
        label = fitted.label(one)
        metrics.setdefault(one.reading.metric, []).extend(projected_value(point, label) for point in points)
    return Projection(
        **heading(fitted, level),
        of=of,
        metrics=metrics,
        trust=_trust(fitted),
        warnings=[*warnings_of(fitted, max(n)), *(_unknown_split_noise(fitted) if of == "population" else [])],
    )


def _unknown_split_noise(fitted: FittedStudy[Reading]) -> list[dict[str, Any]]:
    """Return the warning of every metric of which nobody knows what its test split alone adds."""
    known = {
        one.reading.metric: not np.isnan(one.fit.quantile(one.fit.n_max, 0.5, of="population")) for one in fitted.curves
    }
    why = (
        "what its test split alone adds is not known, so that it has no interval for the population. It is known of "
        "proportions of the test items: declare proportion_of in the evaluation's metric_properties, or under "
        "`metrics` of the job"
    )
    return [
        {"code": "split_noise_unknown", "metric": metric, "class": None, "detail": f"{metric}: {why}."}
        for metric, is_known in known.items()
        if not is_known
    ]


def projected_value(point: ProjectedPoint, label: ClassLabel = None) -> ProjectedValue:
    """Return a point of a curve as it is answered."""
    return ProjectedValue(
        n=int(point.n),
        value=point.value,
        lower=point.lower,
        upper=point.upper,
        measured_range=point.measured_range,
        class_=label,
    )


def inv_project(
    fitted: FittedStudy[Reading], targets: Sequence[Target], level: float = DEFAULT_LEVEL
) -> InverseProjection:
    """Return how many training items it takes to reach targets.

    Parameters
    ----------
    targets : sequence of (metric or None, value)
        One without a metric is for every metric whose bounds admit it.

    Raises
    ------
    QuestionError
        As `targets_by_metric`.
    """
    require_few("target", len(targets), len(fitted.curves))
    wanted = targets_by_metric(fitted, targets)
    metrics: dict[str, list[TargetAnswer]] = {}
    for one in fitted.curves:
        label = fitted.label(one)
        for target in wanted[one.reading.metric]:
            answer = method.inv_project(one.reading, one.fit, target, level)
            metrics.setdefault(one.reading.metric, []).append(TargetAnswer(**vars(answer), class_=label))
    answered = [answer.n or 0 for answers in metrics.values() for answer in answers]
    return InverseProjection(
        **heading(fitted, level),
        metrics=metrics,
        warnings=warnings_of(fitted, max(answered, default=0)),
    )


def _trust(fitted: FittedStudy[Reading]) -> dict[str, TrustView]:
    """How well the curve of each metric would have predicted its own later steps; the mean over classes."""
    tests: dict[str, list[Backtest]] = {}
    for one in fitted.curves:
        tests.setdefault(one.reading.metric, []).append(one.backtest)
    return {
        metric: TrustView(
            backtest_error=_mean([test.error for test in of_metric]),
            inside_interval=_mean([test.inside_interval for test in of_metric]),
            predictions=sum(len(test.predictions) for test in of_metric),
        )
        for metric, of_metric in tests.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
