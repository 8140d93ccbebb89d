"""Two models on the same test items: which each was right about, and what their difference is worth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sufficiency.method.curve import DEFAULT_LEVEL, Array
from sufficiency.method.item_marks import unpack
from sufficiency.schemas.work import ItemMarks

# Of one training at one size: run and size.
Place = tuple[int, int]
# More degrees of freedom than this are as good as infinitely many.
_MOST_FREEDOM = 1e6


@dataclass(frozen=True)
class ItemsPaired:
    """Second minus first at one size, item by item of the test split that they share.

    Attributes
    ----------
    n : int
    runs : int
        Of each model; with one, how trainings scatter is not in the interval.
    items : int
        Test items.
    difference : float
        Of the shares that were right.
    lower, upper : float
        Interval of what the difference would be over all data that the test split was drawn from, and all trainings.
    only_first, only_second : float
        Items that only the one of a pair of trainings had right: the mean over the pairs.
    """

    n: int
    runs: int
    items: int
    difference: float
    lower: float
    upper: float
    only_first: float
    only_second: float


def paired_on_items(
    first: Mapping[Place, ItemMarks],
    second: Mapping[Place, ItemMarks],
    level: float = DEFAULT_LEVEL,
    *,
    share_subsets: bool = True,
) -> list[ItemsPaired]:
    """Return second minus first at every size at which runs of both say which items were right.

    Parameters
    ----------
    first, second : mapping of (run, n) to ItemMarks
        Of one test split, whose items stand in one order.
    share_subsets : bool
        Whether runs of the same number trained on the same subsets. Else the scatter of either's trainings counts.

    Notes
    -----
    Items and trainings are two crossed samples, and the variance of the difference is that of a two-way table with
    both random: (MS_items + MS_runs − MS_rest)/(items·runs). It is what a bootstrap over items and runs converges to,
    without its draws. With one run it is McNemar's: the items that only one of the two had right, about their
    difference. The degrees of freedom are Satterthwaite's. What all models have right or wrong alike, as most items,
    has no part in it; two separate binomials would take it for noise.
    """
    found = []
    for n in sorted({n for _, n in first} & {n for _, n in second}):
        runs = sorted({run for run, size in first if size == n} & {run for run, size in second if size == n})
        pairs = [(first[run, n], second[run, n]) for run in runs]
        items = {marks.items for pair in pairs for marks in pair}
        if not runs or len(items) > 1:
            continue
        one, other = (np.stack([unpack(pair[k]) for pair in pairs]) for k in (0, 1))
        found.append(_paired(n, one, other, level, share_subsets=share_subsets))
    return found


def _paired(
    n: int, one: NDArray[np.bool_], other: NDArray[np.bool_], level: float, *, share_subsets: bool
) -> ItemsPaired:
    """Return the difference of two tables of runs × items."""
    runs, items = one.shape
    d = other.astype(np.float64) - one
    difference = float(d.mean())
    variance, freedom = _variance(d, [d] if share_subsets else [one.astype(np.float64), other.astype(np.float64)])
    reach = float(stdtrit(freedom, 0.5 + level / 2)) * math.sqrt(variance)
    return ItemsPaired(
        n=n,
        runs=runs,
        items=items,
        difference=difference,
        lower=max(difference - reach, -1.0),
        upper=min(difference + reach, 1.0),
        only_first=float((one & ~other).sum() / runs),
        only_second=float((other & ~one).sum() / runs),
    )


def _variance(d: Array, trained: Sequence[Array]) -> tuple[float, float]:
    """Return the variance of the mean of `d`, shape (runs, items), and its degrees of freedom.

    `trained` are the tables whose trainings scatter independently: the differences, or either's own.
    """
    runs, items = d.shape
    # One item more of either kind, as Laplace has it: two models that agree on all of a hundred items may differ.
    least = 2.0 / (items + 2.0) ** 2
    by_item = max(_squares(d.mean(axis=0)) / items, least)
    parts = [(by_item, items - 1.0)]
    if runs > 1:
        of_runs = [_squares(one.mean(axis=1)) / runs for one in trained]
        rest = _rest(d) / (runs * items)
        # What is left over of items and runs is in both of them: once too often.
        parts += [(one, runs - 1.0) for one in of_runs]
        total = max(by_item + sum(of_runs) - rest, by_item, *of_runs)
    else:
        total = by_item
    weights = sum(part * part / max(freedom, 1.0) for part, freedom in parts)
    return total, min(max(total * total / weights, 1.0), _MOST_FREEDOM)


def _squares(means: Array) -> float:
    """Return the variance of some means; zero of a single one."""
    return float(means.var(ddof=1)) if len(means) > 1 else 0.0


def _rest(d: Array) -> float:
    """Return the mean square that neither items nor runs explain."""
    runs, items = d.shape
    rest = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()
    return float((rest * rest).sum() / max((runs - 1) * (items - 1), 1))
