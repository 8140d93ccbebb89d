"""The usable means of a series, on the scale on which curves are fitted."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.averages import FEW_RUNS, Averages
from sufficiency.method.course import context
from sufficiency.method.curve import LARGEST_VALUE, LEAST_STEPS, Array, NotEnoughData
from sufficiency.method.links import Link
from sufficiency.method.measurements import Series
from sufficiency.method.noise import Noise, estimate_noise

SMALLEST_VALUE = 1e-200
# More steps are made so many, in either of two ways: by the means of neighbours, and by leaving out all but a few.
MOST_STEPS, _THINNED = 18, 10
# So many series are looked at side by side: half as many take a seventh longer each, more gain nothing but megabytes.
MOST_TOGETHER = 64
_FAR = (-np.inf, np.inf)


@dataclass(frozen=True)
class Observed:
    """The usable means of one curve, or of several with the same steps side by side.

    Attributes
    ----------
    n : ndarray, shape (K,)
        Increasing.
    x : ndarray, shape (K,)
        log2(n / n[-1]).
    mean : ndarray, shape (..., K)
        In the metric's units.
    z : ndarray, shape (..., K)
    link : Link
    noise : Noise
    runs : ndarray, shape (...)
        Mean number of runs a step.
    runs_lately : ndarray, shape (...)
        As many runs a step as make as much scatter of the later means as there is; equal to `runs` where all steps have
        the same number.
    spread : ndarray, shape (..., 2, K)
        How far the best run is below and the worst run above the mean, on the link's scale, of at most five runs.
    context : ndarray, shape (..., course.CONTEXT)
        The metric's family, and how its companions went.
    test_sd : ndarray, shape (..., K), or None
        What the test split alone adds, in the metric's units.
    """

    n: Array
    x: Array
    mean: Array
    z: Array
    link: Link
    noise: Noise
    runs: Array
    runs_lately: Array
    spread: Array
    context: Array
    test_sd: Array | None

    def of_curve(self, place: int) -> "Observed":
        """Return one of several curves."""
        noise = self.noise
        inflated = np.broadcast_to(noise.inflated, noise.run.shape)[place]
        return replace(
            self,
            mean=self.mean[place],
            z=self.z[place],
            link=self.link.of_curve(place),
            noise=replace(noise, run=noise.run[place], mean=noise.mean[place], inflated=inflated),
            runs=self.runs[place],
            runs_lately=self.runs_lately[place],
            spread=self.spread[place],
            context=self.context[place],
            test_sd=None if self.test_sd is None else self.test_sd[place],
        )


@dataclass(frozen=True)
class Alike:
    """Several series that differ in nothing but numbers, so that they are looked at side by side.

    Attributes
    ----------
    places : sequence of int
        Which of all series they are.
    like : Series
        One of them. The others are of the same direction, bounds and family, and of a class where it is.
    seen : Observed
        Of shape (B, ...).
    """

    places: Sequence[int]
    like: Series
    seen: Observed


def observe(series: Series) -> Observed:
    """Return the usable means of a series on its link's scale.

    Raises
    ------
    NotEnoughData
        For fewer than three steps with a value, and for values too large to compute with.
    """
    groups, refused = observe_all([series])
    if refused:
        raise refused[0]
    return groups[0].seen.of_curve(0)


def observe_all(series: Sequence[Series]) -> tuple[list[Alike], dict[int, NotEnoughData]]:
    """Return what `observe` does, of many series side by side; and by their places those that it refuses.

    Notes
    -----
    Series are alike that have values at the same steps and scatter at the same steps, and are read in the same way:
    the others of a job, and the same one with other values. What is said of a series is the same beside others as
    alone.
    """
    groups: list[Alike] = []
    refused: dict[int, NotEnoughData] = {}
    for kind in _alike(range(len(series)), [_kind(one) for one in series]):
        for places in _with_values_alike(series, kind):
            for first in range(0, len(places), MOST_TOGETHER):
                _look_at(series, places[first : first + MOST_TOGETHER], groups, refused)
    return groups, refused


def _with_values_alike(series: Sequence[Series], kind: list[int]) -> Iterable[list[int]]:
    """Return those of one kind by the steps at which they have values, and several."""
    if len(kind) == 1:
        return [kind]
    runs = np.isfinite(np.stack([series[place].values for place in kind])).sum(axis=-2)
    return _alike(kind, [one.tobytes() for one in np.minimum(runs, 2)])


def _alike(places: Sequence[int], kinds: Iterable[Hashable]) -> Iterable[list[int]]:
    """Return places by their kinds."""
    found: dict[Hashable, list[int]] = {}
    for place, kind in zip(places, kinds, strict=True):
        found.setdefault(kind, []).append(place)
    return found.values()


def _kind(one: Series) -> Hashable:
    """Return all of a series that is no number of its own."""
    shared = None if one.shared is None else one.shared.tobytes()
    read = one.direction, one.bounds, one.family, one.class_index is None, one.test_sd is None
    return one.n.tobytes(), one.values.shape, shared, *read


def _look_at(
    series: Sequence[Series], places: Sequence[int], groups: list[Alike], refused: dict[int, NotEnoughData]
) -> None:
    """Add to groups, and to what is refused, some series of one kind with values at the same steps."""
    low, high = (edge if edge is not None else far for edge, far in zip(series[places[0]].bounds, _FAR, strict=True))
    values = np.stack([series[place].values for place in places])
    # Numbers so small that their ratios overflow are as good as nothing.
    values = np.minimum(np.maximum(np.where(np.abs(values) < SMALLEST_VALUE, 0.0, values), low), high)
    averages = Averages(values)
    usable = np.isfinite(averages.mean)
    largest = np.where(usable, np.abs(averages.mean), 0.0).max(axis=-1, initial=0.0)
    # What is infinite may lie on a bound now, and a scatter may be.
    patterns = [one.tobytes() for one in usable + 2 * np.isfinite(averages.sd)]
    for rows in _alike(range(len(places)), patterns):
        n = series[places[0]].n
        distinct = len(set(n[usable[rows[0]]].tolist()))
        mine = []
        for row in rows:
            metric = series[places[row]].metric
            if distinct < LEAST_STEPS:
                why = f"{metric} has values at {distinct} of {len(n)} steps; a curve needs at least {LEAST_STEPS}"
                refused[places[row]] = NotEnoughData(why)
            elif largest[row] > LARGEST_VALUE:
                why = f"{metric} reaches {largest[row]:.3g}: too large for a curve"
                refused[places[row]] = NotEnoughData(why)
            else:
                mine.append(row)
        if mine:
            part = averages if len(mine) == len(places) else Averages(values[mine])
            alike = [series[places[row]] for row in mine]
            groups.append(Alike([places[row] for row in mine], alike[0], _side_by_side(alike, part)))


def _side_by_side(series: Sequence[Series], averages: Averages) -> Observed:
    """Return series that are alike on the scale of their links, shape (B, ...)."""
    like = series[0]
    usable = np.flatnonzero(np.isfinite(averages.mean[0]))
    order = usable[np.argsort(like.n[usable], kind="stable")]
    n = like.n[order]
    first = np.array([0, *(np.flatnonzero(n[1:] != n[:-1]) + 1)])
    mean, sd, least, most = (np.take(of, order, axis=-1) for of in (averages.mean, averages.sd, *averages.extremes))
    runs = np.take(averages.runs, order, axis=-1)
    known = [one.test_sd[order[first]] for one in series if one.test_sd is not None]
    shared = None if like.shared is None else like.shared[order[first]]
    if len(first) < len(n):
        least, most = np.minimum.reduceat(least, first, axis=-1), np.maximum.reduceat(most, first, axis=-1)
        n, mean, runs, sd = _merge(n, first, mean, runs, sd)
    link = Link.of(mean, sd, like.direction, like.bounds)
    x = np.log2(n / n[-1])
    all_z = link.z(np.concatenate([mean, least, most], axis=-1))
    z, one_end, other_end = (all_z[:, place : place + len(n)].copy() for place in range(0, 3 * len(n), len(n)))
    noise = estimate_noise(x, mean, sd, runs, link, shared)
    # More runs than the method was learned from are as good as five whose mean is as precise.
    precise = np.sqrt(FEW_RUNS / np.maximum(runs, FEW_RUNS))
    spread = np.empty((len(series), 2, len(n)))
    np.minimum(one_end, other_end, out=spread[:, 0])
    np.maximum(one_end, other_end, out=spread[:, 1])
    spread -= z[:, None]
    spread *= precise[:, None]
    return Observed(
        n=n,
        x=x,
        mean=mean,
        z=z,
        link=link,
        noise=noise,
        runs=runs.mean(axis=-1),
        runs_lately=_lately(x, runs, noise),
        spread=spread,
        context=_company(series),
        test_sd=np.stack(known) if known else None,
    )


def _company(series: Sequence[Series]) -> Array:
    """Return the families of series, and how their companions went: see `course.context`."""
    told: dict[int, Array] = {}  # of the same companions it is the same
    for one in series:
        if id(one.companions) not in told:
            told[id(one.companions)] = context(one.family, {other.family: other.course for other in one.companions})
    return np.stack([told[id(one.companions)] for one in series])


def _lately(x: Array, runs: NDArray[np.int64], noise: Noise) -> Array:
    """Return the harmonic mean of the numbers of runs, weighted by size; 2 or more where a step has that many."""
    weight = np.exp2(x)
    worth = runs / noise.inflated if noise.known else runs
    found = weight.sum() / (weight / worth).sum(axis=-1)
    return np.asarray(np.maximum(found, np.minimum(2.0, runs.max(axis=-1))))


def views(seen: Observed) -> list[tuple[Observed, float]]:
    """Return a curve as one or two of at most `MOST_STEPS` steps, and how far the last one is before the true last.

    A law learned of ten steps takes forty, one by one, for forty times the evidence; what they are is less scatter. The
    one has neighbouring steps made one, which scatter less; the other has ten of the steps as they are, with the first
    and the last. They err in different ways: in the mean of what they say the larger part of both is gone.
    """
    pooled = pool(seen)
    if pooled[0] is seen:
        return [pooled]
    at = np.linspace(seen.x[0], 0.0, _THINNED)
    kept = np.unique(np.abs(seen.x[:, None] - at).argmin(axis=0))
    n, x, mean, z, spread, run, scatter = (
        np.take(of, kept, axis=-1)
        for of in (seen.n, seen.x, seen.mean, seen.z, seen.spread, seen.noise.run, seen.noise.mean)
    )
    noise = replace(seen.noise, run=run, mean=scatter)
    return [pooled, (replace(seen, n=n, x=x, mean=mean, z=z, spread=spread, noise=noise), 0.0)]


def pool(seen: Observed) -> tuple[Observed, float]:
    """Return a curve of at most `MOST_STEPS` steps, and by how many doublings its last one is before the true last.

    Neighbouring steps are made one, evenly on the scale of log n.

    Notes
    -----
    Neighbouring subsets of a run share most of their items, so that the scatter falls with the root of what theory has
    for independent ones.
    """
    if len(seen.n) <= MOST_STEPS:
        return seen, 0.0
    place = np.minimum((1.0 - seen.x / seen.x[0]) * MOST_STEPS, MOST_STEPS - 1).astype(int)
    _, first, count = np.unique(place, return_index=True, return_counts=True)

    def mean(values: Array) -> Array:
        return np.asarray(np.add.reduceat(values, first, axis=-1) / count)

    x = mean(seen.x)
    noise = replace(seen.noise, run=mean(seen.noise.run), mean=mean(seen.noise.mean) / np.sqrt(count))
    pooled = replace(
        seen,
        n=seen.n[-1] * np.exp2(x),
        x=x - x[-1],
        mean=mean(seen.mean),
        z=mean(seen.z),
        noise=noise,
        spread=mean(seen.spread),
    )
    return pooled, float(-x[-1])


def _merge(
    n: Array, first: NDArray[np.int64], mean: Array, runs: NDArray[np.int64], sd: Array
) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """Make one step of several with the same size, of which `first` are the first: their runs are so many more."""
    times = np.diff([*first, len(n)])

    def total(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.add.reduceat(values, first, axis=-1))

    count = total(runs)
    middle = total(mean * runs) / count
    within = total(np.where(runs > 1, np.nan_to_num(sd) ** 2 * (runs - 1), 0.0))
    between = total(runs * (mean - np.repeat(middle, times, axis=-1)) ** 2)
    spread = np.sqrt((within + between) / np.maximum(count - 1, 1))
    return n[first], middle, count, np.where(count > 1, spread, np.nan)
