"""A study in the form that DataEval's `SufficiencyOutput` takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sufficiency.answers.errors import Unanswerable
from sufficiency.answers.gaps import gaps_warning
from sufficiency.answers.study import Study
from sufficiency.method.curve import Fit, NotEnoughData
from sufficiency.method.measurements import Key, Series, key
from sufficiency.method.methods import fit_series
from sufficiency.schemas.results import DataevalExport


def dataeval_export(study: Study, series: Sequence[Series], kept: Mapping[Key, Fit]) -> DataevalExport:
    """Return what DataEval's ``SufficiencyOutput`` takes, with the fitted parameters.

    Parameters
    ----------
    study : Study
    series : sequence of Series
        All that it measured.
    kept : mapping
        Power laws that need not be fitted again.

    Raises
    ------
    Unanswerable
        When cells are still missing, or every metric lacks values in measured cells: DataEval's arrays have no holes.

    Notes
    -----
    A cell that could not be measured is null in `measures`, and the averages are over the other runs; a step without
    any measured cell is left out.
    """
    if study.provisional:
        raise Unanswerable(
            f"{study.progress} and the job is {study.state}; "
            "DataEval's output has no holes. Take format=csv for what there is, or wait until the job has completed.",
            "job_incomplete",
        )
    whole, holes = _without_holes(study, series)
    if not whole:
        raise Unanswerable(
            "Every metric has missing values, and DataEval's output has no holes. Take format=csv for what there is.",
            "missing_values",
        )
    return DataevalExport(
        steps=[int(n) for n in next(iter(whole.values()))[0].n],
        measures={metric: _measures(group) for metric, group in whole.items()},
        averaged_measures={
            metric: _each(group, [one.mean().tolist() for one in group]) for metric, group in whole.items()
        },
        unit_interval=all(one.bounds == (0.0, 1.0) for group in whole.values() for one in group),
        params={metric: _each(group, [_params(one, kept) for one in group]) for metric, group in whole.items()},
        directions={metric: group[0].direction for metric, group in whole.items()},
        warnings=_warnings(study, holes),
    )


def _warnings(study: Study, holes: set[str]) -> list[dict[str, Any]]:
    gaps = gaps_warning(study.gaps, study.cells_total)
    missing = [
        {"code": "missing_values", "metric": metric, "detail": f"{metric} has missing values and is left out."}
        for metric in sorted(holes)
    ]
    return [*([gaps] if gaps else []), *missing]


def _without_holes(study: Study, series: Sequence[Series]) -> tuple[dict[str, list[Series]], set[str]]:
    """Return the series of every metric with a value in each measured cell, and the names of the other metrics."""
    groups: dict[str, list[Series]] = {}
    holes = set()
    for one in series:
        groups.setdefault(one.metric, []).append(one)
        if int(one.runs().sum()) != study.cells_done:
            holes.add(one.metric)
    return {metric: group for metric, group in groups.items() if metric not in holes}, holes


def _each(group: Sequence[Series], answers: list[Any]) -> Any:
    """Return the answers one a class, or the one answer of a scalar metric."""
    return answers if _per_class(group) else answers[0]


def _per_class(group: Sequence[Series]) -> bool:
    return group[0].class_index is not None


def _measures(group: Sequence[Series]) -> list[Any]:
    array = np.stack([one.values for one in group], axis=-1) if _per_class(group) else group[0].values
    holed = array.astype(object)
    holed[np.isnan(array)] = None
    nested: list[Any] = holed.tolist()
    return nested


def _params(one: Series, kept: Mapping[Key, Fit]) -> list[float | None] | None:
    try:
        fit = kept.get(key(one)) or fit_series(one, "power_law")
    except NotEnoughData:
        return None
    return fit.params()
