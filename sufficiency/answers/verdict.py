"""Is more data worth it, by every metric of a study?"""

from collections.abc import Mapping, Sequence

from sufficiency.answers.attainable import alike_bound, label_bound
from sufficiency.answers.errors import BadQuestion, TooMuchAsked, UnknownMetric
from sufficiency.answers.heading import heading
from sufficiency.answers.primary import primary_metric
from sufficiency.answers.study import FittedCurve, FittedStudy, Study, test_items
from sufficiency.answers.targets import Target
from sufficiency.answers.warnings import doubts_of, warnings_of
from sufficiency.method.alike_bound import AlikeBound
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.diagnosis import REMEDIES
from sufficiency.method.fitted_to import TrainScores
from sufficiency.method.label_bound import LabelBound, with_labels
from sufficiency.method.measurements import Series
from sufficiency.method.verdict import Verdict, judge
from sufficiency.schemas.limits import VERDICTS
from sufficiency.schemas.verdicts import (
    AlikeBoundView,
    LabelBoundView,
    OverallView,
    StatementView,
    Verdicts,
    VerdictView,
)
from sufficiency.schemas.words import ClassLabel, GainBasis


def verdict(
    fitted: FittedStudy[Series],
    min_gains: Sequence[Target] = (),
    level: float = DEFAULT_LEVEL,
    primary: str | None = None,
    trained: Mapping[int, TrainScores] | None = None,
) -> Verdicts:
    """Return whether more data is worth it: what it would bring, where the ceiling is, what limits, what to do next.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    min_gains : sequence of (metric or None for all, gain)
        What doubling the data must bring, in the metric's units; a metric's own goes before the one for all, and either
        before what the study says.
    level : float
        Of the intervals.
    primary : str, optional
        The metric that answers for the study; see `primary_metric`.
    trained : mapping of int to TrainScores, optional
        What the cells tell of their training, by size.

    Raises
    ------
    UnknownMetric
        For a gain on a metric, or a primary metric, that the study does not have.
    BadQuestion
        For a gain that is not above zero.
    """
    if len(fitted.curves) > VERDICTS:
        count = f"There are {len(fitted.curves)} curves, and at most {VERDICTS} are judged at a time"
        detail = f"{count}: name a `metric`, or a `class`."
        raise TooMuchAsked(detail, "metric")
    wanted = dict(min_gains)
    known = {one.reading.metric for one in fitted.curves}
    for name, gain in wanted.items():
        if name is not None and name not in known:
            raise UnknownMetric(name, known, "min_gain")
        if gain <= 0:
            detail = f"A gain must be above zero, in the metric's units; {gain:g} is not."
            raise BadQuestion(detail, "invalid_gain", "min_gain")
    first = primary_metric(fitted, primary)
    metrics: dict[str, list[VerdictView]] = {}
    for one, drivers in zip(fitted.curves, fitted.drivers, strict=True):
        metric = one.reading.metric
        asked = wanted.get(metric, wanted.get(None))
        judged = judge(
            one.reading,
            one.fit,
            one.flags,
            test=one.backtest,
            items=test_items(fitted.study, one.reading),
            min_gain=asked if asked is not None else fitted.study.min_gains.get(metric),
            level=level,
            void=void_of(fitted.study),
            n_observed=fitted.n_observed,
            drivers=drivers,
            trained=(trained or {}).get(int(one.fit.n_max)),
        )
        bound = label_bound(fitted.study, one.reading)
        near = alike_bound(fitted.study, one.reading, judged.now.value)
        if void_of(fitted.study) is None:
            judged = with_labels(judged, bound, near)
        basis: GainBasis = "asked" if asked is not None else "job" if metric in fitted.study.min_gains else "default"
        metrics.setdefault(metric, []).append(
            _view(judged, fitted.label(one), one, basis, _bound_view(fitted.study, bound, near))
        )
    return Verdicts(
        **heading(fitted, level),
        overall=_overall(first, metrics),
        metrics=metrics,
        warnings=[*doubts_of(fitted.study), *warnings_of(fitted, _farthest(metrics), REMEDIES)],
    )


RANK: Mapping[str, int] = {"yes": 0, "unclear": 1, "no": 2}
_BY: Mapping[str, str] = {"yes": "it is worth it", "no": "it is hardly worth it", "unclear": "it cannot be told"}


def _deciding(views: Sequence[VerdictView]) -> VerdictView:
    """Of a metric with a value a class the class that more data would bring most: it is worth it if any of them is."""
    return min(views, key=lambda view: (RANK[view.worth], -view.more[0].gain))


def _overall(first: str, metrics: Mapping[str, Sequence[VerdictView]]) -> OverallView:
    """Return the primary metric's verdict, and which others say otherwise."""
    by = {metric: _deciding(views) for metric, views in metrics.items()}
    one = by[first]
    otherwise: dict[str, list[str]] = {}
    for metric, view in by.items():
        if view.worth != one.worth:
            otherwise.setdefault(view.worth, []).append(metric)
    told = "; ".join(f"by {_listed(names)} {_BY[worth]}" for worth, names in otherwise.items())
    others = [StatementView(text=f"{told[:1].upper()}{told[1:]}.", kind="others", direction=None, n=None, size=None)]
    return OverallView(
        metric=first,
        worth=one.worth,
        sentence=" ".join([one.sentence, *(other.text for other in others if told)]),
        statements=[*one.statements, *(others if told else [])],
        class_=one.class_,
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# With these no figure says anything, however well it is measured.
_VOID = ("one_class", "one_target")


def void_of(study: Study) -> str | None:
    """Return why no figure of a study says anything, as of a test split of one class; None where they do."""
    return next((doubt["detail"] for doubt in study.doubts if doubt["code"] in _VOID), None)


def _farthest(metrics: Mapping[str, Sequence[VerdictView]]) -> int:
    return max(gain.n for views in metrics.values() for view in views for gain in view.more)


def _view(
    judged: Verdict, label: ClassLabel, one: FittedCurve[Series], basis: GainBasis, bound: LabelBoundView | None
) -> VerdictView:
    # Read off by their names all at once: a thousand verdicts are some thirty thousand such parts.
    told = {
        **vars(judged),
        "sentence": judged.sentence,
        "min_gain_by": basis,
        "now": judged.now.value,
        "label_bound": bound,
        "backtest": one.backtest,
        "class_": label,
    }
    return VerdictView.model_validate(told, from_attributes=True)


def _bound_view(study: Study, bound: LabelBound | None, near: AlikeBound | None) -> LabelBoundView | None:
    if bound is None and near is None:
        return None
    exact = bound or LabelBound(study.test_size or 1, 0)
    alike = None
    if near is not None:
        alike = AlikeBoundView(
            best=near.best,
            highest=near.highest(),
            unavoidable=near.near_unavoidable,
            pairs=near.pairs,
            differing=near.differing,
            looked_at=near.looked_at,
        )
    return LabelBoundView(
        best=exact.best, highest=exact.highest(), unavoidable=exact.unavoidable, items=exact.items, alike=alike
    )
