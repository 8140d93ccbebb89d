"""The parts of one cell: its subset, training on it, evaluation, and what is recorded of it."""

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

from sufficiency.data.foreign import materialise
from sufficiency.schemas.words import SCALAR
from sufficiency.schemas.work import CellResult, ItemMarks, UnitCell
from sufficiency.training.details import Watched, bounded, warnings_noted, watched
from sufficiency.training.faults import Fault, blamed_on, fault
from sufficiency.training.metrics import InvalidMetrics, item_marks, normalise, standard_errors
from sufficiency.training.modes import MESSAGE as IN_TRAINING
from sufficiency.training.modes import EvaluatedInTraining, mode_seen
from sufficiency.training.unit import Study
from sufficiency.training.untouched import MESSAGE, ModelUnchanged, state_of

# A score of so many items is sure enough to tell over- from underfitting, and cheap beside the training.
MOST_TRAIN_ITEMS = 2_000
Values = list[tuple[str, int, float | None]]


def subset_of(order: NDArray[np.int64], cell: UnitCell) -> list[int]:
    """Return the first n of a run's items.

    Raises
    ------
    Fault
        When the dataset has fewer.
    """
    if cell.n > len(order):
        detail = f"The cell asks for {cell.n} training items, but the dataset now has {len(order)}. Register it anew."
        raise Fault(fault("dataset_changed", detail, {**cell.place, "phase": "subset"}))
    indices: list[int] = order[: cell.n].tolist()
    return indices


def train(study: Study, model: Any, indices: list[int], cell: UnitCell) -> Watched:
    """Have the training strategy train the model, and return what was seen of it.

    Raises
    ------
    Fault
        When it raised.
    """
    before = state_of(model)
    with watched(model) as seen, blamed_on(study.names["training"], "training", cell.place):
        study.training.train(model, study.train, indices)
    if before is not None and before == state_of(model):
        seen.warn(MESSAGE, ModelUnchanged)
    return seen


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation measured; by metric what the test split's own chance adds, and which items were right.

    The `warnings` are of how it measured, as a cell's details have those of its training.
    """

    values: Values
    test_sd: dict[str, float]
    correct: dict[str, ItemMarks]
    warnings: tuple[dict[str, Any], ...] = ()


def evaluate(study: Study, model: Any, cell: UnitCell) -> Evaluated:
    """Return what the evaluation strategy measures.

    Raises
    ------
    Fault
        When it raised, or gave what is no measurement.
    """
    plugin = study.names["evaluation"]
    noted = Watched()
    with blamed_on(plugin, "evaluation", cell.place):
        try:
            # What estimators say of each prediction is no news of a built-in evaluation's figures.
            with mode_seen(model) as seen, nullcontext() if _is_built_in(study.evaluation) else warnings_noted(noted):
                found = study.evaluation.evaluate(model, study.test)
            told = [{"category": EvaluatedInTraining.__name__, "message": IN_TRAINING, "count": 1}] if seen else []
            return Evaluated(
                *(normalise(found, study.class_names), standard_errors(found), item_marks(found)),
                warnings=(*told, *noted.told(" of the evaluation")),
            )
        except InvalidMetrics as error:
            detail = (
                f"In run {cell.run}, step {cell.step} (n = {cell.n}) {plugin} gave no usable measurements: {error}. "
                "Make evaluate() return a mapping from metric name to one number, or to one number for every class."
            )
            where = {**cell.place, "plugin": plugin, "phase": "evaluation"}
            raise Fault(fault("invalid_metrics", detail, where)) from error


def _is_built_in(evaluation: Any) -> bool:
    return type(evaluation).__module__.startswith("sufficiency.plugins.")


def train_scores(study: Study, model: Any, indices: list[int], wanted: bool | None) -> dict[str, float]:
    """Return the metrics with one value on the first of the items that a model was trained on; empty where not wanted.

    What cannot be measured there, such as an AUROC of one class, is left out: the cell stands without it.
    """
    built_in = _is_built_in(study.evaluation)
    if wanted is False or (wanted is None and not built_in):
        return {}
    rows = np.array(indices[:MOST_TRAIN_ITEMS], dtype=np.int64)
    with suppress(Exception):
        whole: Any = study.train
        items: Any = materialise(whole).select(rows) if built_in else Subset(whole, rows.tolist())
        values = normalise(study.evaluation.evaluate(model, items), study.class_names)
        return {metric: value for metric, k, value in values if k == SCALAR and value is not None}
    return {}


def result_of(
    cell: UnitCell,
    indices: list[int],
    found: Evaluated,
    seconds: float,
    device: str,
    details: dict[str, Any],
    learner: dict[str, Any] | None,
) -> CellResult:
    """Return what is recorded of a measured cell; `learner` is what is known of its model, where that is to be told."""
    if found.warnings:
        details = bounded(details | {"warnings": [*found.warnings, *details.get("warnings", [])]})
    return CellResult(
        run=cell.run,
        step=cell.step,
        n_unique=len(set(indices)),
        seconds=seconds,
        device=device,
        values=found.values,
        details=details | ({"test_sd": found.test_sd} if found.test_sd else {}),
        learner=learner or None,
        correct=found.correct,
    )
