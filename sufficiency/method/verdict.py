"""Is more data worth it? What it would bring, where the ceiling seems to be, what limits the answer, what to do.

See docs/decisions/0029-a-verdict-that-can-be-held-to-its-word.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sufficiency.method import statements as say
from sufficiency.method.backtest import Backtest
from sufficiency.method.curve import DEFAULT_LEVEL, Fit
from sufficiency.method.diagnosis import Drivers, Flag, find_drivers, sampling_sd
from sufficiency.method.doubt import find_doubt
from sufficiency.method.fitted_to import TrainFit, TrainScores, train_fit, unfinished
from sufficiency.method.gain import (
    FAR,
    UNSHARED,
    Ceiling,
    Gain,
    ceiling_of,
    chances,
    gains,
    look_ahead,
    sign_of,
    worth_of,
)
from sufficiency.method.limitation import (
    Limitation,
    find_limits,
    sentence_of,
    what_limits,
    why_undecided,
    with_training,
)
from sufficiency.method.measurements import Series
from sufficiency.method.phrasing import size_text
from sufficiency.method.projection import ProjectedPoint
from sufficiency.method.statements import Statement
from sufficiency.method.worthwhile import least_worthwhile, left_to_gain
from sufficiency.schemas.words import Course, LimitedBy, Worth

# What may leave a verdict open while the curve is as good as any.
_STILL_A_CURVE = ("test_set", "scatter", "extrapolation")
# A gain of less than this part of what counts is called none.
_STILL = 0.1


@dataclass(frozen=True)
class Verdict:
    """Whether more data is worth it, by one metric.

    Attributes
    ----------
    worth : {"yes", "no", "unclear"}
        Whether doubling the data brings a worthwhile gain; unclear, where neither is sure enough.
    min_gain : float
        The improvement that counts as worthwhile, in the metric's units.
    now : ProjectedPoint
        At the largest measured size.
    left : float or None
        To the metric's best value; None where it has none.
    more : list of Gain
    ceiling : Ceiling
    limits : list of Limitation
        The gravest first.
    test_sd : float or None
        The test split's own noise in one value, for metrics that are proportions of its items.
    drivers : Drivers
        Of the projection to the last of `more`.
    train : TrainFit or None
        How well the models do on their own training items; None where nobody looked.
    limited_by : str or None
        What keeps the metric where it is; None where it cannot be told, or nothing is left.
    statements : list of Statement
        The verdict in sentences, each with its claim.
    """

    worth: Worth
    min_gain: float
    now: ProjectedPoint
    left: float | None
    more: Sequence[Gain]
    ceiling: Ceiling
    limits: Sequence[Limitation]
    test_sd: float | None
    drivers: Drivers
    train: TrainFit | None
    limited_by: LimitedBy | None
    statements: Sequence[Statement]

    @property
    def sentence(self) -> str:
        """The verdict in words, without what limits it."""
        return " ".join(one.text for one in self.statements if one.kind not in ("limit", "advice"))


def judge(
    series: Series,
    fit: Fit,
    flags: Sequence[Flag],
    *,
    test: Backtest | None = None,
    items: int | None = None,
    min_gain: float | None = None,
    level: float = DEFAULT_LEVEL,
    void: str | None = None,
    n_observed: float | None = None,
    drivers: Drivers | None = None,
    trained: TrainScores | None = None,
) -> Verdict:
    """Judge whether more data is worth it.

    Parameters
    ----------
    series : Series
    fit : Fit
        Of a method that gives intervals.
    flags : sequence of Flag
        What `diagnose` says of the series.
    test : Backtest, optional
        Of the fit. One that failed forbids a yes or a no.
    items : int, optional
        Test items that the metric is a proportion of; None where it is no proportion.
    min_gain : float, optional
        Improvement that doubling the data must bring, > 0, in the metric's units; default `least_worthwhile`.
    level : float
        Of the intervals.
    void : str, optional
        Why the values say nothing, whatever they are, as of a test split of one class. Nothing is then judged by them.
    n_observed : float, optional
        The largest size with a value of any of the study's metrics; default that of this one.
    drivers : Drivers, optional
        Of the projection to five times the data, where they are known; else they are found.
    trained : TrainScores, optional
        What the cells of the largest size tell of their training.

    Raises
    ------
    ValueError
        For a fit without intervals.
    """
    n_obs = fit.n_max
    ahead = look_ahead(series, fit, level)
    now = ahead.now
    test_sd = None if items is None else sampling_sd(now.value, items)
    worthwhile = min_gain if min_gain is not None else least_worthwhile(series, now.value)
    left = left_to_gain(series, now.value)
    no_room = left is not None and left < worthwhile
    noise = 0.0 if test_sd is None else test_sd * math.sqrt(UNSHARED)
    likely = chances(series, fit, ahead.more, now.value, worthwhile, noise)
    more = gains(series, ahead.more, now.value, [0.0 if no_room else p for p in likely[:, 1].tolist()])
    ceiling = ceiling_of(ahead.end, worthwhile, now.value)
    drivers = drivers or find_drivers(series, more[-1].n)
    if void is not None:
        # What is wrong, and after the last semicolon what to do about it.
        wrong, _, remedy = void.rpartition("; ") if "; " in void else (void, "", "correct the dataset")
        limits = [Limitation("data", sentence_of(wrong), sentence_of(remedy))]
        told = _void_statements(series, now, worthwhile, wrong)
        return Verdict("unclear", worthwhile, now, left, more, ceiling, limits, test_sd, drivers, None, None, told)
    known: dict[str, str] = {flag.code: flag.detail for flag in flags}
    double = more[0]
    worth: Worth = "no" if no_room else worth_of(likely[0])
    doubt = None
    if not no_room:
        doubt = find_doubt(
            test,
            known if worth != "no" else {},
            moved=float(np.ptp(series.mean()[np.isfinite(series.mean())])),
            min_gain=worthwhile,
            gain=(double.gain_lower, double.gain_upper),
            n_max=n_obs,
            n_observed=n_observed or n_obs,
        )
    if doubt is not None:
        worth = "unclear"
    elif worth == "unclear":
        without = chances(series, fit, ahead.more[:1], now.value, worthwhile, 0.0)[0] if noise else likely[0]
        doubt = why_undecided(double, worthwhile, noise, items, series, drivers.run_sd, worth_of(without), level)
    course = _course(double.gain, worthwhile)
    whole = sign_of(series) * (ceiling.value - now.value)
    end: Course = "level" if whole < worthwhile and course != "worse" else "better"
    ends = double.lower, double.upper
    told = [
        say.of_now(series.metric, now.value, int(now.n), math.inf if course == "level" else abs(double.gain)),
        say.of_doubling(series.direction, double.value, ends, double.gain, course, double.n, level),
    ]
    if no_room:
        assert left is not None
        told.append(say.of_no_room(series.metric, left, worthwhile, double.n))
    else:
        why = None if doubt is None else doubt.why
        told.append(say.of_worth(worth, series.direction, double.gain, worthwhile, double.n, why))
        # Where the curve itself is in doubt, nobody knows where it ends; nor is one level that may yet be worth it.
        known_end = doubt is None or (doubt.code in _STILL_A_CURVE and end == "better")
        if known_end and course != "worse" and whole >= max(gain.gain for gain in more):
            step = abs(double.gain) or worthwhile
            told.append(say.of_the_end(end, ceiling.value, ceiling.n, FAR, step, in_sight=ceiling.in_sight))
    fit_of = None
    if trained is not None and (train := trained.values.get(series.metric)) is not None and series.class_index is None:
        fit_of = train_fit(series, now.value, train)
    open_training = unfinished(series, now.value, worthwhile, trained)
    limited_by = None if no_room else what_limits(worth, doubt, fit_of, open_training)
    limits = find_limits(known, more, drivers, doubt, worth, end, no_room, level, ceiling, now.value)
    if not no_room:
        limits = with_training(limits, limited_by, fit_of, worth, open_training)
    for limit in limits:
        told += [Statement(limit.detail, "limit"), Statement(limit.remedy, "advice")]
    return Verdict(worth, worthwhile, now, left, more, ceiling, limits, test_sd, drivers, fit_of, limited_by, told)


def _course(gain: float, worthwhile: float) -> Course:
    if abs(gain) < _STILL * worthwhile:
        return "level"
    return "better" if gain > 0 else "worse"


def _void_statements(series: Series, now: ProjectedPoint, worthwhile: float, void: str) -> list[Statement]:
    n = int(now.n)
    text = (
        f"That says nothing about whether more data is worth it: {void} ({size_text(worthwhile)} is the least "
        "gain that would count)."
    )
    return [
        say.of_now(series.metric, now.value, n, worthwhile),
        Statement(text, "cannot_be_told", None, 2 * n, worthwhile),
    ]
