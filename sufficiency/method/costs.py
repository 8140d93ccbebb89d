"""What a cell costs, in units that are the same on every machine: SGD steps, or training items."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sufficiency.schemas.stopping import Budget
from sufficiency.schemas.words import CostUnit


def step_costs(params: Mapping[str, Any], steps: Sequence[int]) -> tuple[list[float], CostUnit]:
    """Return what one cell of each step costs: SGD steps where the training's parameters tell them, else its items.

    Parameters
    ----------
    params : mapping
        Of the training strategy.
    steps : sequence of int
        Sizes by step number.
    """
    batch, epochs = params.get("batch_size"), params.get("epochs")
    if type(batch) is not int or type(epochs) is not int or batch < 1 or epochs < 1:
        return [float(n) for n in steps], "training_items"
    least = params.get("min_steps")
    least = least if type(least) is int and least > 0 else 0
    batches = [math.ceil(n / batch) for n in steps]
    return [float(count * max(epochs, math.ceil(least / count))) for count in batches], "sgd_steps"


def allowed(budget: Budget, unit: CostUnit) -> float | None:
    """Return what a budget pays for, in the unit that costs are counted in; None where it is in another."""
    if budget.money is not None and budget.price is not None:
        return 1000.0 * budget.money / budget.price
    wanted = budget.sgd_steps if unit == "sgd_steps" else budget.training_items
    return None if wanted is None else float(wanted)
