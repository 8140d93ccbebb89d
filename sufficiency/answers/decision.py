"""What to buy now, at what labels cost and what the metric is worth: the decision of a study."""

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from sufficiency.answers.errors import BadQuestion, UnknownMetric
from sufficiency.answers.heading import heading
from sufficiency.answers.primary import primary_metric
from sufficiency.answers.study import FittedCurve, FittedStudy, test_items
from sufficiency.answers.targets import parse_targets, require_admitted
from sufficiency.answers.verdict import void_of
from sufficiency.answers.warnings import doubts_of, warnings_of
from sufficiency.method.backtest import Backtest
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.method.decision import Decision, Prospect, Terms, decide, worth_of_knowing
from sufficiency.method.diagnosis import find_drivers, sampling_sd
from sufficiency.method.doubt import failed
from sufficiency.method.gain import UNSHARED
from sufficiency.method.measurements import Series
from sufficiency.method.phrasing import money_text, size_text, value_text
from sufficiency.method.worthwhile import least_worthwhile
from sufficiency.schemas.decisions import (
    DecisionTerms,
    DecisionView,
    FirstView,
    OutcomeView,
    PurchaseView,
    TradeView,
)
from sufficiency.schemas.text import count, percent

# Of the noise of so many runs, what twice as many leave; of a test split's, what one four times as large does.
_TWICE_THE_RUNS, _FOUR_TIMES_THE_ITEMS = 0.5, 0.25
# Where both spread about as far as this, the interval is about four standard deviations wide.
_SDS = 2 * 1.96


def decision(
    fitted: FittedStudy[Series],
    terms: DecisionTerms,
    metric: str | None = None,
    level: float = DEFAULT_LEVEL,
) -> DecisionView:
    """Return how many labels to buy now, what is to be expected of that, and what to know first.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    terms : DecisionTerms
    metric : str, optional
        Which metric it goes by; default the target's, else the primary one.
    level : float
        Of the intervals by which the noise is told.

    Raises
    ------
    UnknownMetric
        For a metric that the study does not have.
    BadQuestion
        For a target of another metric than the one asked for, or outside its bounds, and where nothing can be decided
        by data that say nothing.
    """
    named, target = _target(terms)
    if named is not None and metric is not None and named != metric:
        detail = f"The target is of {named}, and {metric} is asked for; name one of them."
        raise BadQuestion(detail, "contradicting_terms", "target")
    wanted = named or metric
    if wanted is not None and wanted not in (known := {one.reading.metric for one in fitted.curves}):
        raise UnknownMetric(wanted, known, "target" if named else "metric")
    name = wanted or primary_metric(fitted)
    one = next(one for one in fitted.curves if one.reading.metric == name)
    if target is not None:
        require_admitted(one.reading, target)
    if (void := void_of(fitted.study)) is not None:
        raise BadQuestion(f"Nothing can be decided by these data: {void}.", "data_say_nothing")
    asked = Terms(
        price=terms.price,
        round_cost=terms.round_cost,
        rounds=terms.rounds,
        target=target,
        penalty=terms.penalty or 0.0,
        value=(terms.value or 0.0) / _point(one.reading),
        budget=terms.budget,
    )
    prospect = Prospect(one.reading, one.fit, also=_affordable(asked, one.fit.n_max))
    made = decide(prospect, asked)
    label = fitted.label(one)
    return DecisionView(
        **heading(fitted, level),
        metric=name,
        class_=label,
        now=prospect.now,
        terms=terms,
        buy=made.buy,
        n=made.n,
        sentence=_sentence(name, prospect, asked, made),
        plan=OutcomeView(**asdict(made.plan)),
        stop=OutcomeView(**asdict(made.stop)),
        regret=made.regret,
        first=_first(fitted, one, prospect, asked, made),
        purchases=[PurchaseView(**asdict(purchase)) for purchase in made.purchases],
        frontier=[TradeView(**asdict(trade)) for trade in made.frontier],
        warnings=[*_distrust(one.reading, one.backtest), *doubts_of(fitted.study), *warnings_of(fitted, made.n)],
    )


def _target(terms: DecisionTerms) -> tuple[str | None, float | None]:
    if terms.target is None:
        return None, None
    [(named, target)] = parse_targets([terms.target])
    return named, target


