"""What keeps a verdict from being better or surer, the gravest first, and what to do about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from sufficiency.method.diagnosis import REMEDIES, Drivers
from sufficiency.method.doubt import Doubt
from sufficiency.method.fitted_to import TrainFit, Unfinished
from sufficiency.method.gain import FAR, NEAR, SURE, Ceiling, Gain
from sufficiency.method.measurements import Series
from sufficiency.method.phrasing import as_large, as_much, items_text, size_text, value_text, values_text
from sufficiency.schemas.text import percent
from sufficiency.schemas.words import Course, Limit, LimitedBy, Worth

_OF_FLAGS: Mapping[str, Limit] = {
    "too_short": "steps",
    "non_monotone": "training",
    "flat": "trend",
    "one_run": "runs",
}
# About the same: nobody needs to hear twice to add runs, or to try another model.
_ALIKE: Mapping[Limit, Limit] = {"scatter": "runs", "trend": "model"}
# More of the variance than this, and it is the runs that make it.
_MOST_OF_IT = 0.5


@dataclass(frozen=True)
class Limitation:
    """Something that keeps the answer from being better or surer, and what to do about it."""

    code: Limit
    detail: str
    remedy: str


def why_undecided(
    double: Gain,
    min_gain: float,
    noise: float,
    items: int | None,
    series: Series,
    run_sd: float,
    without_noise: Worth,
    level: float,
) -> Doubt:
    """Return what keeps the chance between yes and no, and what would tell."""
    apart = max(abs(double.gain - min_gain), NEAR * min_gain)
    if without_noise != "unclear" and items is not None:
        why = f"{items:,} test items give such a difference a noise of {size_text(noise)} (SD)"
        needed = items * max((noise * float(ndtri(SURE)) / apart) ** 2, 1.5)
        remedy = f"Enlarge the test split: about {items_text(needed, 2)} items would tell."
        return Doubt("test_set", why, "More runs do not make that noise smaller.", remedy)
    gap = f"twice the data may bring anything from {size_text(double.gain_lower)} to {size_text(double.gain_upper)}"
    half = max(double.gain_upper - double.gain_lower, 0.0) / 2 / max(reach(level), 1e-9)
    runs = int(series.runs().max())
    if runs > 1 and half > 0 and (run_sd / half) ** 2 > _MOST_OF_IT:
        factor = max((run_sd * float(ndtri(SURE)) / apart) ** 2, 2.0)
        more = as_large(factor).removesuffix(" as large") + " as many" if factor < 20 else "many times as many"
        detail = "The scatter between runs makes most of that."
        return Doubt("scatter", gap, detail, f"Add runs: {more} should tell.")
    between = f"between {double.n // 2:,} and {double.n:,}"
    detail = f"At n = {double.n:,} both a gain that counts and none are likely enough."
    return Doubt("extrapolation", gap, detail, f"Collect some of it, and ask again at a size {between}.")


def find_limits(
    known: Mapping[str, str],
    more: Sequence[Gain],
    drivers: Drivers,
    doubt: Doubt | None,
    worth: Worth,
    end: Course,
    no_room: bool,
    level: float,
    ceiling: Ceiling,
    now: float,
) -> list[Limitation]:
    """Return what limits a verdict, each once.

    Parameters
    ----------
    known : mapping of str to str
        What is odd about the curve, by code.
    more : sequence of Gain
    drivers : Drivers
    doubt : Doubt or None
        Why nothing can be told, if so.
    worth : {"yes", "no", "unclear"}
    end : {"better", "level"}
        Where the curve ends, as far as can be seen.
    no_room : bool
        Less is left to the best value than counts.
    level : float
    ceiling : Ceiling
    now : float
        The metric's present value.
    """
    found = []
    if doubt is not None:
        found.append(Limitation(doubt.code, doubt.detail, doubt.remedy))
    elif worth == "no" and not no_room:
        found.append(_what_limits(end, ceiling, now))
    for code, limit in _OF_FLAGS.items():
        if code in known and not (code == "flat" and (worth == "yes" or no_room)):
            found.append(Limitation(limit, known[code], REMEDIES[code]))
    far = more[-1]
    # A normal's width, roughly: how much of the interval would go with endless runs.
    half = (far.upper - far.lower) / 2 / max(reach(level), 1e-9)
    share = (drivers.run_sd / half) ** 2 if half > 0 else 0.0
    if "one_run" not in known and share > _MOST_OF_IT and not no_room:
        detail = f"The scatter between runs makes about {percent(min(share, 1.0))} of the uncertainty at n = {far.n:,}."
        found.append(Limitation("runs", detail, "Add runs."))
    return _once(found)


def _what_limits(end: Course, ceiling: Ceiling, now: float) -> Limitation:
    if end == "level":
        return Limitation(
            "model",
            "The model, its training or the labels limit it, not the amount of data.",
            "Improve the model or the labels, and measure again.",
        )
    return Limitation(
        "slow",
        f"It gets better, but slowly: {as_much(FAR)} is what it takes from {value_text(now, abs(ceiling.value - now))} "
        f"to about {value_text(ceiling.value, abs(ceiling.value - now))}.",
        "Improve the model or the labels first, or plan for far more data.",
    )


def what_limits(
    worth: Worth, doubt: Doubt | None, train: TrainFit | None, unfinished: Unfinished | None
) -> LimitedBy | None:
    """Return what keeps a metric where it is; None where it cannot be told."""
    if worth == "yes":
        return "data"
    if doubt is not None:
        return "test_split" if doubt.code == "test_set" else None
    if unfinished is not None:
        return "training"
    if train is None or train.fitting == "between":
        return None
    return "model" if train.fitting == "under" else "labels"


def with_training(
    limits: Sequence[Limitation],
    limited_by: LimitedBy | None,
    train: TrainFit | None,
    worth: Worth,
    unfinished: Unfinished | None,
) -> list[Limitation]:
    """Return the limits with what the training items tell: instead of the guess at what limits, where they do."""
    kept = [one for one in limits if one.code != "model" or limited_by not in ("training", "model", "labels")]
    told: list[Limitation] = []
    if unfinished is not None:
        told.append(_of_training(unfinished))
    elif worth == "no" and train is not None and train.fitting == "under":
        detail = (
            f"On its own training items the model reaches {value_text(train.value)}: what is missing is mostly missing "
            "there already."
        )
        told.append(Limitation("model", detail, "Try a larger model or a longer training, before more data."))
    elif worth == "no" and train is not None and train.fitting == "over":
        detail = (
            f"On its own training items the model reaches {value_text(train.value)}, and more of what it learns there "
            "does not carry over."
        )
        told.append(Limitation("labels", detail, "Look for wrong labels and for a test split of another kind."))
    return [*told, *kept]


def _of_training(unfinished: Unfinished) -> Limitation:
    falling, train = unfinished.falling, unfinished.train
    if falling is None:
        detail = "Most trainings at the largest size say that they had not converged."
        return Limitation("training", detail, "Let it train longer, and measure again.")
    halfway, end = values_text([falling.halfway, falling.end], falling.halfway - falling.end)
    fell = f"fell from {halfway} halfway to {end} at the end (by {percent(falling.share)})"
    if train is None:
        detail = f"When training ended, the training loss seems to have been still falling: it {fell}."
        return Limitation("training", detail, "See what twice as many epochs bring, before more data.")
    detail = (
        f"When training ended, the training loss was still falling: it {fell}. On its own training items the model "
        f"reaches {value_text(train)}: there is more to learn from them."
    )
    return Limitation("training", detail, "Let it train longer, such as twice as many epochs, and measure again.")


def _once(found: Sequence[Limitation]) -> list[Limitation]:
    """Return each limit once, and of those about the same the gravest alone: nobody needs to hear twice to add runs."""
    kept: list[Limitation] = []
    for one in found:
        if _ALIKE.get(one.code, one.code) not in {_ALIKE.get(other.code, other.code) for other in kept}:
            kept.append(one)
    return kept


def reach(level: float) -> float:
    """Return how many standard deviations of a normal distribution the end of an interval is away."""
    return float(ndtri(0.5 + level / 2))


def sentence_of(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."
