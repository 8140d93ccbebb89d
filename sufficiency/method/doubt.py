"""What forbids a yes or a no, however likely the curve calls it: reasons why its figures cannot bear one."""

from collections.abc import Mapping
from dataclasses import dataclass

from sufficiency.method.backtest import Backtest
from sufficiency.method.phrasing import size_text
from sufficiency.schemas.words import Limit

# A back-test has failed when less than half of the later steps lay inside their intervals, or its mean error is more
# than half of all that the curve has moved; and never by less than this many least worthwhile gains.
_HALF, _SMALL_MISS = 0.5, 2.0
# An interval says nothing of a gain when it is so many least worthwhile gains wide, wider than all that the curve has
# moved, and holds a loss as large as such a gain.
_TOO_WIDE = 20.0
# A metric whose largest measured size is less than this part of the study's is asked about what is long measured.
_STALE = 0.5


@dataclass(frozen=True)
class Doubt:
    """A reason why the figures bear no yes or no.

    Attributes
    ----------
    code : str
    why : str
        As it ends the sentence that nothing can be told.
    detail : str
        What else there is to know of it.
    remedy : str
        What would tell.
    """

    code: Limit
    why: str
    detail: str
    remedy: str


def failed(test: Backtest | None, moved: float, min_gain: float) -> float | None:
    """Return by how much a curve missed its own later steps on average; None where it foresaw them.

    Parameters
    ----------
    test : Backtest or None
    moved : float
        Range of the means.
    min_gain : float
        The least worthwhile gain.
    """
    if test is None or test.error is None or test.error <= _SMALL_MISS * min_gain:
        return None
    told = [one.inside for one in test.predictions if one.inside is not None]
    outside = len(told) > 1 and sum(told) < _HALF * len(told)
    return test.error if outside or test.error > _HALF * moved else None


def find_doubt(
    test: Backtest | None,
    flags: Mapping[str, str],
    *,
    moved: float,
    min_gain: float,
    gain: tuple[float, float],
    n_max: float,
    n_observed: float,
) -> Doubt | None:
    """Return the gravest reason why a curve bears no yes or no; None where it has none.

    Parameters
    ----------
    flags : mapping of str to str
        What is odd about the curve, by code.
    moved : float
        Range of the means.
    min_gain : float
        The least worthwhile gain.
    gain : (float, float)
        Interval of what doubling the data gains.
    n_max, n_observed : float
        The largest size with a value of this metric, and with one of any.
    """
    if n_max < _STALE * n_observed:
        why = f"the metric has no value beyond n = {n_max:,.0f}, while n = {n_observed:,.0f} is measured"
        return Doubt(
            "extrapolation",
            why,
            "What it would be there is guessed.",
            "See why it has no value there, and measure those sizes again.",
        )
    if missed := failed(test, moved, min_gain):
        why = f"fitted to its smaller sizes, the curve missed the larger ones by {size_text(missed)} on average"
        return Doubt(
            "backtest",
            why,
            "What it says of larger sizes yet is as doubtful.",
            "Measure larger sizes, where the curve may have settled, and ask again.",
        )
    if gain[1] - gain[0] > max(_TOO_WIDE * min_gain, moved) and gain[0] < -min_gain:
        why = f"anything from {size_text(gain[0])} to {size_text(gain[1])} may come of twice the data"
        return Doubt(
            "extrapolation", why, "The curve's shape is not settled yet.", "Add runs and larger sizes, and ask again."
        )
    if "flat" in flags:
        why = "up to now the metric does not improve by more than its scatter"
        return Doubt("trend", why, flags["flat"], "Add runs, or try a model that can use the data.")
    return None
