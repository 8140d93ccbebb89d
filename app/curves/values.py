"""What a job's values themselves give reason to doubt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.db.tables import Job
from sufficiency.answers.gaps import Gap, gaps_warning
from sufficiency.method.measurements import Series, bounds_text, key
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import SCALAR


@dataclass(frozen=True)
class Spread:
    """What one metric of one class did over a job's measured cells; class_index is `SCALAR` where it is of no class."""

    metric: str
    class_index: int
    values: int
    least: float | None
    most: float | None


def spread_of(series: Series) -> Spread:
    """Return what a series did."""
    values = series.values[np.isfinite(series.values)]
    least, most = (float(values.min()), float(values.max())) if values.size else (None, None)
    return Spread(*key(series), values.size, least, most)


def value_warnings(job: Job, spreads: Iterable[Spread], gaps: Sequence[Gap] = ()) -> list[dict[str, Any]]:
    """Return what the values themselves give reason to doubt: missing ones, and ones that cannot be.

    Parameters
    ----------
    gaps : sequence of Gap
        The cells that could not be measured.
    """
    by_metric: dict[str, list[Spread]] = {}
    for spread in spreads:
        by_metric.setdefault(spread.metric, []).append(spread)
    found = [
        warning
        for metric, of_metric in sorted(by_metric.items())
        for warning in (_missing(job, metric, of_metric), _outside(job, metric, of_metric))
    ]
    return [warning for warning in (gaps_warning(gaps, job.cells_total), *found) if warning is not None]


def _missing(job: Job, metric: str, spreads: Sequence[Spread]) -> dict[str, Any] | None:
    missing = {s.class_index: job.cells_done - s.values for s in spreads if s.values < job.cells_done}
    if not missing:
        return None
    most = max(missing.values())
    classes = [index for index in missing if index != SCALAR]
    of_classes = f" of {len(classes)} class{'es' if len(classes) > 1 else ''}" if classes else ""
    return {
        "code": "missing_values",
        "metric": metric,
        "cells": most,
        "classes": classes,
        "detail": f"{metric}{of_classes} has no value in {'up to ' if len(classes) > 1 else ''}{most} of "
        f"{job.cells_done} measured cells; these are left out of its curve.",
    }


def _outside(job: Job, metric: str, spreads: Sequence[Spread]) -> dict[str, Any] | None:
    least = min((s.least for s in spreads if s.least is not None), default=None)
    largest = max((s.most for s in spreads if s.most is not None), default=None)
    if metric not in job.metrics or least is None or largest is None:
        return None
    low, high = bounds = MetricSpec.model_validate(job.metrics[metric]).bounds
    if (low is None or least >= low) and (high is None or largest <= high):
        return None
    return {
        "code": "outside_bounds",
        "metric": metric,
        "least": least,
        "largest": largest,
        "detail": f"{metric} took values from {least:g} to {largest:g}, outside its bounds {bounds_text(bounds)}; "
        "declare what it can take under `metrics` of the job.",
    }
