"""Score projections: on the studies kept apart (--apart) or the others, and on LCDB's development part (--lcdb).

By metric and kind: the mean absolute error and what part of the power law's it is, the mean error (+ is a value too
large), how often 50, 80 and 95 % intervals hold the truth, the Winkler score and the CRPS, with the 90 % interval of a
bootstrap over datasets. With --anchors against published extrapolators too, with --against REV against the method as it
was at a revision. With --folds by networks that had not seen a curve's dataset, as ``learn_second.py --folds`` keeps
them.
"""

import argparse
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from bench.calibration.anchors import ANCHORS
from bench.calibration.tasks import Lcdb, Studies, Task
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.calibration import Calibration, calibration
from sufficiency.method.projection import inv_project
from sufficiency.schemas.words import Of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEVELS = (0.5, 0.8, 0.95)
RATIOS = (2, 4, 8)
LEAST_RANGE = 0.02
# Of the distribution, for the CRPS.
_GRID = (np.arange(19) + 0.5) / 19
_RESAMPLES = 400

Array = NDArray[np.float64]

# Run by the revision's own code on tasks that this one has cut: what a `Series` takes has grown since.
_THERE = """
import pickle, sys
import numpy as np
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.measurements import Series
found = []
for args, n, qs in pickle.load(sys.stdin.buffer):
    fit = fit_calibrated(Series(*args))
    found.append((fit.value(n), np.stack([fit.quantile(n, q) for q in qs])))
pickle.dump(found, sys.stdout.buffer)
"""


@dataclass(frozen=True)
class Predicted:
    """What was said of each task at `RATIOS`: the median, shape (T, 3), and quantiles, shape (T, Q, 3)."""

    value: Array
    quantiles: Array


QUANTILES = [*(0.5 - level / 2 for level in LEVELS), *(0.5 + level / 2 for level in LEVELS), *_GRID]


def by_folds(folder: Path) -> dict[str, Calibration]:
    """Return what was learned without each dataset."""
    found: dict[str, Calibration] = {}
    for file in sorted(folder.glob("fold_*.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            found |= dict.fromkeys(arrays["groups"].tolist(), Calibration.of(arrays))
    return found


def here(tasks: Sequence[Task], of: Of = "mean", folds: dict[str, Calibration] | None = None) -> Predicted:
    """Return what the method as it is now says, or with what was learned without a task's dataset; print the time."""
    values, quantiles, seconds = [], [], []
    for task in tasks:
        n = task.series.n[-1] * np.array(RATIOS)
        learned = folds[task.group] if folds else calibration()
        began = time.perf_counter()
        with patch("sufficiency.method.calibrated.calibration", lambda learned=learned: learned):
            fit = fit_calibrated(task.series)
        value = fit.value(n)
        ends = [fit.quantile(n, q, of=of) for q in QUANTILES[: 2 * len(LEVELS)]]
        inv_project(task.series, fit, float(value[1]))
        seconds.append(time.perf_counter() - began)
        values.append(value)
        quantiles.append([*ends, *(fit.quantile(n, float(q), of=of) for q in _GRID)])
    print(f"fit + 3 sizes + 3 intervals + inverse {np.median(seconds) * 1e3:.2f} ms (median of {len(tasks)})")
    return Predicted(np.array(values), np.array(quantiles))


def at_revision(tasks: Sequence[Task], revision: str) -> Predicted:
    """Return what the method says as it was at a revision of this repository."""
    archive = subprocess.run(["git", "archive", revision, "sufficiency"], cwd=ROOT, check=True, capture_output=True)
    asked = []
    for task in tasks:
        one = task.series
        given = (one.metric, one.class_index, one.n, one.values, one.direction, one.bounds)
        asked.append((given, one.n[-1] * np.array(RATIOS), [float(q) for q in QUANTILES]))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        told = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n{_THERE}"],
            input=pickle.dumps(asked),
            check=True,
            stdout=subprocess.PIPE,
            cwd=folder,
        )
    found = pickle.loads(told.stdout)
    return Predicted(np.array([value for value, _ in found]), np.array([q for _, q in found]))


def winkler(low: Array, high: Array, truth: Array, level: float) -> Array:
    """Return the width of intervals, and 2/(1 − level) times by how much they miss."""
    missed = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - level) * missed)


def crps(quantiles: Array, truth: Array) -> Array:
    """Return the continuous ranked probability score of quantiles at `_GRID`, shape (T, 19): twice their mean loss."""
    below = truth[:, None] - quantiles
    return np.asarray(2.0 * np.maximum(_GRID * below, (_GRID - 1.0) * below).mean(axis=1))


