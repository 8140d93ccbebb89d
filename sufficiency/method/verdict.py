"""Is more data worth it? What it would bring, where the ceiling seems to be, what limits the answer, what to do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from sufficiency.method.curve import DEFAULT_LEVEL, Fit
from sufficiency.method.diagnosis import Drivers, Flag, find_drivers, sampling_sd
from sufficiency.method.measurements import Series
from sufficiency.method.projection import ProjectedPoint, project
from sufficiency.schemas.text import level_text, number, percent
from sufficiency.schemas.words import Limit, Worth

# What is added, in units of the largest measured size.
ADDED = (1, 2, 4)
# Of what is left to the metric's best value, this much a doubling is worth paying for unless the user says otherwise:
# an error that falls as n^−0.15.
WORTHWHILE_SHARE = 0.1
SURE = 0.8
# How far curves were followed to learn from: the farthest that a ceiling can be spoken of. It is in sight where the
# last of those doublings brings less than a part of what is worthwhile.
FAR = 32
_LITTLE = 0.25


@dataclass(frozen=True)
class Gain:
    """What the metric would be with more data.

    Attributes
    ----------
    added : int
        Items to add, in units of the largest measured size.
    n : int
    value, lower, upper : float
    gain, gain_lower, gain_upper : float
        Improvement on the largest measured size's mean, positive where better, in the metric's units.
    probability : float
        That the improvement is worthwhile: at least `Verdict.min_gain`.
    """

    added: int
    n: int
    value: float
    lower: float
    upper: float
    gain: float
    gain_lower: float
    gain_upper: float
    probability: float


@dataclass(frozen=True)
class Ceiling:
    """Where the curve is at 32 times the largest measured size, the farthest that curves were followed to learn from.

    Attributes
    ----------
    n : int
    value, lower, upper : float
    in_sight : bool
        The curve has all but levelled off there: `value` is about its ceiling. Else it still gets better.
    """

    n: int
    value: float
    lower: float
    upper: float
    in_sight: bool


@dataclass(frozen=True)
class Limitation:
    """Something that keeps the answer from being better or surer, and what to do about it."""

    code: Limit
    detail: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """Whether more data is worth it, by one metric.

    Attributes
    ----------
    worth : {"yes", "no", "unclear"}
        Whether doubling the data is at least `SURE` likely to bring a worthwhile gain, or to bring none.
    min_gain : float
        The improvement that counts as worthwhile, in the metric's units.
    now : ProjectedPoint
        At the largest measured size.
    more : list of Gain
    ceiling : Ceiling
    limits : list of Limitation
        The gravest first.
    test_sd : float or None
        The test split's own noise in one value, for metrics that are proportions of its items.
    drivers : Drivers
        Of the projection to the last of `more`.
    sentence : str
    """

    worth: Worth
    min_gain: float
    now: ProjectedPoint
    more: Sequence[Gain]
    ceiling: Ceiling
    limits: Sequence[Limitation]
    test_sd: float | None
    drivers: Drivers
    sentence: str


def judge(
    series: Series,
    fit: Fit,
    flags: Sequence[Flag],
    *,
    items: int | None = None,
    min_gain: float | None = None,
    level: float = DEFAULT_LEVEL,
    void: str | None = None,
) -> Verdict:
    """Judge whether more data is worth it.

    Parameters
    ----------
    series : Series
    fit : Fit
        Of a method that gives intervals.
    flags : sequence of Flag
        What `diagnose` says of the series.
    items : int, optional
        Test items that the metric is a proportion of; None where it is no proportion.
    min_gain : float, optional
        Improvement that doubling the data must bring, > 0, in the metric's units. Default a tenth of what is left to
        the metric's best value, or of the range measured where it has none; at least the test split's own noise.
    level : float
        Of the intervals.
    void : str, optional
        Why the values say nothing, whatever they are, as of a test split of one class. Nothing is then judged by them.

    Raises
    ------
    ValueError
        For a fit without intervals.
    """
    n_obs = fit.n_max
    [now] = project(series, fit, [n_obs], level)
    test_sd = None if items is None else sampling_sd(now.value, items)
    worthwhile = min_gain if min_gain is not None else _worthwhile(series, now.value, test_sd)
    sign = 1.0 if series.direction == "maximize" else -1.0
    best = _best(series)
    beyond = best is not None and worthwhile > abs(best - now.value)
    sizes = [n_obs * (1 + added) for added in ADDED]
    more = []
    for added, point in zip(ADDED, project(series, fit, sizes, level), strict=True):
        lower, upper = _interval(point)
        ends = sorted((sign * (lower - now.value), sign * (upper - now.value)))
        probability = 0.0 if beyond else fit.probability_of_meeting(point.n, now.value + sign * worthwhile)
        gain = sign * (point.value - now.value)
        more.append(Gain(added, int(point.n), point.value, lower, upper, gain, ends[0], ends[1], probability))
    ceiling = _ceiling(series, fit, level, worthwhile)
    worth: Worth = "yes" if more[0].probability >= SURE else "no" if more[0].probability <= 1 - SURE else "unclear"
    drivers = find_drivers(series, sizes[-1])
    if void is not None:
        # What is wrong, and after the last semicolon what to do about it.
        wrong, _, remedy = void.rpartition("; ") if "; " in void else (void, "", "correct the dataset")
        limits = [Limitation("data", _sentence_of(wrong), _sentence_of(remedy))]
        sentence = _void_sentence(series, now, wrong)
        return Verdict("unclear", worthwhile, now, more, ceiling, limits, test_sd, drivers, sentence)
    limits = _limits(flags, more, drivers, test_sd, worth, level)
    sentence = _sentence(series, now, more[0], ceiling, worth, worthwhile, level)
    return Verdict(worth, worthwhile, now, more, ceiling, limits, test_sd, drivers, sentence)


def _interval(point: ProjectedPoint) -> tuple[float, float]:
    if point.lower is None or point.upper is None:
        raise ValueError("a verdict weighs chances: it takes a fit that gives intervals")
    return point.lower, point.upper


def _worthwhile(series: Series, now: float, test_sd: float | None) -> float:
    best = _best(series)
    mean = series.mean()
    spread = float(np.ptp(mean[np.isfinite(mean)]))
    left = abs(best - now) if best is not None else spread
    return max(WORTHWHILE_SHARE * left, test_sd or 0.0, 1e-3 * spread, 1e-9 * abs(now), 1e-12)


def _best(series: Series) -> float | None:
    return series.bounds[1] if series.direction == "maximize" else series.bounds[0]


def _ceiling(series: Series, fit: Fit, level: float, worthwhile: float) -> Ceiling:
    before, last = project(series, fit, [fit.n_max * FAR / 2, fit.n_max * FAR], level)
    in_sight = abs(last.value - before.value) < _LITTLE * worthwhile
    return Ceiling(int(last.n), last.value, *_interval(last), in_sight)


def _limits(
    flags: Sequence[Flag], more: Sequence[Gain], drivers: Drivers, test_sd: float | None, worth: Worth, level: float
) -> list[Limitation]:
    known = {flag.code: flag.detail for flag in flags}
    found = []
    if "too_short" in known:
        found.append(Limitation("steps", known["too_short"], "Add smaller sizes to the schedule."))
    if "non_monotone" in known:
        found.append(
            Limitation("training", known["non_monotone"], "Look at how the training does at that size before you buy.")
        )
    if "flat" in known:
        found.append(
            Limitation("trend", known["flat"], "Try a model that can use the data, or look for errors in the labels.")
        )
    far = more[-1]
    if "one_run" in known:
        found.append(Limitation("runs", known["one_run"], "Run the job with 3 to 5 runs."))
    else:
        # A normal's width, roughly: how much of the interval would go with endless runs.
        half = (far.upper - far.lower) / 2 / max(float(_reach(level)), 1e-9)
        share = (drivers.run_sd / half) ** 2 if half > 0 else 0.0
        if share > 0.5:
            found.append(
                Limitation(
                    "runs",
                    f"The scatter between runs makes about {percent(min(share, 1.0))} of the uncertainty at "
                    f"n = {far.n:,}.",
                    "Add runs.",
                )
            )
    if test_sd is not None and 0 < test_sd >= max(abs(more[0].gain), 1e-12):
        found.append(
            Limitation(
                "test_set",
                f"The test split's own noise (SD {test_sd:.2g}) is as large as the gain that doubling the data would "
                f"bring ({more[0].gain:.2g}); more runs do not make it smaller.",
                "Enlarge the test split.",
            )
        )
    if worth == "no":
        found.append(
            Limitation(
                "model",
                "The curve is nearly level: the model, its training or the labels limit it, not the amount of data.",
                "Improve the model or the labels, and measure again.",
            )
        )
    elif worth == "unclear":
        found.append(
            Limitation(
                "extrapolation",
                f"The interval at n = {more[0].n:,} holds both a worthwhile gain and none.",
                f"Collect some of it, and ask again at a size between {more[0].n // 2:,} and {more[0].n:,}.",
            )
        )
    return found


def _reach(level: float) -> float:
    return float(ndtri(0.5 + level / 2))


def text(value: float, difference: float = np.inf) -> str:
    """Return a metric's value for a sentence, with the digits that show a `difference` between two of them."""
    if not 1e-2 <= abs(value) < 10:
        return number(value)
    digits = 3 if difference >= 1e-3 or difference <= 0 else min(math.ceil(-math.log10(difference)), 9)
    return f"{value:.{digits}f}"


