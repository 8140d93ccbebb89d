"""Extrapolation tasks cut from measured learning curves: what was seen up to n_obs, and the truth beyond it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.calibration.groups import group_of, kept_apart
from sufficiency.method.families import family_of
from sufficiency.method.measurements import Series, with_companions
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import Bounds

Array = NDArray[np.float64]

# Doublings past n_obs at which truths are taken, where the curve reaches so far.
AHEAD = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0])
LEAST_OBSERVED = 60
METRICS: dict[str, MetricSpec] = {
    **dict.fromkeys(("Accuracy", "AUROC", "Recall", "F1"), MetricSpec()),
    "ECE": MetricSpec(direction="minimize"),
    **dict.fromkeys(("LogLoss", "MAE", "RMSE"), MetricSpec(direction="minimize", bounds=(0.0, None))),
    "R2": MetricSpec(bounds=(None, 1.0)),
}
# LCDB 1.1 gives a mean and its standard error: so many pseudo-runs with just these.
_PSEUDO_RUNS = (5, 5, 10, 25, 50)
# How often runs are missing at the larger steps, and how many companions a task is not shown.
_UNEQUAL, _ALONE = 0.25, 0.25


@dataclass(frozen=True)
class Task:
    """One curve up to n_obs, and its truth.

    Attributes
    ----------
    source : str
        Which of the benchmarks it is of.
    group : str
        The dataset; tasks of one group are never on both sides of a split.
    series : Series
    ahead : ndarray, shape (X,)
        log2(n / n_obs) of the truths.
    truth : ndarray, shape (X,)
        Measured means there.
    weight : float
        In learning.
    """

    source: str
    group: str
    series: Series
    ahead: Array
    truth: Array
    weight: float = 1.0


def accuracy_series(n: Array, values: Array) -> Series:
    """Return runs × steps of an accuracy as a series."""
    return Series("Accuracy", None, np.asarray(n, dtype=np.float64), np.atleast_2d(values), "maximize", (0.0, 1.0))


class Lcdb:
    """LCDB 1.1 (means of 25 splits) and 1.0 (five runs) as in shared/data/lcdb."""

    def __init__(self, file: Path) -> None:
        z = np.load(file)

        def unpack(stored: NDArray[np.uint16]) -> Array:
            return np.where(stored == 65535, np.nan, stored / 1e4)

        self.anchors_a, self.mean = z["anchors11"].astype(np.float64), unpack(z["acc11"])
        self.error, self.group_a = unpack(z["se11"]) / 10.0, z["ds11"]
        self.anchors_b, self.runs, self.group_b = z["anchors10"].astype(np.float64), unpack(z["runs10"]), z["ds10"]

    def means(self, seed: int, share: float, least_range: float = 0.02) -> Iterator[Task]:
        """Yield tasks of LCDB 1.1 with a random n_obs, number of steps and span."""
        rng = np.random.default_rng([seed, 11])
        for c in range(len(self.mean)):
            if rng.random() > share:
                continue
            end = int(np.flatnonzero(~np.isnan(self.mean[c]))[-1])
            choice = [i for i in range(32, end - 7) if self.anchors_a[i] >= LEAST_OBSERVED]
            if not choice:
                continue
            last = int(rng.choice(choice))
            first = max(0, last - int(rng.integers(24, 60)))
            count = int(rng.integers(4, 18)) if rng.random() < 0.8 else 60
            steps = np.unique(np.round(np.linspace(first, last, count)).astype(int))
            runs = int(rng.choice(_PSEUDO_RUNS))
            task = self.means_task(c, steps, min(end, last + 40), rng, least_range, runs)
            if task is not None:
                yield task

    def scored_means(self) -> Iterator[Task]:
        """Yield tasks like the score's: ten steps over nearly seven doublings, truth up to 8 or 32 times."""
        for c in range(len(self.mean)):
            end = int(np.flatnonzero(~np.isnan(self.mean[c]))[-1])
            for back in (24, 40):
                last = end - back
                if last < 0 or self.anchors_a[last] < 100:
                    continue
                steps = np.unique(np.round(np.linspace(max(0, last - 53), last, 10)).astype(int))
                task = self.means_task(c, steps, end, np.random.default_rng(c), 0.02)
                if task is not None:
                    yield task

    def means_task(
        self,
        c: int,
        steps: NDArray[np.int64],
        end: int,
        rng: np.random.Generator,
        least_range: float,
        runs: int = 5,
    ) -> Task | None:
        """Return the task of curve `c` seen at `steps`, with truths up to `end`; None where it is flat or broken."""
        first, last = int(steps[0]), int(steps[-1])
        part = self.mean[c, first : end + 1]
        if len(steps) < 3 or np.isnan(part).any() or np.ptp(part) < least_range:
            return None
        even = np.linspace(-1.0, 1.0, runs) * np.sqrt(3.0 / (runs * (runs + 1))) * (runs - 1)
        spread = np.stack([rng.permutation(even) for _ in steps], axis=1)
        values = self.mean[c, steps] + spread * np.nan_to_num(self.error[c, steps]) * np.sqrt(float(runs))
        x = np.log2(self.anchors_a[last : end + 1] / self.anchors_a[last])
        ahead = AHEAD[x[-1] + 1e-9 >= AHEAD]
        truth = np.interp(ahead, x, self.mean[c, last : end + 1])
        return Task("A", f"openml-{self.group_a[c]}", accuracy_series(self.anchors_a[steps], values), ahead, truth)

    def several(self, seed: int, share: float) -> Iterator[Task]:
        """Yield tasks of LCDB 1.0 with a random n_obs, number of steps and of runs."""
        rng = np.random.default_rng([seed, 10])
        for c in range(len(self.runs)):
            if rng.random() > share:
                continue
            whole = ~np.isnan(self.runs[c]).any(axis=0)
            if not whole.any():
                continue
            end = int(np.flatnonzero(whole)[-1])
            choice = [i for i in range(5, end - 1) if self.anchors_b[i] >= LEAST_OBSERVED]
            if not choice:
                continue
            last = int(rng.choice(choice))
            first = max(0, last - int(rng.integers(5, 16)))
            steps = np.unique(np.round(np.linspace(first, last, int(rng.integers(3, 12)))).astype(int))
            runs = int(rng.choice([1, 2, 3, 4, 5]))
            task = self.runs_task(c, steps, min(end, last + 10), runs)
            if task is not None:
                yield replace(task, series=fewer_at_the_end(task.series, rng))

    def scored_several(self, runs: int) -> Iterator[Task]:
        """Yield tasks like the score's, with 5 runs or with 1."""
        for c in range(len(self.runs)):
            whole = ~np.isnan(self.runs[c]).any(axis=0)
            if not whole.any():
                continue
            end = int(np.flatnonzero(whole)[-1])
            for back in (6, 10):
                last = end - back
                if last < 0 or self.anchors_b[last] < 100:
                    continue
                first = max(0, int(np.searchsorted(self.anchors_b, self.anchors_b[last] / 100.0)))
                steps = np.unique(np.round(np.linspace(first, last, 10)).astype(int))
                task = self.runs_task(c, steps, end, runs)
                if task is not None:
                    yield task

    def runs_task(self, c: int, steps: NDArray[np.int64], end: int, runs: int) -> Task | None:
        """Return the task of curve `c` seen in its first `runs` runs; the truth is the mean of all five."""
        first, last = int(steps[0]), int(steps[-1])
        mean = self.runs[c].mean(axis=0)
        part = mean[first : end + 1]
        if len(steps) < 3 or np.isnan(part).any() or np.ptp(part) < 0.02:
            return None
        x = np.log2(self.anchors_b[last : end + 1] / self.anchors_b[last])
        ahead = AHEAD[(x[-1] + 1e-9 >= AHEAD) & (AHEAD >= 0.5)]
        series = accuracy_series(self.anchors_b[steps], self.runs[c][:runs][:, steps])
        truth = np.interp(ahead, x, mean[last : end + 1])
        return Task(f"B{runs}", f"openml-{self.group_b[c]}", series, ahead, truth)


