"""Answers as tables: a row a size or target, a column a metric (of a class)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sufficiency.schemas.plain import cell
from sufficiency.schemas.results import AverageMeasurement, InverseProjection, Projection, TargetAnswer
from sufficiency.schemas.words import ClassLabel

# What DataEval says for a target that is never met.
OUT_OF_REACH = -1


@dataclass(frozen=True)
class Table:
    """Rows under the names of their columns; None is an empty field."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]

    def csv(self) -> str:
        """Return the table as comma-separated values."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        # Names of metrics and classes are of strangers, and a spreadsheet runs what begins with "=".
        writer.writerow(map(cell, self.columns))
        writer.writerows(map(cell, row) for row in self.rows)
        return text.getvalue()


def column(metric: str, label: ClassLabel) -> str:
    """Return the name of a metric's column, as DataEval names them: ``Metric``, or ``Metric_class``."""
    return metric if label is None else f"{metric}_{label}"


def averages_table(means: Iterable[AverageMeasurement]) -> Table:
    """Return the means a step, in which `step` is the training-set size, as DataEval's table has it."""
    return _wide("step", ((mean.n, (mean.metric, mean.class_), mean.mean) for mean in means))


def projection_table(answer: Projection) -> Table:
    """Return the projected values by size."""
    points = ((metric, point) for metric, points in answer.metrics.items() for point in points)
    return _wide("step", ((point.n, (metric, point.class_), point.value) for metric, point in points))


def inverse_table(answer: InverseProjection) -> Table:
    """Return the sizes by target; `OUT_OF_REACH` for one that is never met."""
    needs = ((metric, need) for metric, needs in answer.metrics.items() for need in needs)
    return _wide("target", ((need.target, (metric, need.class_), _needed(need)) for metric, need in needs))


def _needed(need: TargetAnswer) -> int | None:
    if need.n is not None:
        return need.n
    return None if need.status == "undetermined" else OUT_OF_REACH


def _wide(key: str, values: Iterable[tuple[float, tuple[str, ClassLabel], Any]]) -> Table:
    """Return the values of (row, metric and class, value) as one row a key, in the keys' order."""
    rows: dict[float, dict[tuple[str, ClassLabel], Any]] = {}
    columns: dict[tuple[str, ClassLabel], str] = {}
    for row, of, value in values:
        if of not in columns:
            columns[of] = unused(column(*of), {key, *columns.values()})
        rows.setdefault(row, {})[of] = value
    return Table([key, *columns.values()], ([row, *(rows[row].get(of) for of in columns)] for row in sorted(rows)))


def unused(name: str, used: set[str]) -> str:
    """Return a column's name; a metric ``Recall_cat`` beside the class cat of ``Recall`` is ``Recall_cat (2)``."""
    made, number = name, 1
    while made in used:
        number += 1
        made = f"{name} ({number})"
    return made
