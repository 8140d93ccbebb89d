"""The sentences of a verdict, each with what it claims as data beside its text."""

import math
from dataclasses import dataclass

from sufficiency.method.phrasing import as_much, beside, size_text, value_text, values_text
from sufficiency.schemas.text import level_text
from sufficiency.schemas.words import Course, Direction, StatementKind, Worth

_KIND: dict[Worth, StatementKind] = {"yes": "worth_it", "no": "not_worth_it", "unclear": "cannot_be_told"}

_NOTHING = 1e-6


@dataclass(frozen=True)
class Statement:
    """A sentence, and what it claims.

    Attributes
    ----------
    text : str
    kind : str
        What the claim is about.
    direction : {"better", "worse", "level"} or None
        Which way the metric goes by it.
    n : int or None
        The training-set size that it is about.
    size : float or None
        `now`, `ceiling`, `no_ceiling`: the metric there. `expected`: how much better it gets. `worth_it`,
        `not_worth_it`, `cannot_be_told`: the least gain that counts.
    """

    text: str
    kind: StatementKind
    direction: Course | None = None
    n: int | None = None
    size: float | None = None


def of_now(metric: str, value: float, n: int, step: float) -> Statement:
    """Say what the metric is; `step` is the difference that its digits have to show."""
    return Statement(f"{metric} is {value_text(value, step)} at n = {n:,}.", "now", None, n, value)


def of_doubling(
    direction: Direction, value: float, ends: tuple[float, float], gain: float, course: Course, n: int, level: float
) -> Statement:
    """Say what twice the data should bring."""
    shown, lower, upper = values_text([value, *ends], math.inf if course == "level" else abs(gain))
    what = {
        "better": "lower it to" if direction == "minimize" else "bring it to",
        "level": "leave it about there, at",
        "worse": "let it rise to" if direction == "minimize" else "let it fall to",
    }[course]
    text = f"Twice the data should {what} {shown} ({level_text(level)} interval {lower} to {upper})."
    return Statement(text, "expected", course, n, gain)


def of_worth(worth: Worth, direction: Direction, gain: float, min_gain: float, n: int, why: str | None) -> Statement:
    """Say whether more data is worth it, by the least gain that counts; `why`, where that cannot be told."""
    name = "reduction" if direction == "minimize" else "gain"
    least = size_text(min_gain)
    if worth == "unclear":
        text = f"Whether more data is worth it cannot be told: {least} is the least {name} that counts, and {why}."
    else:
        said = "worth it" if worth == "yes" else "hardly worth it"
        about = f"a {name} of about {beside(gain, min_gain)}" if gain > 0 else f"no {name} at all"
        text = f"More data is {said}: {about} is to be expected, and {least} is the least that counts."
    return Statement(text, _KIND[worth], None, n, min_gain)


def of_no_room(metric: str, left: float, min_gain: float, n: int) -> Statement:
    """Say that less is left to the best value than counts."""
    least = size_text(min_gain)
    if left <= _NOTHING * min_gain:
        text = f"Nothing is left to gain: {metric} is at its best, and {least} is the least gain that counts."
    else:
        text = (
            f"More data is hardly worth it: at most {beside(left, min_gain)} is left to gain, and {least} is the least "
            "that counts."
        )
    return Statement(text, "not_worth_it", None, n, min_gain)


def of_the_end(course: Course, value: float, n: int, factor: int, step: float, *, in_sight: bool) -> Statement:
    """Say where the curve ends up, as far as curves were followed to learn from."""
    if course == "level":
        text = f"It is level: even {as_much(factor)} should not move it by as much as counts."
        return Statement(text, "ceiling", "level", n, value)
    if in_sight:
        return Statement(f"It seems to level off near {value_text(value, step)}.", "ceiling", "better", n, value)
    there = f"{as_much(factor)} should bring it to about {value_text(value, step)}"
    return Statement(f"No ceiling is in sight: {there}.", "no_ceiling", "better", n, value)
