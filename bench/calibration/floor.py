"""Where the calibrated method's error ends: its own learning curve, over the datasets that it is learned from.

Both networks are learned anew from an eighth, a quarter, a half and all of the development datasets, LCDB's and the
studies' each, drawn at random (``--draws`` of each, nested), by four folds of datasets; each scores what it has not
seen at 4 times the largest size. Batches are as much smaller as the datasets are fewer, so that every network makes as
many steps over as many epochs. The mixture's prior stays, and the shares and widths by family. What comes of it,
relative to the power law's exact optimum, is a curve as any other: Sufficiency itself says what twice to eight times as
many datasets would bring, and how many the error that is wanted would take.

Beside it what nobody can foresee of LCDB: the noise of the truths, what is off between two neighbours on the way, what
the best law has that knows the end, and what learners that jump make of it all.

    python -m bench.calibration.floor --lcdb lcdb_dev.npz --work FOLDER [--json]

Learning takes some ten minutes of one core. What is in FOLDER is not learned again.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from bench.calibration import learn_second
from bench.calibration.anchors import power_law
from bench.calibration.learn import PACKAGE, Array, alone, learn_network
from bench.calibration.score import HERE, LEAST_RANGE
from bench.calibration.tasks import Lcdb, Studies, Task, accuracy_series
from sufficiency.method.calibrated import fit_all_calibrated, fit_calibrated
from sufficiency.method.calibration import Calibration, calibration
from sufficiency.method.curve import NotEnoughData
from sufficiency.method.links import EPSILON
from sufficiency.method.measurements import Series
from sufficiency.method.projection import inv_project

SHARES = (0.125, 0.25, 0.5, 1.0)
RATIO = 4.0
FOLDS = learn_second.FOLDS
# Of DataEval's objective, by folds; and of the power law's on studies.
WANTED = {"LCDB A": 0.57, "LCDB B5": 0.71, "LCDB B1": 0.72, "log loss": 0.28, "R2": 0.28, "RMSE": 0.28}
_STUDIES = ("studies.npz", "quick_studies.npz")
_BATCH, _RATE = 2048, 7e-3
# The mean of so many truths' errors, as the mean of five has it of two means of two and three.
_OF_FIVE = np.sqrt((1 / 5) / (1 / 2 + 1 / 3))
# A learner that has not left its place yet, and does then.
_STUCK, _JUMPED = 0.02, 0.05
_WORST = 0.02
_RESAMPLES = 400


@dataclass(frozen=True)
class Scored:
    """What is scored: tasks, what was measured at `RATIO`, and what the power law says."""

    tasks: list[Task]
    truth: Array
    law: Array
    group: NDArray[np.str_]
    source: NDArray[np.str_]
    weight: Array
    # Of LCDB's tasks the row of the curve, and the place of its last step seen.
    origin: list[tuple[int, int]]

    def sets(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield what is told of, and which tasks are of it."""
        for name in ("A", "B5", "B1"):
            yield f"LCDB {name}", self.source == name
        image = np.char.startswith(self.source, "image/")
        metric = np.array([one.rpartition("/")[2] for one in self.source])
        studies = np.char.find(self.source, "/") >= 0
        yield "nets on images: accuracy", image & (metric == "Accuracy")
        yield "nets on images: AUROC", image & (metric == "AUROC")
        for name, told in (("LogLoss", "log loss"), ("R2", "R2"), ("RMSE", "RMSE"), ("MAE", "MAE")):
            yield told, studies & (metric == name)


