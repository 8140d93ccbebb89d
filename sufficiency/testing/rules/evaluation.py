"""What is asked of an evaluation strategy."""

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

from sufficiency.method.assumed import assume
from sufficiency.schemas.spec import MetricSpec
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import seed
from sufficiency.testing.trial import Trial
from sufficiency.training.metrics import InvalidMetrics, Values, normalise

# One more than whole batches of every power of two: whatever a batch weighs, the last one is of another size.
ORDERED = 257
# What sums in another order differ by is far less; an item of 257 that counts otherwise is more.
ALIKE = 1e-4


def _measured(trial: Trial, model: Any, test: Any = None) -> Any:
    seed(4)
    return trial.build().evaluate(model, trial.setting.test if test is None else test)


def _values(trial: Trial, measured: Any) -> Values:
    return normalise(measured, getattr(trial.setting.test, "class_names", ()))


def measures_finite_numbers(trial: Trial) -> None:
    """An untrained model has a finite value of each metric."""
    try:
        values = _values(trial, _measured(trial, trial.setting.fresh_model()))
    except InvalidMetrics as error:
        raise Broken(
            f"{str(error)[:1].upper()}{str(error)[1:]}. Return a mapping from "
            "metric name to one number, or one a class."
        ) from error
    if missing := [name for name, _, value in values if value is None]:
        raise Broken(
            f"{missing[0]} is NaN or infinite for an untrained model: such values are left out of the curve. Guard the "
            "division, or measure what is always defined."
        )


def is_the_same_under_the_same_seed(trial: Trial) -> None:
    """Under the same seed the same model has the same values."""
    model = trial.setting.fresh_model()
    if _values(trial, _measured(trial, model)) != _values(trial, _measured(trial, model)):
        raise Broken(
            "Measured twice under the same seed, the same model has different values: switch it to eval(), and draw "
            "only from the global generators."
        )


def leaves_the_model_alone(trial: Trial) -> None:
    """The model is afterwards what it was."""
    model = trial.setting.fresh_model()
    before = copy.deepcopy(model)
    _measured(trial, model)
    if not trial.setting.same(model, before):
        raise Broken("evaluate() changes the model's weights or statistics: call model.eval(), and no optimiser.")


def is_the_same_in_another_order(trial: Trial) -> None:
    """The values are those of the items, and not of how they come into batches."""
    model = trial.setting.fresh_model()
    test = trial.setting.test
    rows = np.arange(ORDERED) % len(test)
    # By class too: what is settled by the first batch is settled otherwise by one of a single class.
    orders = (rows, np.sort(rows)[::-1], rows[np.argsort(_places(test)[rows], kind="stable")])
    first, *others = (
        {(name, k): value for name, k, value in _values(trial, _measured(trial, model, _chosen(test, order)))}
        for order in orders
    )
    for (name, k), value in first.items():
        for other in (values.get((name, k)) for values in others):
            if not _alike(value, other):
                raise Advice(
                    f"{name} is {_said(value)} of {ORDERED} items, and {_said(other)} of the same in another "
                    "order. A mean of batches' values counts a small last batch as a whole one; what the first "
                    "batch settles follows what is in it. Collect the answers to all items, and measure once; "
                    "docs/plugins.md says what metrics of libraries do by the batch."
                )


def _alike(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return math.isclose(value, other, rel_tol=ALIKE, abs_tol=ALIKE)


def _chosen(test: Any, rows: NDArray[np.int64]) -> Any:
    return test.select(rows) if hasattr(test, "select") else Subset(test, rows.tolist())


def _places(test: Any) -> NDArray[Any]:
    """Return a number of each item by which to sort: its class, where it has one."""
    labels = getattr(test, "y", None)
    if labels is None:
        return np.arange(len(test)) % 2
    labels = np.asarray(labels)
    return labels if labels.ndim == 1 else labels.reshape(len(labels), -1).argmax(axis=1)


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def declares_its_metrics(trial: Trial) -> None:
    """Each metric is declared, and its values are inside of its bounds."""
    declared = dict(getattr(trial.target, "metric_properties", None) or {})
    values = _values(trial, _measured(trial, trial.setting.fresh_model()))
    for name, _, value in values:
        if name not in declared:
            assumed = assume(name, value, value)
            told = assumed.spec.model_dump(mode="json", include={"direction", "bounds"})
            raise Advice(
                f"{name} is not in metric_properties: it is read by its {'name' if assumed.by_name else 'values'}. "
                f"Declare it: metric_properties = {{{name!r}: {told}}}."
            )
        low, high = MetricSpec.model_validate(declared[name]).bounds
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            raise Broken(
                f"{name} is {value:g}, outside its declared bounds {[low, high]}: correct the one or the other."
            )
