"""The next cells are those by which a projection gains most for their cost, and the same for the same measurements."""

from dataclasses import replace

import numpy as np
import pytest

from sufficiency.method.costs import allowed, step_costs
from sufficiency.method.design import STAGE_SHARE, Grid, next_stage
from sufficiency.method.measurements import Series
from sufficiency.schemas.stopping import Budget

STEPS = [20, 40, 80, 160, 320, 640, 1280]


def grid(runs: int = 5) -> Grid:
    return Grid(STEPS, runs, [float(n) for n in STEPS])


def measured(taken: set[tuple[int, int]], scatter: float = 0.01, runs: int = 5) -> Series:
    n = np.array(STEPS, dtype=np.float64)
    noise = np.random.default_rng(7).normal(0.0, 1.0, (runs, len(n))) * scatter
    values = np.full((runs, len(n)), np.nan)
    for run, step in taken:
        values[run, step] = 0.95 - 1.2 * n[step] ** -0.5 + noise[run, step]
    return Series("Accuracy", None, n, values, "maximize", (0.0, 1.0))


FIRST = {(0, step) for step in range(len(STEPS))}


def test_the_first_stage_is_a_run() -> None:
    assert {(cell.run, cell.step) for cell in grid().first()} == FIRST


def test_stages_go_on_to_the_whole_grid_each_cell_once() -> None:
    taken, sizes = set(FIRST), []
    while cells := next_stage(grid(), measured(taken), taken, 4.0 * STEPS[-1]):
        chosen = [(cell.run, cell.step) for cell in cells]
        assert len(set(chosen)) == len(chosen)
        assert not taken & set(chosen)
        sizes.append(sum(cell.n for cell in cells))
        taken |= set(chosen)
    assert taken == {(run, step) for run in range(5) for step in range(len(STEPS))}
    assert all(size >= STAGE_SHARE * sum(STEPS) for size in sizes[:-1])


def test_the_same_measurements_give_the_same_stage() -> None:
    stages = [next_stage(grid(), measured(FIRST), set(FIRST), 5120.0) for _ in range(2)]
    assert stages[0] == stages[1]


def test_a_step_that_gains_nothing_more_is_left_for_one_that_does() -> None:
    """A projection far ahead leans on the large steps: where all cost the same, none of the smallest goes first."""
    flat = Grid(STEPS, 5, [1.0] * len(STEPS))
    cells = next_stage(flat, measured(FIRST, scatter=0.03), set(FIRST), 4.0 * STEPS[-1])
    assert np.mean([cell.n for cell in cells]) > np.mean(STEPS[:4])


def test_a_budget_is_not_passed() -> None:
    cells = next_stage(grid(), measured(FIRST), set(FIRST), 5120.0, budget=300.0)
    assert 0 < sum(cell.n for cell in cells) <= 300
    assert next_stage(grid(), measured(FIRST), set(FIRST), 5120.0, budget=10.0) == []


def test_without_a_curve_the_cheapest_come_first() -> None:
    none = replace(measured(FIRST), values=np.full((5, len(STEPS)), np.nan))
    cells = next_stage(grid(), none, set(FIRST), 5120.0)
    assert [(cell.run, cell.step) for cell in cells[:5]] == [(1, 0), (2, 0), (3, 0), (4, 0), (1, 1)]


@pytest.mark.parametrize(
    ("params", "costs", "unit"),
    [
        ({"batch_size": 10, "epochs": 3}, [6.0, 30.0], "sgd_steps"),
        ({"batch_size": 10, "epochs": 3, "min_steps": 20}, [20.0, 30.0], "sgd_steps"),
        ({"epochs": 3}, [15.0, 100.0], "training_items"),
        ({"batch_size": "auto", "epochs": 3}, [15.0, 100.0], "training_items"),
    ],
    ids=["epochs", "least steps", "no batches", "no number"],
)
def test_costs_are_the_same_on_every_machine(params: dict[str, object], costs: list[float], unit: str) -> None:
    assert step_costs(params, [15, 100]) == (costs, unit)


def test_a_budget_pays_for_one_unit() -> None:
    assert allowed(Budget(sgd_steps=500), "sgd_steps") == 500
    assert allowed(Budget(sgd_steps=500), "training_items") is None
    assert allowed(Budget(money=2.0, price=0.5), "sgd_steps") == 4000
