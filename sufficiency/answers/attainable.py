"""Can a target be reached at all? Demonstrated by a measurement, ruled out by the labels, or undecided."""

from sufficiency.answers.study import Study
from sufficiency.method.alike_bound import AlikeBound, labelled_alike, tells_apart
from sufficiency.method.label_bound import LabelBound
from sufficiency.method.measurements import Reading
from sufficiency.method.phrasing import value_text
from sufficiency.schemas.gates import AttainableView
from sufficiency.schemas.text import percent

CONFIDENCE = 0.95


def label_bound(study: Study, reading: Reading) -> LabelBound | None:
    """Return what a study's test labels leave to be reached by a metric: the share of test items that are right."""
    if not _is_share_of_items(study, reading) or not study.test_size or not study.test_unavoidable:
        return None
    return LabelBound(study.test_size, study.test_unavoidable)


def alike_bound(study: Study, reading: Reading, now: float) -> AlikeBound | None:
    """Return what the labels of nearly alike items leave of it to models that answer such items alike.

    Parameters
    ----------
    study : Study
    reading : Reading
    now : float
        What is measured. Where that is past the bound, the models tell the items apart, and there is none.
    """
    near = study.near_copies or {}
    found = near.get("differing")
    if not found or not study.test_size or not _is_share_of_items(study, reading):
        return None
    groups = (found[name] for name in ("groups", "groups_differing", "by_chance", "directions", "directions_agreeing"))
    if len(study.class_names) < 2 or tells_apart(*groups):
        return None
    across = found["across"], found["across_differing"]
    if not labelled_alike(across, (found["within_train"], found["within_train_differing"])):
        across = (0, 0)
    if not found["unavoidable"] and not across[1]:
        return None
    exact, classes = study.test_unavoidable or 0, len(study.class_names)
    bound = AlikeBound(study.test_size, near["stands_for"], exact, found["unavoidable"], *across, classes)
    return bound if now <= bound.highest(CONFIDENCE) else None


def attainable(study: Study, reading: Reading, target: float, met: float, now: float) -> AttainableView:
    """Return whether any model can reach a target.

    Parameters
    ----------
    study : Study
    reading : Reading
    target : float
    met : float
        Probability that the measured models meet it at the largest measured size.
    now : float
        What they reach there.
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
        confidence = 1.0 if target > bound.best else beyond
        return AttainableView(status="ruled_out", confidence=confidence, detail=detail, of_models="all")
    near = alike_bound(study, reading, now)
    # Of two bounds either may be wrong.
    if near is not None and (surely := near.confidence_beyond(target)) >= CONFIDENCE + (bound is not None) * 0.025:
        detail = (
            f"With {percent(surely)} confidence no model that answers nearly alike items alike has "
            f"{value_text(target)} of such data right: {near.why}."
        )
        return AttainableView(status="ruled_out", confidence=surely, detail=detail, of_models="answering_alike")
    detail = f"Neither has it been measured to be met ({percent(met)}) nor do the labels rule it out."
    return AttainableView(status="undecided", confidence=max(met, beyond), detail=detail)


def _is_share_of_items(study: Study, reading: Reading) -> bool:
    spec = study.metrics.get(reading.metric)
    is_accuracy = spec is not None and spec.proportion_of == "items" and spec.family in (None, "accuracy")
    return (
        is_accuracy and reading.class_index is None and reading.bounds == (0.0, 1.0) and reading.direction == "maximize"
    )