def fewer_at_the_end(series: Series, rng: np.random.Generator) -> Series:
    """Return a series some of whose runs did, sometimes, not get to the larger sizes."""
    runs, steps = series.values.shape
    if runs < 3 or rng.random() > _UNEQUAL:
        return series
    values = series.values.copy()
    values[int(rng.integers(1, runs)) :, steps - max(1, steps // 3) :] = np.nan
    return replace(series, values=values)


class Studies:
    """The studies of ``run_studies.py`` and ``quick_studies.py``.

    Parameters
    ----------
    files : Path or sequence of Path
    apart : bool
        Those for the final score; else what may be learned from, and that is nothing of a dataset of which the quick
        studies are kept apart.
    """

    def __init__(self, files: Path | Sequence[Path], *, apart: bool) -> None:
        self.curves: list[Curve] = []
        # By study, the accuracy on all data that a tiny test split was drawn from, and the items of the split.
        self.population: dict[str, tuple[Array, int]] = {}
        for file in [files] if isinstance(files, Path) else files:
            z = np.load(file)
            names = z["studies"].tolist()
            groups = [group_of(name.split("/")[0]) for name in names]
            kept = z["apart"] if apart else [one or kept_apart(g) for one, g in zip(z["apart"], groups, strict=True)]
            metrics, classes, domains = (z[name].tolist() for name in ("metric", "class_index", "domain"))
            ns, values = z["n"], z["values"]
            for k, of in enumerate(z["study"].tolist()):
                metric = metrics[k]
                if bool(kept[of]) == apart and metric == "Accuracy@population":
                    n = int((ns[k] > 0).sum())
                    self.population[names[of]] = values[k][:, :n].astype(np.float64), int(z["n_test"][of])
                if bool(kept[of]) != apart or metric not in METRICS:
                    continue
                n = ns[k][ns[k] > 0].astype(np.float64)
                measured = values[k][:, : len(n)].astype(np.float64)
                self.curves.append(Curve(names[of], domains[of], groups[of], metric, classes[k], n, measured))

    def tasks(self, seed: int, *, scored: bool) -> Iterator[Task]:
        """Yield tasks of every curve: as scored, n_obs an 8th of the largest size and 5 runs; or at random."""
        rng = np.random.default_rng([seed, 12])
        for _, together in groupby(self.curves, key=lambda curve: curve.study):
            of_study = list(together)
            scalars = [curve for curve in of_study if curve.class_index < 0]
            for curve in of_study:
                alike = sum(other.metric == curve.metric for other in of_study)
                yield from self._of_curve(curve, scalars, alike, rng, scored=scored)

    def population_tasks(self) -> Iterator[Task]:
        """Yield, as `tasks` scored, accuracies on tiny test splits whose truth is that of the population."""
        for curve in self.curves:
            if curve.metric != "Accuracy" or curve.study not in self.population:
                continue
            values, items = self.population[curve.study]
            for task in self._of_curve(curve, [], 1, np.random.default_rng(0), scored=True):
                last = int(np.flatnonzero(curve.n == task.series.n[-1])[0])
                truth = values[:, last + 1 :].mean(axis=0)
                yield replace(task, source="population/Accuracy", series=task.series.of_items(items), truth=truth)

    def _of_curve(
        self, curve: "Curve", scalars: Sequence["Curve"], alike: int, rng: np.random.Generator, *, scored: bool
    ) -> Iterator[Task]:
        n, values = curve.n, curve.values
        choice = [k for k in range(4, len(n) - 2) if n[k] >= LEAST_OBSERVED and n[k] <= n[-1] / 2]
        if scored:
            choice = [k for k in choice if abs(n[-1] / n[k] / 8 - 1) < 0.05]
        elif alike > 1:
            # Ten classes of one study are nearly one curve: they share its weight.
            choice = list(rng.permutation(choice)[: max(1, 12 // alike)])
        for last in choice:
            first = 0 if scored else int(rng.integers(0, max(1, last - 5)))
            stride = 1 if scored or last - first < 8 else int(rng.integers(1, 3))
            steps = np.arange(last, first - 1, -stride)[::-1]
            runs = 5 if scored else int(rng.choice([1, 2, 3, 5, 5, 5]))
            seen = rng.permutation(5)[:runs] if not scored else np.arange(5)
            truth = values[:, last + 1 :].mean(axis=0)
            if np.isnan(values[seen][:, steps]).any() or np.isnan(truth).any():
                continue
            others = [other for other in scalars if other is not curve and (scored or rng.random() > _ALONE)]
            [series, *_] = with_companions([other.series(seen, steps) for other in (curve, *others)])
            yield Task(
                f"{curve.domain}/{curve.metric}",
                curve.group,
                series if scored else fewer_at_the_end(series, rng),
                np.log2(n[last + 1 :] / n[last]),
                truth,
                1.0 / alike if scored else 1.0 / np.sqrt(alike),
            )


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric (of one class) of one study; `values` of shape (runs, K)."""

    study: str
    domain: str
    group: str
    metric: str
    class_index: int
    n: Array
    values: Array

    def series(self, runs: NDArray[np.int64], steps: NDArray[np.int64]) -> Series:
        """Return what some of the runs measured at some of the steps."""
        spec = METRICS[self.metric]
        index = None if self.class_index < 0 else self.class_index
        family = family_of(self.metric, spec)
        return Series(
            self.metric, index, self.n[steps], self.values[runs][:, steps], spec.direction, spec.bounds, family
        )


def as_loss(task: Task, kind: str) -> Task:
    """Return an accuracy's task as one of its error, bounded below only (`log`) or not at all (`identity`)."""
    series = task.series
    bounds: Bounds = (0.0, None) if kind == "log" else (None, None)
    turned = Series("Error", None, series.n, 1.0 - series.values, "minimize", bounds, "loss")
    return Task(f"{task.source}/{kind}", task.group, turned, task.ahead, 1.0 - task.truth, task.weight)
