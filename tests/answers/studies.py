"""Studies made up of plain rows, as nobody needs a database for."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sufficiency.answers.study import FittedStudy, Study, fit_study
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import SCALAR, Method

SIZES = [10, 40, 160, 640, 1000]
METRICS = {
    "Accuracy": MetricSpec(),
    "Loss": MetricSpec(direction="minimize", bounds=(0.0, None)),
    "Recall": MetricSpec(proportion_of="class_items"),
}
Measure = Callable[[int, int], dict[tuple[str, int], float | None]]


def scalars(run: int, n: int) -> dict[tuple[str, int], float | None]:
    """Return an accuracy and a loss, each on a power law of its own."""
    error = 2.0 * n**-0.5 + 2e-3 * run
    return {("Accuracy", SCALAR): 1.0 - error, ("Loss", SCALAR): 0.1 + error}


def with_classes(run: int, n: int) -> dict[tuple[str, int], float | None]:
    """Return the scalars, and a recall of each of three classes."""
    return {**scalars(run, n), **{("Recall", c): 1.0 - 0.05 * c - 2.0 * n**-0.5 for c in range(3)}}


def study(number: int = 1, **changes: Any) -> Study:
    """Return a completed study of two runs."""
    facts: dict[str, Any] = {
        "id": UUID(int=number),
        "state": "completed",
        "model": "mlp",
        "dataset": "small",
        "cells_done": 2 * len(SIZES),
        "cells_total": 2 * len(SIZES),
        "metrics": METRICS,
        "class_names": ["cat", "dog"],
        "steps": SIZES,
        "test_size": 200,
        "test_class_counts": [80, 60, 60],
    }
    return Study(**facts | changes)


def measured(measure: Measure = with_classes, runs: int = 2) -> list[Series]:
    """Return the series of a study."""
    rows = [
        (run, step, n, metric, class_index, value)
        for run in range(runs)
        for step, n in enumerate(SIZES)
        for (metric, class_index), value in measure(run, n).items()
    ]
    return series_from_rows(rows, METRICS)


def fitted(measure: Measure = with_classes, method: Method = "calibrated", **changes: Any) -> FittedStudy[Series]:
    """Return a study with its curves."""
    return fit_study(study(**changes), measured(measure), method)
