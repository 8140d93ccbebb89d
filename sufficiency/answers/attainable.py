"""Can a target be reached at all? Demonstrated by a measurement, ruled out by the labels, or undecided."""

from sufficiency.answers.study import Study
from sufficiency.method.label_bound import LabelBound
from sufficiency.method.measurements import Reading
from sufficiency.method.phrasing import value_text
from sufficiency.schemas.gates import AttainableView
from sufficiency.schemas.text import percent

CONFIDENCE = 0.95


def label_bound(study: Study, reading: Reading) -> LabelBound | None:
    """Return what a study's test labels leave to be reached by a metric: the share of test items that are right."""
    spec = study.metrics.get(reading.metric)
    is_accuracy = spec is not None and spec.proportion_of == "items" and spec.family in (None, "accuracy")
    if not is_accuracy or reading.class_index is not None or reading.bounds != (0.0, 1.0):
        return None
    if reading.direction != "maximize" or not study.test_size or not study.test_unavoidable:
        return None
    return LabelBound(study.test_size, study.test_unavoidable)


def attainable(study: Study, reading: Reading, target: float, met: float) -> AttainableView:
    """Return whether any model can reach a target.

    Parameters
    ----------
    study : Study
    reading : Reading
    target : float
    met : float
        Probability that the measured models meet it at the largest measured size.
    """
    if met >= CONFIDENCE:
        detail = f"It was measured to be met, with {percent(met)}."
        return AttainableView(status="demonstrated", confidence=met, detail=detail)
    bound = label_bound(study, reading)
    beyond = 0.0 if bound is None else bound.confidence_beyond(target)
    if bound is not None and (beyond >= CONFIDENCE or target > bound.best):
        here = f"no model can have more than {value_text(bound.best)} of this test split right"
        alike = "contradict the labels of others that are alike, number by number"
        why = f"{bound.unavoidable:,} of its {bound.items:,} items {alike}"
        where = (
            f"with {percent(beyond)} confidence nor is {value_text(target)} reached on other data of the kind"
            if beyond >= CONFIDENCE
            else f"on other data of the kind that is so with {percent(beyond)} confidence"
        )
        detail = f"{here[:1].upper()}{here[1:]}: {why}; {where}."
        return AttainableView(status="ruled_out", confidence=1.0 if target > bound.best else beyond, detail=detail)
    detail = f"Neither has it been measured to be met ({percent(met)}) nor do the labels rule it out."
    return AttainableView(status="undecided", confidence=max(met, beyond), detail=detail)