def report(title: str, tasks: Sequence[Task], said: dict[str, Predicted], points: dict[str, Array]) -> None:
    """Print the scores of some tasks, at each of the distances."""
    weight = np.array([task.weight for task in tasks])
    groups, group = np.unique([task.group for task in tasks], return_inverse=True)
    rng = np.random.default_rng(0)
    # Datasets are drawn, with all their tasks: those of one are alike.
    drawn = np.stack(
        [np.bincount(rng.integers(0, len(groups), len(groups)), minlength=len(groups)) for _ in range(_RESAMPLES)]
    )
    every = np.concatenate([np.ones((1, len(groups))), drawn])[:, group] * weight
    every /= np.maximum(every.sum(axis=1, keepdims=True), 1e-300)

    def spread(values: Array, over: Array | None = None) -> str:
        means = every @ values if over is None else (every @ values) / (every @ over)
        low, high = np.quantile(means[1:], [0.05, 0.95])
        return f"{means[0]:.4g} [{low:.3g}, {high:.3g}]"

    print(f"{title}: {len(tasks)} tasks of {len(groups)} datasets")
    for k, ratio in enumerate(RATIOS):
        truth = np.array([np.interp(np.log2(ratio), task.ahead, task.truth) for task in tasks])
        law = np.abs(points["power law"][:, k] - truth)
        for name, one in said.items():
            error = one.value[:, k] - truth
            count = len(LEVELS)
            low, high = one.quantiles[:, :count, k], one.quantiles[:, count : 2 * count, k]
            held = [every[0] @ ((low[:, j] - 1e-9 <= truth) & (truth <= high[:, j] + 1e-9)) for j in range(count)]
            ends = [spread(((low[:, j] - 1e-9 <= truth) & (truth <= high[:, j] + 1e-9)).astype(float)) for j in (0, 2)]
            print(
                f"  {ratio}x {name:10s} MAE {spread(np.abs(error))}, of the power law's {spread(np.abs(error), law)}; "
                f"bias {spread(error)}; holds {'/'.join(f'{share:.2f}' for share in held)}, at 50 % {ends[0]}, at 95 % "
                f"{ends[1]}; Winkler {spread(winkler(low[:, -1], high[:, -1], truth, LEVELS[-1]))}; CRPS "
                f"{spread(crps(one.quantiles[:, 2 * count :, k], truth))}"
            )
        told = "  ".join(f"{name} {every[0] @ np.abs(p[:, k] - truth):.4g}" for name, p in points.items())
        print(f"  {ratio}x MAE of the anchors: {told}", flush=True)


def score(
    tasks: Sequence[Task],
    revision: str | None,
    *,
    anchors: bool,
    of: Of = "mean",
    folds: dict[str, Calibration] | None = None,
) -> None:
    """Print the scores of all tasks by their source."""
    tasks = [task for task in tasks if np.ptp([*task.series.mean(), *task.truth]) >= LEAST_RANGE]
    said = {"now": here(tasks, of, folds)} | ({revision: at_revision(tasks, revision)} if revision else {})
    points = {}
    for name, anchor in ANCHORS.items():
        if name == "power law" or anchors:
            bounded = [(_edges(task), anchor(task.series, task.series.n[-1] * np.array(RATIOS))) for task in tasks]
            points[name] = np.array([np.clip(value, *edges) for edges, value in bounded])
    sources = np.array([task.source for task in tasks])
    metrics = np.array([source.rpartition("/")[2] for source in sources])
    sets = [(source, sources == source) for source in np.unique(sources)]
    sets += [(f"all {metric}", metrics == metric) for metric in np.unique(metrics) if "/" in "".join(sources)]
    for title, chosen in sets:
        k = np.flatnonzero(chosen)
        parts = {name: Predicted(p.value[k], p.quantiles[k]) for name, p in said.items()}
        report(title, [tasks[i] for i in k], parts, {name: p[k] for name, p in points.items()})


def _edges(task: Task) -> tuple[float, float]:
    low, high = task.series.bounds
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def main() -> None:
    """Score what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, nargs="+", default=[HERE / "studies.npz", HERE / "quick_studies.npz"])
    parser.add_argument("--apart", action="store_true", help="the studies kept apart, not those that were learned from")
    parser.add_argument("--population", action="store_true", help="accuracies on tiny test splits, for all other data")
    parser.add_argument("--lcdb", type=Path, help="lcdb_dev.npz: score this instead of the studies")
    parser.add_argument("--cap", type=int, default=400, help="of LCDB, so many tasks of each kind")
    parser.add_argument("--against", metavar="REV", help="a revision of this repository, to score beside")
    parser.add_argument("--anchors", action="store_true", help="score pow4, mmf4 and a Gaussian process too")
    parser.add_argument("--folds", type=Path, help="what learn_second.py --folds kept: score by what had not seen them")
    options = parser.parse_args()
    if options.lcdb:
        data = Lcdb(options.lcdb)
        kinds = (list(data.scored_means()), list(data.scored_several(5)), list(data.scored_several(1)))
        tasks = [kind[i] for kind in kinds for i in np.random.default_rng(0).permutation(len(kind))[: options.cap]]
    else:
        studies = Studies(options.studies, apart=options.apart)
        tasks = list(studies.population_tasks() if options.population else studies.tasks(0, scored=True))
    folds = by_folds(options.folds) if options.folds else None
    of: Of = "population" if options.population else "mean"
    score(tasks, options.against, anchors=options.anchors, of=of, folds=folds)


if __name__ == "__main__":
    main()