class Noted(Lcdb):
    """LCDB that notes of which curve each task is, and where it was cut."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.origin: list[tuple[int, int]] = []

    def means_task(self, c: int, steps: NDArray[np.int64], *rest: Any) -> Task | None:
        """Return the task; see `Lcdb.means_task`."""
        return self._noted(super().means_task(c, steps, *rest), c, steps)

    def runs_task(self, c: int, steps: NDArray[np.int64], *rest: Any) -> Task | None:
        """Return the task; see `Lcdb.runs_task`."""
        return self._noted(super().runs_task(c, steps, *rest), c, steps)

    def _noted(self, task: Task | None, c: int, steps: NDArray[np.int64]) -> Task | None:
        if task is not None:
            self.origin.append((c, int(steps[-1])))
        return task


def at_ratio(task: Task) -> float:
    """Return what was measured of a task at `RATIO`."""
    return float(np.interp(np.log2(RATIO), task.ahead, task.truth))


def scored(data: Noted) -> Scored:
    """Return all development tasks as they are scored."""
    data.origin.clear()
    tasks = [*data.scored_means(), *data.scored_several(5), *data.scored_several(1)]
    origin = list(data.origin)
    for file in _STUDIES:
        tasks += Studies([HERE / file], apart=False).tasks(0, scored=True)
    origin += [(-1, -1)] * (len(tasks) - len(origin))
    kept = [k for k, task in enumerate(tasks) if np.ptp([*task.series.mean(), *task.truth]) >= LEAST_RANGE]
    tasks = [tasks[k] for k in kept]
    law = []
    for task in tasks:
        low, high = (edge if edge is not None else np.nan for edge in task.series.bounds)
        law.append(float(np.fmin(np.fmax(power_law(task.series, RATIO * task.series.n[-1:])[0], low), high)))
    return Scored(
        tasks,
        np.array([at_ratio(task) for task in tasks]),
        np.array(law),
        np.array([task.group for task in tasks]),
        np.array([task.source for task in tasks]),
        np.array([task.weight for task in tasks]),
        [origin[k] for k in kept],
    )


# Learning from fewer datasets


class Learning:
    """All rows to learn from, and what is drawn of them."""

    def __init__(self, lcdb: Path, draws: int) -> None:
        with np.load(PACKAGE / "calibration.npz", allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        self.base = {name: of for name, of in arrays.items() if not name.startswith(learn_second.OF_SECOND)}
        self.kept = [arrays[name] for name in ("share", "widen_family", "growth")]
        tasks, self.count = learn_second.gather(lcdb, 0, draws)
        self.rows, _, self.place = learn_second.to_rows(tasks, Calibration.of(self.base | alone()))
        groups = np.unique(self.rows.group)
        # As `learn_second` has them.
        fold_of = np.random.default_rng(0).permutation(len(groups)) % FOLDS
        self.fold_of = dict(zip(groups.tolist(), fold_of.tolist(), strict=True))
        self.of_lcdb = np.char.startswith(self.rows.group, "openml-")

    def datasets(self, draw: int, share: float, fold: int) -> list[str]:
        """Return those to learn from without a fold's: of LCDB's and of the studies' the same share each, nested."""
        found: list[str] = []
        rng = np.random.default_rng([draw, fold])
        for lcdb in (True, False):
            there = [g for g, of in self.fold_of.items() if of != fold and g.startswith("openml-") == lcdb]
            found += rng.permutation(there)[: round(share * len(there))].tolist()
        return found

    def learn(self, draw: int, share: float, fold: int, epochs: int) -> dict[str, Any]:
        """Return what ``calibration.npz`` holds, learned from some of the datasets."""
        chosen = np.isin(self.rows.group, self.datasets(draw, share, fold))
        rows, firsts = self.rows.take(chosen), (self.place < self.count)[chosen]
        rows = replace(rows, weight=self._weight(chosen))
        seed, batch = 1000 * draw + fold, max(round(_BATCH * share), 1)
        told: dict[str, Any] = {"members": 2, "epochs": epochs, "batch": batch, "rate": _RATE}
        first = learn_network(learn_second.not_told(rows.take(firsts)), seed, **told)
        network = learn_network(rows, seed, **told)
        return self.base | learn_second.first_of(first) | learn_second.second(network, *self.kept)

    def _weight(self, chosen: NDArray[np.bool_]) -> Array:
        """Return the weights of what is drawn, by which each kind of study weighs beside LCDB what it does of all."""
        weight = self.rows.weight.copy()
        for kind in (~self.of_lcdb & (self.place < self.count), ~self.of_lcdb & (self.place >= self.count)):
            if (kind & chosen).any():
                there, drawn = (w[kind].sum() / w[self.of_lcdb].sum() for w in (weight, np.where(chosen, weight, 0.0)))
                weight[kind] *= there / drawn
        return weight[chosen]


def said(tasks: Sequence[Task], learned: Calibration) -> Array:
    """Return the median at `RATIO` of each task."""
    with patch("sufficiency.method.calibrated.calibration", lambda: learned):
        fits = fit_all_calibrated([task.series for task in tasks])
    values = []
    for task, fit in zip(tasks, fits, strict=True):
        assert not isinstance(fit, NotEnoughData)
        values.append(float(fit.value(RATIO * float(task.series.n[-1]))))
    return np.array(values)


def file_of(options: argparse.Namespace, draw: int, share: float, fold: int) -> Path:
    """Return where what was learned for a fold is kept: a folder a draw and share, as `score --folds` reads it."""
    return Path(options.work) / f"{draw}-{share:g}" / f"fold_{fold}.npz"


