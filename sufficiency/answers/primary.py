"""By which of a study's metrics its question is answered, the others under it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sufficiency.answers.errors import UnknownMetric
from sufficiency.answers.study import FittedStudy
from sufficiency.method.measurements import Reading


def asked_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job's spec says of its question, as `Study` takes it."""
    named = (spec.get("evaluation") or {}).get("params", {}).get("metrics")
    return {
        "primary": spec.get("primary"),
        "asked": [one for one in named if isinstance(one, str)] if isinstance(named, list) else [],
        "min_gains": spec.get("min_gain") or {},
    }


def primary_metric(fitted: FittedStudy[Reading], named: str | None = None) -> str:
    """Return the metric that answers a study's question.

    Parameters
    ----------
    fitted : FittedStudy
    named : str, optional
        The one that is asked for; default the study's own, and where it names none, or it has no curve, the first that
        its evaluation was asked for.

    Raises
    ------
    UnknownMetric
        For one asked for that the study does not have.
    """
    readings = {one.reading.metric: one.reading for one in reversed(fitted.curves)}
    if named is not None:
        if named not in readings:
            raise UnknownMetric(named, readings, "primary")
        return named
    if fitted.study.primary in readings:
        return str(fitted.study.primary)
    names = [one.reading.metric for one in fitted.curves]
    return next((one for name in fitted.study.asked if (one := _called(name, names))), _first(names, readings))


def _called(name: str, metrics: Sequence[str]) -> str | None:
    """Return the metric of that name, letters and digits alone: `log_loss` is LogLoss, `recall_per_class` Recall."""
    wanted = _plain(name)
    same = (metric for metric in metrics if wanted == _plain(metric))
    return next(same, None) or next((metric for metric in metrics if wanted.startswith(_plain(metric))), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _first(names: Sequence[str], readings: Mapping[str, Reading]) -> str:
    scalars = [name for name in names if readings[name].class_index is None]
    return "Accuracy" if "Accuracy" in scalars else (scalars or list(names))[0]
