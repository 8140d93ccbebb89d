"""Score projections: on the studies kept apart (--apart) or the others, and on LCDB's development part (--lcdb).

Against two peers in the same run: DataEval's objective at its exact optimum (`power_law`), and, with --prototype DIR,
the prototype of the method. Prints the mean absolute error, the mean error, how often intervals hold the truth, whether
the interval of n holds the true n, and the Brier score of the probability that a target is met within 8 times n_obs.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.calibration.tasks import Lcdb, Studies, Task
from sufficiency.method.calibrated import CalibratedFit, fit_calibrated
from sufficiency.method.power_law import fit_power_law
from sufficiency.method.projection import inv_project

HERE = Path(__file__).resolve().parent
LEVELS = (0.5, 0.8, 0.95)
RATIOS = (2, 4, 8)
# Targets, as the share of what is left to the best that they would take away; most within 8 times n_obs or never.
SHARES = (0.05, 0.1, 0.2, 0.4, 0.6)
LEAST_RANGE = 0.02

Array = NDArray[np.float64]


def score(tasks: Iterable[Task], title: str, prototype: Callable[..., tuple[Array, ...]] | None) -> None:
    """Print the scores of the tasks together."""
    errors: dict[str, list[Array]] = {"calibrated": [], "power_law": [], "prototype": []}
    signed, inside, widths, seconds = [], [], [], []
    held: list[bool] = []
    forecasts: list[tuple[float, bool, float]] = []
    weights = []
    for task in tasks:
        series = task.series
        truth = np.interp(np.log2(RATIOS), task.ahead, task.truth)
        every = np.concatenate([series.mean(), task.truth])
        if np.ptp(every) < LEAST_RANGE:
            continue
        n = series.n[-1] * np.array(RATIOS)
        began = time.perf_counter()
        fit = fit_calibrated(series)
        value = fit.value(n)
        ends = [(fit.quantile(n, 0.5 - level / 2), fit.quantile(n, 0.5 + level / 2)) for level in LEVELS]
        inv_project(series, fit, float(value[1]))
        seconds.append(time.perf_counter() - began)
        weights.append(task.weight)
        errors["calibrated"].append(np.abs(value - truth))
        errors["power_law"].append(np.abs(np.clip(fit_power_law(series).value(n), *_clip(series.bounds)) - truth))
        if prototype is not None and series.bounds == (0.0, 1.0):
            errors["prototype"].append(np.abs(prototype(series.n, series.values, n)[0] - truth))
        signed.append(value - truth)
        inside.append([(low - 1e-9 <= truth) & (truth <= high + 1e-9) for low, high in ends])
        widths.append(ends[-1][1] - ends[-1][0])
        _targets(task, fit, held, forecasts)
    w = np.array(weights) / np.sum(weights)
    print(f"{title}: {len(w)} tasks, fit + 3 sizes + 3 intervals + inverse {np.median(seconds) * 1e3:.2f} ms (median)")
    for k, ratio in enumerate(RATIOS):
        mae = {name: float(w @ np.array(e)[:, k]) for name, e in errors.items() if len(e) == len(w)}
        ratios = "  ".join(f"{mae['calibrated'] / mae[name]:.3f} of {name}'s" for name in mae if name != "calibrated")
        cover = "/".join(f"{w @ np.array(inside)[:, j, k]:.3f}" for j in range(len(LEVELS)))
        print(
            f"   {ratio}x  MAE {mae['calibrated']:.4f} ({ratios})  bias {w @ np.array(signed)[:, k]:+.4f}  "
            f"holds at 50/80/95 % {cover}  width {w @ np.array(widths)[:, k]:.3f}"
        )
    p, met, importance = (np.array(column, dtype=np.float64) for column in zip(*forecasts, strict=True))
    importance /= importance.sum()
    rate = float(importance @ met)
    brier, constant = float(importance @ (p - met) ** 2), rate * (1 - rate)
    print(
        f"   n of targets met: inside the 95 % interval {np.mean(held):.3f} of {len(held)};  probability of meeting "
        f"within 8x: Brier {brier:.4f}, constant rate {constant:.4f}: {1 - brier / constant:.0%} better",
        flush=True,
    )


def _clip(bounds: tuple[float | None, float | None]) -> tuple[float, float]:
    low, high = bounds
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def _targets(task: Task, fit: CalibratedFit, held: list[bool], forecasts: list[tuple[float, bool, float]]) -> None:
    series = task.series
    sign = 1.0 if series.direction == "maximize" else -1.0
    last = float(series.mean()[-1])
    best = series.bounds[1] if series.direction == "maximize" else series.bounds[0]
    left = abs((best if best is not None else last + sign * float(np.ptp(series.mean()))) - last)
    within = task.ahead <= 3.05
    x, truth = np.concatenate([[0.0], task.ahead[within]]), np.concatenate([[last], task.truth[within]])
    for share in SHARES:
        target = last + sign * share * left
        if sign * (target - sign * np.max(sign * series.mean())) <= 0:
            continue
        probability = inv_project(series, fit, target, horizon=8.0).probability
        assert probability is not None
        hit = np.flatnonzero(sign * (truth - target) >= 0)
        forecasts.append((probability, bool(hit.size), task.weight))
        if hit.size:
            k = int(hit[0])
            part = (target - truth[k - 1]) / (truth[k] - truth[k - 1])
            true_n = fit.n_max * 2.0 ** (x[k - 1] + part * (x[k] - x[k - 1]))
            answer = inv_project(series, fit, target)
            low = answer.lower if answer.lower is not None else np.inf
            high = answer.upper if answer.upper is not None else np.inf
            held.append(bool(low - 1 <= true_n <= high + 1))


def main() -> None:
    """Score what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=HERE / "studies.npz")
    parser.add_argument("--apart", action="store_true", help="the studies kept apart, not those that were learned from")
    parser.add_argument("--lcdb", type=Path, help="lcdb_dev.npz: score this instead of the studies")
    parser.add_argument("--prototype", type=Path, help="folder with prototype.py")
    parser.add_argument("--cap", type=int, default=400, help="of LCDB, so many tasks of each kind")
    options = parser.parse_args()
    prototype = None
    if options.prototype:
        sys.path.insert(0, str(options.prototype))
        prototype = importlib.import_module("prototype").predict
    if options.lcdb:
        data = Lcdb(options.lcdb)
        kinds = {"A": list(data.scored_means()), "B5": list(data.scored_several(5)), "B1": list(data.scored_several(1))}
        for name, tasks in kinds.items():
            chosen = np.random.default_rng(0).permutation(len(tasks))[: options.cap]
            score([tasks[i] for i in chosen], f"LCDB {name}", prototype)
        return
    tasks = list(Studies(options.studies, apart=options.apart).tasks(0, scored=True))
    for source in sorted({task.source for task in tasks}):
        score([task for task in tasks if task.source == source], source, prototype)
    bounded = [task for task in tasks if task.series.bounds == (0.0, 1.0)]
    score(bounded, "accuracy, AUROC and recall together", prototype)


if __name__ == "__main__":
    main()