def learn_all(options: argparse.Namespace) -> None:
    """Learn each network that is not there yet."""
    cells = list(product(range(options.draws), sorted(options.shares, reverse=True), range(FOLDS)))
    missing = [cell for cell in cells if not file_of(options, *cell).exists()]
    if not missing:
        return
    began = time.process_time()
    source = Learning(options.lcdb, options.study_draws)
    studies = {c.study: c.group for file in _STUDIES for c in Studies([HERE / file], apart=False).curves}
    for draw, share, fold in missing:
        arrays = source.learn(draw, share, fold, options.epochs)
        drawn = source.datasets(draw, share, fold)
        count = [sum(g.startswith("openml-") for g in drawn), sum(g in drawn for g in studies.values())]
        groups = [g for g, of in source.fold_of.items() if of == fold]
        file = file_of(options, draw, share, fold)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, groups=groups, learned_from=count, **arrays)
        print(f"[{time.process_time() - began:5.0f} s] draw {draw}, {share:g}, fold {fold}: {count}", file=sys.stderr)


# What came of it


def measured(options: argparse.Namespace, every: Scored) -> tuple[Array, Array]:
    """Return the medians, shape (draws, shares, T), and how much was learned from, (shares, 2)."""
    shares = sorted(options.shares)
    values = np.full((options.draws, len(shares), len(every.tasks)), np.nan)
    counts = np.zeros((options.draws, len(shares), FOLDS, 2))
    # By which families have which share of the second network is no part of what is learned here.
    carried = calibration()
    for draw, (k, share), fold in product(range(options.draws), enumerate(shares), range(FOLDS)):
        with np.load(file_of(options, draw, share, fold), allow_pickle=False) as kept:
            learned = replace(Calibration.of(kept), share=carried.share)
            here = np.flatnonzero(np.isin(every.group, kept["groups"]))
            counts[draw, k, fold] = kept["learned_from"]
        values[draw, k, here] = said([every.tasks[i] for i in here], learned)
    return values, counts.mean(axis=(0, 2))


