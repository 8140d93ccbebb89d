"""What a reader of an answer is warned of: what could not be fitted, and what is odd about the curves."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sufficiency.answers.gaps import gaps_warning
from sufficiency.answers.study import FittedStudy, Study
from sufficiency.answers.values import assumption
from sufficiency.method.curve import RELIABLE, Fit
from sufficiency.method.diagnosis import REMEDIES, Flag
from sufficiency.method.kinks.between import left_out_warning, warnings_between
from sufficiency.method.measurements import Reading
from sufficiency.schemas.words import ClassLabel


def warnings_of(
    fitted: FittedStudy[Reading], largest: float | None = None, told: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return what could not be measured or fitted and why, and what is odd about the curves.

    Parameters
    ----------
    fitted : FittedStudy
    largest : float, optional
        The largest size that is asked for, or answered.
    told : collection of str
        Codes of what the answer says elsewhere.
    """
    skipped = [
        _warning("not_enough_data", one.metric, fitted.study.label(one.class_index), why) for one, why in fitted.skipped
    ]
    found: dict[tuple[str, str], list[tuple[ClassLabel, str]]] = {}
    for one in fitted.curves:
        for flag in [*one.flags, *_far(one.fit, largest)]:
            # What is not measured yet is no hole.
            if flag.code in told or (flag.code == "missing_values" and fitted.study.provisional):
                continue
            detail = " ".join([flag.detail, *filter(None, [REMEDIES.get(flag.code)])])
            found.setdefault((one.reading.metric, flag.code), []).append((fitted.label(one), detail))
    odd = [_shared(code, metric, places) for (metric, code), places in found.items()]
    gaps = gaps_warning(fitted.study.gaps, fitted.study.cells_total)
    return [*([gaps] if gaps else []), *skipped, *odd, *_assumptions(fitted), *_kinks(fitted, largest)]


def _assumptions(fitted: FittedStudy[Reading]) -> list[dict[str, Any]]:
    """Return how the metrics are read that nobody has declared."""
    readings = {
        one.metric: one for one in [*(one.reading for one in fitted.curves), *(one for one, _ in fitted.skipped)]
    }
    told = [
        assumption(metric, one.direction, one.bounds)
        for metric, one in readings.items()
        if metric not in fitted.study.metrics
    ]
    return [one for one in told if one is not None]


def _kinks(fitted: FittedStudy[Reading], largest: float | None) -> list[dict[str, Any]]:
    """Return the learner's thresholds between the first step and the size asked for, and what was left out for them."""
    study = fitted.study
    wholes = [one.whole for one in fitted.curves if one.whole is not None]
    measured = sorted({int(n) for whole in wholes for n in whole.n[whole.runs() > 0]}) or study.steps
    low, high = min(one.fit.n_min for one in fitted.curves), max(one.fit.n_max for one in fitted.curves)
    out = left_out_warning(study.kinks, measured, low, high) if measured else None
    return warnings_between(study.kinks, study.steps, largest) + ([out] if out else [])


def doubts_of(study: Study) -> list[dict[str, Any]]:
    """Return what looks wrong with the data of a study."""
    return doubts(study.dataset, study.doubts)


def doubts(dataset: str, found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what looks wrong with a dataset, as warnings of who works with it.

    Parameters
    ----------
    dataset : str
        Its name.
    found : iterable of mapping
        As `DatasetInfo.warnings` has it: each a `code` and a `detail`.
    """
    return [
        {**_warning(one["code"], None, None, f"Dataset {dataset}: {one['detail']}."), "dataset": dataset}
        for one in found
    ]


def left_out(metric: str, why: str) -> dict[str, Any]:
    """Return the warning that an answer is without a metric."""
    return _warning("left_out", metric, None, f"{metric} is left out: {why}.")


def _far(fit: Fit, largest: float | None) -> list[Flag]:
    if largest is None or largest <= RELIABLE * fit.n_max:
        return []
    detail = (
        f"n = {largest:,.0f} is {largest / fit.n_max:,.0f} times the largest measured size; past {RELIABLE} times, "
        "what curves do is a guess, and so are the intervals."
    )
    return [Flag("far_extrapolation", detail)]


def _shared(code: str, metric: str, places: Sequence[tuple[ClassLabel, str]]) -> dict[str, Any]:
    """Return one warning of a metric; many classes share theirs."""
    label, detail = places[0]
    if len(places) > 1:
        names = ", ".join(str(name) for name, _ in places[:3]) + (", …" if len(places) > 3 else "")
        label, detail = None, f"{len(places)} classes ({names}), the first: {detail}"
    return _warning(code, metric, label, detail)


def _warning(code: str, metric: str | None, label: ClassLabel, detail: str) -> dict[str, Any]:
    return {"code": code, "metric": metric, "class": label, "detail": detail}