def _point(series: Series) -> float:
    """Return a point in the metric's units: a hundredth of its range, or one where it has none."""
    low, high = series.bounds
    return (high - low) / 100 if low is not None and high is not None else 1.0


def _affordable(terms: Terms, n_max: float) -> Sequence[float]:
    """Return the most that the budget buys at once, which may lie between the sizes that are gone through."""
    if terms.budget is None:
        return ()
    items = int((terms.budget - terms.round_cost) / terms.price * (1 + 1e-12))
    return (n_max + items,) if items > 0 else ()


def _first(
    fitted: FittedStudy[Series], one: FittedCurve[Series], prospect: Prospect, terms: Terms, made: Decision
) -> FirstView:
    """Return what it is worth to know more first, by how much of the uncertainty at twice the data would go."""
    n = 2 * one.fit.n_max
    lower, upper = (float(one.fit.quantile(n, q)) for q in (0.025, 0.975))
    curve_sd = (upper - lower) / _SDS
    run_sd = find_drivers(one.reading, n).run_sd
    items = test_items(fitted.study, one.reading)
    test_sd = None if items is None else sampling_sd(prospect.now, items) * math.sqrt(UNSHARED)
    whole = math.hypot(curve_sd, test_sd or 0.0)

    def worth(sd: float, gone: float) -> float:
        # Shares first, and then their squares: that of a diverged loss itself is more than a number can be.
        known = gone * (sd / whole) ** 2 if whole > 0 else 0.0
        return min(worth_of_knowing(prospect, terms, known), made.regret)

    return FirstView(
        curve=made.regret,
        runs=worth(min(run_sd, curve_sd), 1 - _TWICE_THE_RUNS),
        test_split=None if test_sd is None else worth(test_sd, 1 - _FOUR_TIMES_THE_ITEMS),
    )


def _distrust(series: Series, test: Backtest) -> list[dict[str, object]]:
    """Return the warning that a curve did not foresee itself, by which nobody should buy much at once."""
    mean = series.mean()
    moved = float(np.nanmax(mean) - np.nanmin(mean))
    missed = failed(test, moved, least_worthwhile(series, float(mean[np.isfinite(mean)][-1])))
    if missed is None:
        return []
    detail = (
        f"Fitted to its smaller sizes, the curve missed the larger ones by {size_text(missed)} on average: buy little "
        "at once, and look again."
    )
    return [{"code": "backtest_failed", "metric": series.metric, "class": None, "detail": detail}]


def _sentence(metric: str, prospect: Prospect, terms: Terms, made: Decision) -> str:
    plan, stop = made.plan, made.stop
    at_stake = plan.loss < stop.loss
    regret = f" Who knew the curve would be better off by {money_text(made.regret)}." if made.regret > 0 else ""
    goal = f"{metric} meets {value_text(terms.target)}" if terms.target is not None else ""
    if terms.target is not None and stop.probability >= 1:
        return f"Buy nothing: {metric} is {value_text(prospect.now)}, and the target is met already."
    if not made.buy:
        if terms.budget is not None and terms.budget < terms.price + terms.round_cost:
            why = f"a budget of {money_text(terms.budget)} does not buy one label"
        elif terms.target is not None:
            why = f"to have {goal.replace(' meets ', ' meet ')} is not worth what it would cost"
        else:
            why = "what more data should bring is worth less than it costs"
        return f"Buy nothing: {why}.{regret}"
    cost = money_text(float(terms.cost(np.array(made.buy))))
    again = " and look again" if terms.rounds > 1 else ""
    head = f"Buy {count(made.buy)} labels now, for {cost}{',' + again if again else ''}"
    if terms.target is not None:
        end = f"in the end {goal} with {percent(plan.probability)}, for about {money_text(plan.spend)} in all"
    else:
        name = "reduction" if prospect.sign < 0 else "gain"
        end = f"in the end a {name} of about {size_text(plan.gain)}, for about {money_text(plan.spend)} in all"
    saved = f", {money_text(stop.loss - plan.loss)} better than buying nothing" if at_stake else ""
    return f"{head}: {end}{saved}.{regret}"
