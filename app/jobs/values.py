"""What a job's values themselves give reason to doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.db.tables import Job
from sufficiency.schemas.spec import MetricSpec


@dataclass(frozen=True)
class Spread:
    """What one metric of one class did over a job's measured cells; class_index is -1 for a scalar."""

    metric: str
    class_index: int
    values: int
    least: float | None
    most: float | None


def value_warnings(job: Job, spreads: Sequence[Spread]) -> list[dict[str, Any]]:
    """Return what the values themselves give reason to doubt: missing ones, and ones that cannot be."""
    warnings: list[dict[str, Any]] = []
    for metric in sorted({spread.metric for spread in spreads}):
        of_metric = [spread for spread in spreads if spread.metric == metric]
        missing = {s.class_index: job.cells_done - s.values for s in of_metric if s.values < job.cells_done}
        if missing:
            most = max(missing.values())
            classes = [index for index in missing if index >= 0]
            of_classes = f" of {len(classes)} class{'es' if len(classes) > 1 else ''}" if classes else ""
            warnings.append(
                {
                    "code": "missing_values",
                    "metric": metric,
                    "cells": most,
                    "classes": classes,
                    "detail": f"{metric}{of_classes} has no value in {'up to ' if len(classes) > 1 else ''}{most} of "
                    f"{job.cells_done} measured cells; these are left out of its curve.",
                }
            )
        if metric not in job.metrics:
            continue
        low, high = MetricSpec.model_validate(job.metrics[metric]).bounds
        least = min((s.least for s in of_metric if s.least is not None), default=None)
        largest = max((s.most for s in of_metric if s.most is not None), default=None)
        if least is None or largest is None:
            continue
        if (low is not None and least < low) or (high is not None and largest > high):
            bounds = f"[{'−∞' if low is None else f'{low:g}'}, {'∞' if high is None else f'{high:g}'}]"
            warnings.append(
                {
                    "code": "outside_bounds",
                    "metric": metric,
                    "least": least,
                    "largest": largest,
                    "detail": f"{metric} took values from {least:g} to {largest:g}, outside its bounds {bounds}; "
                    "declare what it can take under `metrics` of the job.",
                }
            )
    return warnings
