"""Two learning curves side by side: where they cross, and how many more items one needs for what the other reaches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from sufficiency.method.curve import DEFAULT_LEVEL, HORIZON, RELIABLE, Array, Fit
from sufficiency.method.measurements import Series
from sufficiency.method.projection import inv_project
from sufficiency.schemas.words import TargetStatus, Told

Side = Literal["first", "second"]

# Of a distribution that stands for it: enough for a probability to half a percent.
_DRAWS = 100
_PER_DOUBLING = 8
# Where the first curve's level is asked of the second, in units of the first's largest measured size.
LEVELS_AT = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Crossing:
    """Where the second curve overtakes the first, or the other way round.

    Attributes
    ----------
    n : int or None
        The last size at which the medians change places, up to where curves can be relied on; None: they do not.
    lower, upper : int or None
        The largest size below `n`, and the smallest above, at which it is sure, at the level asked for, which is ahead;
        None: on that side it is nowhere sure.
    ahead_before, ahead_after : {"first", "second"} or None
        Which median is ahead on either side of `n`; where they do not cross, both name the same one, or None when
        neither is.
    sure_before, sure_after : float
        Greatest probability on that side that it is the one that is ahead.
    """

    n: int | None
    lower: int | None
    upper: int | None
    ahead_before: Side | None
    ahead_after: Side | None
    sure_before: float
    sure_after: float

    def told(self, level: float, seen: Sequence[tuple[int, Side]] = ()) -> Told:
        """Return what may be said of it: differences that may be chance are not called overtaking.

        Parameters
        ----------
        level : float
            As of `find_crossing`.
        seen : sequence of (int, {"first", "second"})
            Sizes at which one was measured to be ahead, on the same subsets or the same test items, and which: what the
            curves, taken as independent, cannot tell.
        """
        if self.n is None:
            sure = self.sure_after >= 0.5 + level / 2 or any(side == self.ahead_after for _, side in seen)
            return "ahead" if sure and self.ahead_after is not None else "within_noise"
        before = self.lower is not None or any(n < self.n and side == self.ahead_before for n, side in seen)
        after = self.upper is not None or any(n >= self.n and side == self.ahead_after for n, side in seen)
        if before and after:
            return "overtakes"
        return "ahead_after" if after else "ahead_before" if before else "within_noise"


@dataclass(frozen=True)
class Efficiency:
    """How many items the second curve needs for what the first is at `n_first`.

    Attributes
    ----------
    n_first : int
    value : float
        The first curve's median there.
    status : str
        As of `inv_project` on the second curve.
    n_second, lower, upper : int or None
        Where the second's median meets the value; and from where on it is as good with more than the least, and with
        the greatest, probability that the level leaves. Both curves' uncertainty is in it. None: nowhere in reach.
    ratio, ratio_lower, ratio_upper : float or None
        The same in units of `n_first`: how many times the items.
    """

    n_first: int
    value: float
    status: TargetStatus
    n_second: int | None
    lower: int | None
    upper: int | None

    @property
    def ratio(self) -> float | None:
        """`n_second` in units of `n_first`."""
        return self._share(self.n_second)

    @property
    def ratio_lower(self) -> float | None:
        """`lower` in units of `n_first`."""
        return self._share(self.lower)

    @property
    def ratio_upper(self) -> float | None:
        """`upper` in units of `n_first`."""
        return self._share(self.upper)

    def _share(self, n: int | None) -> float | None:
        return None if n is None else n / self.n_first


@dataclass(frozen=True)
class Paired:
    """Second minus first over the runs that trained on the same subsets of `n` items.

    Attributes
    ----------
    lower, upper : float or None
        Student's interval of the mean difference; None with fewer than two pairs.
    """

    n: int
    runs: int
    difference: float
    sd: float | None
    lower: float | None
    upper: float | None


def find_crossing(
    first: Series, first_fit: Fit, second: Series, second_fit: Fit, level: float = DEFAULT_LEVEL
) -> Crossing:
    """Find where two curves of one metric cross.

    Notes
    -----
    The two are taken as independent. Runs on the same subsets go up and down together, so that the difference is surer
    than it is said to be here.
    """
    low = max(first_fit.n_min, second_fit.n_min)
    high = RELIABLE * min(first_fit.n_max, second_fit.n_max)
    sizes = _sizes(min(low, high), high)
    sign = 1.0 if first.direction == "maximize" else -1.0
    lead = sign * (second_fit.value(sizes) - first_fit.value(sizes))
    better = _probability_better(second_fit, first_fit, sizes, sign)
    sides = np.sign(lead)
    moves = np.flatnonzero((sides[1:] != 0) & (_last_nonzero(sides)[:-1] * sides[1:] < 0)) + 1
    if not moves.size:
        ahead = _side(float(sides[np.flatnonzero(sides)[-1]]) if sides.any() else 0.0)
        sure = float(np.maximum(better, 1.0 - better).max()) if ahead is None else float(_of(better, ahead).max())
        return Crossing(None, None, None, ahead, ahead, sure, sure)
    at = int(moves[-1])
    x, y = np.log2(sizes[at - 1 : at + 1]), lead[at - 1 : at + 1]
    n = math.ceil(float(np.exp2(x[0] + (x[1] - x[0]) * y[0] / (y[0] - y[1]))) - 1e-9)
    before, after = _side(float(_last_nonzero(sides)[at - 1])), _side(float(sides[at]))
    assert before is not None
    assert after is not None
    enough = 0.5 + level / 2
    sure_before, sure_after = _of(better[:at], before), _of(better[at:], after)
    below, above = np.flatnonzero(sure_before >= enough), np.flatnonzero(sure_after >= enough)
    return Crossing(
        n=n,
        lower=math.floor(float(sizes[below[-1]])) if below.size else None,
        upper=math.ceil(float(sizes[at + above[0]])) if above.size else None,
        ahead_before=before,
        ahead_after=after,
        sure_before=float(sure_before.max()),
        sure_after=float(sure_after.max()),
    )


def efficiency(
    first: Series,
    first_fit: Fit,
    second: Series,
    second_fit: Fit,
    level: float = DEFAULT_LEVEL,
    at: Sequence[float] = LEVELS_AT,
) -> list[Efficiency]:
    """Return how many items the second curve needs for what the first is at some of its sizes.

    Parameters
    ----------
    at : sequence of float
        The first's sizes, in units of its largest measured one; those below its smallest are left out.
    """
    sign = 1.0 if first.direction == "maximize" else -1.0
    sizes = _sizes(second_fit.n_min, HORIZON * second_fit.n_max)
    tail = 0.5 - level / 2
    found = []
    for share in at:
        n_first = round(share * first_fit.n_max)
        if n_first < first_fit.n_min:
            continue
        value = float(first_fit.value(n_first))
        answer = inv_project(second, second_fit, value, level)
        as_good = _probability_better(second_fit, first_fit, sizes, sign, np.full(len(sizes), float(n_first)))
        found.append(
            Efficiency(
                n_first,
                value,
                answer.status,
                answer.n,
                _first_at_least(sizes, as_good, tail),
                _first_at_least(sizes, as_good, 1.0 - tail),
            )
        )
    return found


def paired_differences(first: Series, second: Series, level: float = DEFAULT_LEVEL) -> list[Paired]:
    """Return second minus first at every size that both measured, run by run; for jobs that share their subsets."""
    runs = min(len(first.values), len(second.values))
    found = []
    for n in np.intersect1d(first.n, second.n):
        mine, other = (s.values[:runs, np.flatnonzero(s.n == n)[0]] for s in (first, second))
        difference = other - mine
        difference = difference[np.isfinite(difference)]
        if not difference.size:
            continue
        count, mean = len(difference), float(difference.mean())
        sd = float(difference.std(ddof=1)) if count > 1 else None
        half = None if sd is None else float(stdtrit(count - 1, 0.5 + level / 2)) * sd / math.sqrt(count)
        ends = (None, None) if half is None else (mean - half, mean + half)
        found.append(Paired(int(n), count, mean, sd, *ends))
    return found


def _sizes(low: float, high: float) -> Array:
    doublings = max(math.log2(high / low), 0.0)
    return np.exp2(np.linspace(math.log2(low), math.log2(high), max(2, math.ceil(doublings * _PER_DOUBLING) + 1)))


def _probability_better(one: Fit, other: Fit, sizes: Array, sign: float, other_sizes: Array | None = None) -> Array:
    """Probability at each size that one curve's mean is better than the other's; ties count half."""
    mine = one.draws(sizes, _DRAWS)
    theirs = other.draws(sizes if other_sizes is None else other_sizes, _DRAWS)
    # Half of "below" and "not above" counts the pairs of which mine is the larger, without a look at every pair.
    # (scipy.stats would say the same, for a second of every start of whatever imports this.)
    wins = [
        (np.searchsorted(rival, own, "left") + np.searchsorted(rival, own, "right")).sum() / 2
        for own, rival in zip((sign * mine).T, np.sort(sign * theirs, axis=0).T, strict=True)
    ]
    return np.asarray(wins, dtype=np.float64) / _DRAWS**2


def _first_at_least(sizes: Array, probability: Array, wanted: float) -> int | None:
    met = np.flatnonzero(probability >= wanted)
    if not met.size:
        return None
    at = int(met[0])
    if at == 0:
        return math.ceil(float(sizes[0]) - 1e-9)
    x, p = np.log2(sizes[at - 1 : at + 1]), probability[at - 1 : at + 1]
    n = float(np.exp2(np.interp(wanted, p, x)))
    return math.ceil(n - 1e-9)


def _last_nonzero(sides: Array) -> Array:
    """At each place the last sign that was not zero."""
    index = np.where(sides != 0, np.arange(len(sides)), -1)
    index = np.maximum.accumulate(index)
    return np.where(index >= 0, sides[np.maximum(index, 0)], 0.0)


def _side(sign: float) -> Side | None:
    return "second" if sign > 0 else "first" if sign < 0 else None


def _of(second_better: Array, side: Side) -> Array:
    return second_better if side == "second" else 1.0 - second_better