def _sentence_of(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _void_sentence(series: Series, now: ProjectedPoint, void: str) -> str:
    return (
        f"{series.metric} is {text(now.value)} at n = {now.n:,.0f}, which says nothing about whether more data is "
        f"worth it: {void}."
    )


def _sentence(
    series: Series,
    now: ProjectedPoint,
    double: Gain,
    ceiling: Ceiling,
    worth: Worth,
    worthwhile: float,
    level: float,
) -> str:
    name = series.metric
    value, lower, upper, current = (
        text(v, abs(double.gain)) for v in (double.value, double.lower, double.upper, now.value)
    )
    moves = f"{value} ({level_text(level)} interval {lower} to {upper})"
    facts = f"{name} is {current} at n = {now.n:,.0f}; twice the data should bring it to {moves}"
    judged = {
        "yes": "more data is worth it",
        "no": f"a gain of {text(worthwhile)} is unlikely, so more data is hardly worth it",
        "unclear": f"whether that is a gain of {text(worthwhile)} cannot be told yet",
    }[worth]
    if ceiling.in_sight:
        end = f"it seems to level off near {text(ceiling.value, abs(double.gain))}"
    else:
        end = f"no ceiling is in sight up to {FAR} times the data ({text(ceiling.value, abs(double.gain))} there)"
    return f"{facts}: {judged}; {end}."
