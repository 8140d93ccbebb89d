"""What measured values themselves give reason to doubt, and how those are read that nobody has declared."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sufficiency.method.assumed import assume, assumption_text
from sufficiency.method.measurements import Series, bounds_text, key, widened
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import SCALAR, Bounds, Direction


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


def value_warnings(
    spreads: Iterable[Spread], cells_done: int, metrics: Mapping[str, MetricSpec], wanted: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return what values give reason to doubt: missing ones, ones that cannot be, and what nobody has declared.

    Parameters
    ----------
    spreads : iterable of Spread
        Of every metric and class.
    cells_done : int
        Measured cells.
    metrics : mapping
        How each declared metric reads.
    wanted : collection of str
        The metrics that were declared for this job, which it should measure.
    """
    by_metric: dict[str, list[Spread]] = {}
    for spread in spreads:
        by_metric.setdefault(spread.metric, []).append(spread)
    found: list[dict[str, Any] | None] = []
    for metric, of_metric in sorted(by_metric.items()):
        least = min((s.least for s in of_metric if s.least is not None), default=None)
        most = max((s.most for s in of_metric if s.most is not None), default=None)
        found.append(_missing(metric, of_metric, cells_done))
        if metric in metrics:
            found.append(_outside(metric, metrics[metric].bounds, least, most))
        else:
            spec = assume(metric, least, most).spec
            found.append(assumption(metric, spec.direction, spec.bounds))
    groups = _groups(by_metric)
    found += _alike(groups)
    first = sorted(by_metric)[:6]
    found += [
        _unmeasured(name, groups.get(_plain(name), first))
        for name in sorted(wanted)
        if cells_done and name not in by_metric
    ]
    return [warning for warning in found if warning is not None]


def assumption(metric: str, direction: Direction, bounds: Bounds) -> dict[str, Any] | None:
    """Return what is to be said of how an undeclared metric is read, or None where it goes without saying."""
    by_name = assume(metric, None, None)
    is_known = by_name.by_name and by_name.spec.direction == direction
    if is_known and direction == "maximize" and bounds == (0.0, 1.0):
        return None
    return {
        "code": "assumed_direction",
        "metric": metric,
        "class": None,
        "direction": direction,
        "bounds": list(bounds),
        "detail": assumption_text(metric, direction, bounds, by_name=is_known),
    }


def _missing(metric: str, spreads: Sequence[Spread], cells_done: int) -> dict[str, Any] | None:
    missing = {s.class_index: cells_done - s.values for s in spreads if s.values < cells_done}
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
        f"{cells_done} measured cells; these are left out of its curve.",
    }


def _outside(metric: str, bounds: Bounds, least: float | None, most: float | None) -> dict[str, Any] | None:
    low, high = widened(bounds)
    if least is None or most is None or (least >= low and most <= high):
        return None
    return {
        "code": "outside_bounds",
        "metric": metric,
        "least": least,
        "largest": most,
        "detail": f"{metric} took values from {least:g} to {most:g}, outside its bounds {bounds_text(bounds)}; "
        "declare what it can take under `metrics` of the job.",
    }


def _groups(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Return the metrics that a reader would take for one, by what is common to their names."""
    groups: dict[str, list[str]] = {}
    for name in sorted(metrics):
        groups.setdefault(_plain(name), []).append(name)
    return groups


def _alike(groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any] | None]:
    """Return a warning for metrics that a reader would take for one."""
    return [
        {
            "code": "names_alike",
            "metric": names[0],
            "class": None,
            "detail": f"{', '.join(map(repr, names))} are {len(names)} metrics here, each with a curve of its own. "
            "If they are meant to be one, let the evaluation write its name always in the same way.",
        }
        for names in groups.values()
        if len(names) > 1
    ]


def _unmeasured(name: str, others: Sequence[str]) -> dict[str, Any]:
    instead = f"it has {', '.join(map(repr, others))}"
    return {
        "code": "metric_not_measured",
        "metric": name,
        "class": None,
        "detail": f"{name!r} is declared under `metrics` of the job, and the evaluation does not measure it: "
        f"{instead}. What is declared goes by the exact name.",
    }


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