def curve_of(values: Array, every: Scored, chosen: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return of some tasks the error relative to the power law's, (draws, shares), its spread and the mean error.

    The spread is the standard deviation over datasets drawn anew, of the draws' mean, (shares,).
    """
    weight, truth = every.weight[chosen], every.truth[chosen]
    error = values[..., chosen] - truth
    law = np.abs(every.law[chosen] - truth)
    ratio = (np.abs(error) @ weight) / (law @ weight)
    groups, at = np.unique(every.group[chosen], return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = np.stack(
        [np.bincount(rng.integers(0, len(groups), len(groups)), minlength=len(groups)) for _ in range(_RESAMPLES)]
    )
    again = drawn[:, at] * weight
    spread = (np.abs(error).mean(axis=0) @ again.T / (again @ law)).std(axis=-1)
    return ratio, spread, (error @ weight) / weight.sum()


def projected(n: Array, ratio: Array, spread: Array, wanted: float | None) -> dict[str, Any]:
    """Return what Sufficiency makes of a curve of errors over how much was learned from.

    All draws of the whole share their datasets, which `Series.of_split` says.
    """
    sizes = np.round(n)
    series = Series("MAE", None, sizes, ratio, "minimize", (0.0, None), "regression_error", spread)
    series = series.of_split([int(sizes[-1])])
    fit = fit_calibrated(series)
    found: dict[str, Any] = {"ahead": {}}
    for times in (2, 4, 8):
        at = times * sizes[-1]
        ends = fit.quantile(at, np.array([0.025, 0.975])).tolist()
        found["ahead"][str(times)] = {"value": float(fit.value(at)), "interval": ends}
    if wanted is not None:
        answer = inv_project(series, fit, wanted)
        at = 8 * sizes[-1]
        found["wanted"] = {
            "ratio": wanted,
            "status": answer.status,
            "n": answer.n,
            "interval": [answer.lower, answer.upper],
            "probability_by_8_times": float(fit.probability_of_meeting(at, wanted)),
        }
    return found


# What nobody can foresee


def least(data: Lcdb, every: Scored, value: Array) -> dict[str, dict[str, float]]:
    """Return of LCDB's tasks what those would err by, of the power law, who know more than there is to know.

    Parameters
    ----------
    value : ndarray, shape (draws, T)
        What was said by networks that had not seen a task's dataset.
    """
    found = {}
    for name in ("A", "B5", "B1"):
        places = np.flatnonzero(every.source == name)
        truth, law = every.truth[places], np.abs(every.law - every.truth)[places]
        error = np.abs(value[:, places] - truth).mean(axis=0)
        noise, between, hindsight, jumps = (np.zeros(len(places)) for _ in range(4))
        for k, place in enumerate(places):
            task, (c, last) = every.tasks[place], every.origin[place]
            noise[k] = _noise(data, name, c, last)
            z = _logit(np.interp([1.5, 2.5], task.ahead, task.truth))
            between[k] = abs(_share(z.mean()) - truth[k])
            series, n = task.series, task.series.n[-1] * np.exp2(task.ahead)
            whole = accuracy_series(np.concatenate([series.n, n]), np.concatenate([series.mean(), task.truth]))
            hindsight[k] = abs(power_law(whole, RATIO * series.n[-1:])[0] - truth[k])
            seen = series.mean()
            jumps[k] = seen[-1] - seen[0] < _STUCK and truth[k] - seen[-1] >= _JUMPED
        jumped = jumps > 0
        worst = np.sort(error)[::-1][: max(round(_WORST * len(error)), 1)]
        mean = np.abs(value[:, places].mean(axis=0) - truth)
        found[f"LCDB {name}"] = {
            "tasks": len(places),
            "method": error.sum() / law.sum(),
            "mean of the draws": mean.sum() / law.sum(),
            "noise of the truths": noise.sum() / law.sum(),
            "between two neighbours": between.sum() / law.sum(),
            "best law in hindsight": hindsight.sum() / law.sum(),
            "tasks that jump": jumped.mean(),
            "error of those": error[jumped].sum() / error.sum(),
            "law's error of those": law[jumped].sum() / law.sum(),
            "method without those": error[~jumped].sum() / law[~jumped].sum(),
            "error of the worst 2 %": worst.sum() / error.sum(),
        }
    return {name: {what: float(v) for what, v in of.items()} for name, of in found.items()}


def _noise(data: Lcdb, name: str, c: int, last: int) -> float:
    """Return the mean absolute error of a truth: by its standard error, or by two and three of its runs."""
    if name == "A":
        at = int(np.abs(data.anchors_a - RATIO * data.anchors_a[last]).argmin())
        return float(np.nan_to_num(data.error[c, at]) * np.sqrt(2.0 / np.pi))
    at = int(np.abs(data.anchors_b - RATIO * data.anchors_b[last]).argmin())
    runs = data.runs[c, :, at]
    halves = [abs(runs[list(two)].mean() - np.delete(runs, two).mean()) for two in combinations(range(5), 2)]
    return float(np.mean(halves) * _OF_FIVE)


def _logit(value: Array) -> Array:
    return np.asarray(np.log((1.0 - value + EPSILON) / (value + EPSILON)))


def _share(z: float) -> float:
    t = float(np.exp(z))
    return float(np.clip(1.0 - (t * (1.0 + EPSILON) - EPSILON) / (1.0 + t), 0.0, 1.0))


def main() -> None:
    """Learn what is missing, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lcdb", type=Path, required=True, help="lcdb_dev.npz")
    parser.add_argument("--work", type=Path, default=Path("calibration-data/floor"), help="keeps what is learned")
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES), help="of the development datasets")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--study-draws", type=int, default=4, help="tasks cut from each study, as learn_second --draws")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Noted(options.lcdb)
    every = scored(data)
    learn_all(options)
    values, counts = measured(options, every)
    answers: dict[str, Any] = {"shares": sorted(options.shares), "curves": {}}
    for name, chosen in every.sets():
        ratio, spread, bias = curve_of(values, every, chosen)
        n = counts[:, 0 if name.startswith("LCDB") else 1]
        answers["curves"][name] = {
            "tasks": int(chosen.sum()),
            "datasets": len(np.unique(every.group[chosen])),
            "learned_from": np.round(n).tolist(),
            "ratio": ratio.tolist(),
            "spread": spread.tolist(),
            "bias": bias.tolist(),
        } | projected(n, ratio, spread, WANTED.get(name))
    answers["least"] = least(data, every, values[:, -1])
    if options.json:
        print(json.dumps(answers))
        return
    for name, told in answers["curves"].items():
        ratio = np.array(told["ratio"])
        print(f"{name}: {told['tasks']} tasks of {told['datasets']} datasets")
        print(f"  learned from  {'  '.join(f'{n:6.0f}' for n in told['learned_from'])}")
        print(f"  of the law's  {'  '.join(f'{r:6.3f}' for r in ratio.mean(axis=0))}")
        print(f"  over draws    {'  '.join(f'{r:6.3f}' for r in ratio.std(axis=0, ddof=1))}")
        print(f"  over datasets {'  '.join(f'{r:6.3f}' for r in told['spread'])}")
        print(f"  mean error    {'  '.join(f'{b:6.3f}' for b in np.mean(told['bias'], axis=0))}")
        ahead = [
            f"{x}x {a['value']:.3f} [{a['interval'][0]:.3f}, {a['interval'][1]:.3f}]" for x, a in told["ahead"].items()
        ]
        print(f"  {'   '.join(ahead)}")
        if "wanted" in told:
            print(f"  {told['wanted']}")
    for name, of in answers["least"].items():
        print(f"{name}: " + ", ".join(f"{what} {v:.3f}" for what, v in of.items()))


if __name__ == "__main__":
    main()
