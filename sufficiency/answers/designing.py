"""What an adaptive study measures next, and why it stops: the same whoever asks, by what is measured alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sufficiency.answers.stopping import asked_about, size_asked, standing
from sufficiency.answers.study import Study, of_one_learner
from sufficiency.method.costs import allowed, step_costs
from sufficiency.method.curve import HORIZON, LEAST_STEPS
from sufficiency.method.design import Grid, next_stage
from sufficiency.method.measurements import Series, bounds_text
from sufficiency.method.plan import CellPlan
from sufficiency.schemas.spec import JobSpec, MetricSpec
from sufficiency.schemas.stopping import DesignView
from sufficiency.schemas.text import count, number
from sufficiency.schemas.words import CostUnit, StopReason


@dataclass(frozen=True)
class Stage:
    """What is to be measured next.

    Attributes
    ----------
    cells : sequence of CellPlan
        None where the study stops.
    design : DesignView
        How far it has gone with them.
    """

    cells: Sequence[CellPlan]
    design: DesignView


def grid_of(spec: JobSpec, steps: Sequence[int]) -> tuple[Grid, CostUnit]:
    """Return all cells that a study may measure, and what their costs are counted in."""
    costs, unit = step_costs(spec.training.params, steps)
    return Grid(list(steps), spec.runs, costs), unit


def first_stage(spec: JobSpec, steps: Sequence[int]) -> Stage:
    """Return the first stage of a study whose steps are known: a run."""
    grid, unit = grid_of(spec, steps)
    return _stage(grid, unit, grid.first(), 0.0, 0, "the first run, by which the rest is chosen")


def next_stage_of(
    study: Study,
    series: Sequence[Series],
    spec: JobSpec,
    taken: Collection[tuple[int, int]],
    stages: int,
    *,
    free: Collection[tuple[int, int]] = (),
) -> Stage:
    """Return what a study measures next, having measured all that it was to.

    Parameters
    ----------
    study : Study
    series : sequence of Series
        All that it has measured.
    spec : JobSpec
    taken : collection of (run, step)
        The cells that have ended, measured or not.
    stages : int
        How many have been planned.
    free : collection of (run, step)
        Those of them that another study had measured, and that cost this one nothing.
    """
    steps = study.steps
    grid, unit = grid_of(spec, steps)
    there = set(taken)
    spent = grid.cost_of(sorted(there - set(free)))
    most = allowed(spec.budget, unit) if spec.budget is not None else None
    left = float("inf") if most is None else most - spent
    lacking = [cell for cell in grid.first() if (cell.run, cell.step) not in there]
    if lacking and grid.cost_of([(cell.run, cell.step) for cell in lacking]) <= left:
        return _stage(grid, unit, lacking, spent, stages, "the first run, by which the rest is chosen")
    metric = (spec.stop_when.metric if spec.stop_when is not None else None) or spec.primary
    chosen = asked_about(series, metric)
    detail = "no question was asked"
    if spec.stop_when is not None:
        stands = standing(study, chosen, spec.stop_when)
        detail = stands.detail
        if stands.decided:
            return _stopped(grid, unit, spent, stages, "decided", detail)
    if len(there) >= len(steps) * grid.runs:
        return _stopped(grid, unit, spent, stages, "grid", detail)
    if chosen is None:
        # Nothing tells what is worth more: the safe way is the whole grid.
        rest = [CellPlan(run, k, n) for run in range(grid.runs) for k, n in enumerate(steps) if (run, k) not in there]
        cells = _paid(grid, rest, left)
    else:
        at = float(size_asked(spec.stop_when, steps))
        cells = next_stage(grid, of_one_learner(study, chosen), there, at, budget=left)
    if not cells:
        return _stopped(grid, unit, spent, stages, "budget", detail)
    return _stage(grid, unit, cells, spent, stages, detail)


def faults_of(
    spec: JobSpec, steps: Sequence[int] | None, metrics: Mapping[str, MetricSpec]
) -> list[tuple[tuple[str, ...], str]]:
    """Return what is wrong with a question, a budget and a plan, each with the path of its field.

    Parameters
    ----------
    spec : JobSpec
    steps : sequence of int or None
        None while a schedule plugin is to name them: what depends on them is looked at then.
    metrics : mapping
        That the evaluation declares, and the job.
    """
    found: list[tuple[tuple[str, ...], str]] = []
    if spec.plan == "grid" and (spec.stop_when is not None or spec.budget is not None):
        named = "stop_when" if spec.stop_when is not None else "budget"
        return [(("plan",), f"plan grid measures every cell and {named} would stop before that: leave out one of them")]
    if not spec.is_adaptive:
        return []
    if spec.protocol == "dataeval":
        detail = "with protocol dataeval a run is one sequence, of which no cell can be chosen: take plan grid"
        found.append((("protocol",), detail))
    found += _faults_of_question(spec, steps, metrics)
    if steps is not None and spec.budget is not None:
        found += _faults_of_budget(spec, steps)
    return found


def _faults_of_question(
    spec: JobSpec, steps: Sequence[int] | None, metrics: Mapping[str, MetricSpec]
) -> list[tuple[tuple[str, ...], str]]:
    stop = spec.stop_when
    if stop is None:
        return []
    found: list[tuple[tuple[str, ...], str]] = []
    if stop.metric is not None and metrics and stop.metric not in metrics:
        there = ", ".join(sorted(metrics))
        found.append((("stop_when", "metric"), f"the evaluation measures no {stop.metric!r}; it measures {there}"))
    if steps is not None and len(set(steps)) < LEAST_STEPS:
        detail = f"a curve needs at least {LEAST_STEPS} steps, and there are {len(set(steps))}: it can never be met"
        found.append((("stop_when",), detail))
    if steps is not None and stop.n is not None and stop.n > HORIZON * max(steps):
        detail = f"{count(stop.n)} is more than {HORIZON} times the largest step, which is as far as answers go"
        found.append((("stop_when", "n"), detail))
    read = metrics.get(stop.metric or spec.primary or "Accuracy")
    low, high = read.bounds if read is not None else (None, None)
    if read is not None and stop.target is not None:
        below = low is not None and stop.target < low
        if below or (high is not None and stop.target > high):
            detail = f"{number(stop.target)} is outside what the metric can take, {bounds_text(read.bounds)}"
            found.append((("stop_when", "target"), detail))
    if low is not None and high is not None and stop.width is not None and stop.width >= high - low:
        detail = f"every interval is narrower than {number(high - low)}: it is met before anything is measured"
        found.append((("stop_when", "width"), detail))
    return found


def _faults_of_budget(spec: JobSpec, steps: Sequence[int]) -> list[tuple[tuple[str, ...], str]]:
    assert spec.budget is not None, "asked for one"
    grid, unit = grid_of(spec, steps)
    most = allowed(spec.budget, unit)
    if most is None:
        what = (
            "the training has batch_size and epochs, and costs are counted in SGD steps: name sgd_steps"
            if unit == "sgd_steps"
            else "nothing tells the SGD steps of this training, and costs are counted in items: name training_items"
        )
        return [(("budget",), what)]
    if most < grid.run_cost:
        detail = (
            f"it pays for {count(int(most))} {_named(unit)}, and the first stage, a run, takes "
            f"{count(int(grid.run_cost))}: raise it, or take fewer or smaller steps"
        )
        return [(("budget",), detail)]
    return []


def _paid(grid: Grid, cells: Sequence[CellPlan], left: float) -> list[CellPlan]:
    """Return as many of some cells, in their order, as can be paid for."""
    chosen: list[CellPlan] = []
    for cell in cells:
        if grid.costs[cell.step] <= left:
            chosen.append(cell)
            left -= grid.costs[cell.step]
    return chosen


def _stage(grid: Grid, unit: CostUnit, cells: Sequence[CellPlan], spent: float, stages: int, detail: str) -> Stage:
    cost = spent + grid.cost_of([(cell.run, cell.step) for cell in cells])
    return Stage(cells, _design(grid, unit, cost, stages + 1, None, detail))


def _stopped(grid: Grid, unit: CostUnit, spent: float, stages: int, why: StopReason, detail: str) -> Stage:
    return Stage([], _design(grid, unit, spent, stages, why, detail))


def _design(grid: Grid, unit: CostUnit, spent: float, stages: int, why: StopReason | None, detail: str) -> DesignView:
    saved = max(0.0, 1.0 - spent / grid.cost) if grid.cost else 0.0
    return DesignView(
        stages=stages, unit=unit, spent=spent, grid=grid.cost, stopped=why, saved=saved, detail=_sentence(detail)
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if not text.endswith(".") else text


def _named(unit: CostUnit) -> str:
    return "SGD steps" if unit == "sgd_steps" else "training items"
