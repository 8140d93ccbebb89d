"""What an adaptive study's cells are worth: its error for a share of the grid's cost, and what its question costs.

``python -m bench.allocation [--lcdb lcdb_dev.npz] [--cap 200] [--json]``. Nothing is trained: the cells are those of
measured studies that the method has not learned from (`bench.calibration`, kept apart), and of LCDB's development part
with five runs a curve. Three figures for each:

- the mean absolute error at four times the largest step, for shares of the grid's cost, over the full grid's;
  beside it whole runs, which is what cutting a grid down by hand gives;
- how often the 95 % interval there holds the truth, at each share and when a question stopped a study;
- what share of the grid a decided question has cost.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from bench.calibration.tasks import Lcdb, Studies, Task
from sufficiency.answers.designing import first_stage, next_stage_of
from sufficiency.answers.study import Study
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.measurements import Series
from sufficiency.schemas.spec import JobSpec, MetricSpec
from sufficiency.schemas.stopping import DesignView

HERE = Path(__file__).resolve().parent
RUNS, FAR = 5, 4
SHARES = (0.25, 0.4, 0.6, 0.8)
WIDTHS = (0.15, 0.1, 0.05)
# Targets, as the share of what is left to the best that they would take away.
TARGETS = (0.1, 0.3, 0.6)
LEAST_RANGE = 0.02
Cell = tuple[int, int]


@dataclass(frozen=True)
class Ended:
    """A study that has stopped.

    Attributes
    ----------
    error : float
        At four times the largest step.
    held : bool
        The 95 % interval there holds the truth.
    cost : float
        As a share of the grid's.
    why : str
    right : bool or None
        Of a target: whether it was decided as it is.
    """

    error: float
    held: bool
    cost: float
    why: str = ""
    right: bool | None = None


def measured(task: Task, taken: Iterable[Cell]) -> Series:
    """Return a task's series with some of its cells."""
    values = np.full_like(task.series.values, np.nan)
    for run, step in taken:
        values[run, step] = task.series.values[run, step]
    return replace(task.series, values=values)


def ended(task: Task, taken: set[Cell], why: str = "", right: bool | None = None) -> Ended:
    """Return how far the projection of some cells is off."""
    series = measured(task, taken)
    at = FAR * series.n[-1]
    truth = true_value(task)
    fit = fit_calibrated(series)
    low, high = float(fit.quantile(at, 0.025)), float(fit.quantile(at, 0.975))
    cost = sum(series.n[step] for _, step in taken) / (RUNS * series.n.sum())
    return Ended(abs(float(fit.value(at)) - truth), low - 1e-9 <= truth <= high + 1e-9, float(cost), why, right)


def true_value(task: Task) -> float:
    """Return what a task's curve is at four times its largest step."""
    return float(np.interp(np.log2(FAR), task.ahead, task.truth))


def adaptive(task: Task, **asked: Any) -> tuple[set[Cell], DesignView]:
    """Return the cells of an adaptive study of a task, and why it stopped."""
    steps = [int(n) for n in task.series.n]
    stand_in = {"name": "measured"}
    spec = JobSpec.model_validate(
        {
            **dict.fromkeys(("model", "training", "evaluation"), stand_in),
            "dataset": task.group[:200],
            "runs": RUNS,
            "plan": "adaptive",
            **asked,
        }
    )
    read = MetricSpec(direction=task.series.direction, bounds=task.series.bounds)
    study = Study(
        id=UUID(int=0),
        state="running",
        model="",
        dataset="",
        cells_done=0,
        cells_total=0,
        metrics={task.series.metric: read},
        steps=steps,
    )
    stage, taken = first_stage(spec, steps), set[Cell]()
    while stage.cells:
        taken |= {(cell.run, cell.step) for cell in stage.cells}
        seen = replace(measured(task, taken), class_index=None)
        stage = next_stage_of(study, [seen], spec, taken, stage.design.stages)
    return taken, stage.design


def frontier(tasks: list[Task]) -> dict[str, Any]:
    """Return the errors for shares of the cost, relative to the full grid's, and the coverage."""
    grid = [(run, step) for run in range(RUNS) for step in range(100)]
    ways: dict[str, list[Ended]] = {}
    for task in tasks:
        size = len(task.series.n)
        for runs in range(1, RUNS + 1):
            chosen = {(run, step) for run, step in grid if run < runs and step < size}
            ways.setdefault(f"{runs} whole runs", []).append(ended(task, chosen))
        for share in SHARES:
            budget = max(int(share * RUNS * task.series.n.sum()), int(task.series.n.sum()))
            taken, _ = adaptive(task, budget={"training_items": budget})
            ways.setdefault(f"adaptive, {share:.0%}", []).append(ended(task, taken))
    weights = _weights(tasks)
    whole = weights @ [one.error for one in ways[f"{RUNS} whole runs"]]
    return {
        way: {
            "error": float(weights @ [one.error for one in found] / whole),
            "coverage": float(weights @ [one.held for one in found]),
            "cost": float(weights @ [one.cost for one in found]),
        }
        for way, found in ways.items()
    }


def questions(tasks: list[Task]) -> dict[str, Any]:
    """Return of each question how many studies it stopped, at what cost, and how right it was then."""
    found: dict[str, list[tuple[float, Ended]]] = {}
    for task, weight in zip(tasks, _weights(tasks), strict=True):
        series, truth = task.series, true_value(task)
        for width in WIDTHS:
            taken, design = adaptive(task, stop_when={"metric": series.metric, "width": width})
            found.setdefault(f"width {width:g}", []).append((weight, ended(task, taken, str(design.stopped))))
        sign = 1.0 if series.direction == "maximize" else -1.0
        last = float(series.mean()[-1])
        best = 1.0 if sign > 0 else 0.0
        for share in TARGETS:
            target = last + share * (best - last)
            taken, design = adaptive(task, stop_when={"metric": series.metric, "target": target})
            met = bool(sign * (truth - target) >= 0)
            thought = fit_calibrated(measured(task, taken)).probability_of_meeting(FAR * series.n[-1], target) > 0.5
            found.setdefault(f"target {share:.0%} of the rest", []).append(
                (weight, ended(task, taken, str(design.stopped), met == thought))
            )
    return {name: _summary(one) for name, one in found.items()}


def _summary(found: list[tuple[float, Ended]]) -> dict[str, Any]:
    stopped = [(weight, one) for weight, one in found if one.why == "decided"]
    if not stopped:
        return {"decided": 0.0}
    total = sum(weight for weight, _ in stopped)
    right = [(weight, one.right) for weight, one in stopped if one.right is not None]
    return {
        "decided": total / sum(weight for weight, _ in found),
        "median_cost": float(np.median([one.cost for _, one in stopped])),
        "coverage": sum(weight * one.held for weight, one in stopped) / total,
        **({"right": sum(weight * yes for weight, yes in right) / total} if right else {}),
    }


def _weights(tasks: list[Task]) -> Any:
    weights = np.array([task.weight for task in tasks])
    return weights / weights.sum()


def _usable(tasks: Iterable[Task], cap: int) -> list[Task]:
    chosen = [
        task
        for task in tasks
        if task.series.values.shape[0] == RUNS
        and task.series.bounds == (0.0, 1.0)
        and task.ahead[-1] >= np.log2(FAR)
        and np.ptp(np.concatenate([task.series.mean(), task.truth])) >= LEAST_RANGE
    ]
    order = np.random.default_rng(0).permutation(len(chosen))[:cap]
    return [chosen[k] for k in sorted(order)]


def main() -> None:
    """Print the frontier and the questions of each kind of task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=HERE / "calibration" / "studies.npz")
    parser.add_argument("--lcdb", type=Path, help="lcdb_dev.npz: LCDB's development part as well")
    parser.add_argument("--cap", type=int, default=200, help="of each kind, so many tasks at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    apart = list(Studies(options.studies, apart=True).tasks(0, scored=True))
    kinds = {
        f"studies kept apart, {metric}": [task for task in apart if task.series.metric == metric]
        for metric in ("Accuracy", "AUROC", "Recall")
    }
    if options.lcdb is not None:
        kinds["LCDB B5"] = list(Lcdb(options.lcdb).scored_several(RUNS))
    answers: dict[str, Any] = {}
    for kind, every in kinds.items():
        tasks = _usable(every, options.cap)
        answers[kind] = {"tasks": len(tasks), "frontier": frontier(tasks), "questions": questions(tasks)}
        if options.json:
            continue
        print(f"{kind}: {len(tasks)} tasks")
        for way, one in answers[kind]["frontier"].items():
            print(f"   {way:>14}: cost {one['cost']:.2f}  error {one['error']:.3f}  95 % holds {one['coverage']:.3f}")
        for name, one in answers[kind]["questions"].items():
            print(f"   {name:>22}: " + "  ".join(f"{what} {value:.3f}" for what, value in one.items()), flush=True)
    if options.json:
        print(json.dumps(answers))


if __name__ == "__main__":
    main()
