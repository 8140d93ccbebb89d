"""What a study's cells tell of its learner: settings that it changed with the number of items, warnings, few steps."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sufficiency.answers.measured import OF_CELL, told_of_cells
from sufficiency.answers.tables import Table
from sufficiency.method.kinks.rules import ENOUGH_STEPS
from sufficiency.schemas.results import CellView

# A number that differs by less between the smallest and the largest size is taken for scatter between subsets.
LEAST_CHANGE = 0.1
MOST_TOLD = 5
# How long a training went on is an outcome, and differs with the data as it should.
_OUTCOMES = frozenset({"n_iter_", "n_layers_", "best_iteration_", "_best_iteration", "tree_count_", "last_lr", "name"})
_FOR_LATER = "FutureWarning"


def learner_warnings(
    cells: Sequence[tuple[int, Mapping[str, Any]]], *, batch_norm: bool = False
) -> list[dict[str, Any]]:
    """Return what gives reason to doubt that all cells were trained alike.

    Parameters
    ----------
    cells : sequence of (int, mapping)
        Training-set size and details of each cell; see `training.details`.
    batch_norm : bool
        Whether the model has batch normalisation whose running statistics are used as they are.
    """
    return [*_changed(cells), *_said(cells), *(_few_steps(cells) if batch_norm else [])]


def _changed(cells: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return a warning of the settings that the learner changed by itself with the number of items."""
    by_setting: dict[str, dict[int, list[Any]]] = {}
    for n, details in cells:
        for name, value in _settings(details):
            by_setting.setdefault(name, {}).setdefault(n, []).append(value)
    told = [text for name, values in sorted(by_setting.items()) if (text := _course(name, values)) is not None]
    if not told:
        return []
    more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    detail = (
        f"The learner changed its own settings with the number of training items: {'; '.join(told[:MOST_TOLD])}{more}. "
        "Such a change is part of the curve, and a projection takes it for the data's; pin what should stay."
    )
    return [{"code": "settings_follow_size", "metric": None, "class": None, "detail": detail}]


def _settings(details: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for estimator, settings in (details.get("settled") or {}).items():
        for name, value in settings.items():
            if name not in _OUTCOMES:
                yield f"{estimator}.{name}", value
    for name, value in (details.get("optimiser") or {}).items():
        if name not in _OUTCOMES:
            yield f"optimiser.{name}", value


def _course(name: str, values: Mapping[int, Sequence[Any]]) -> str | None:
    """Return how a setting went from the smallest size to the largest, or None where it stayed."""
    first, last = min(values), max(values)
    if first == last:
        return None
    before, after = _middle(values[first]), _middle(values[last])
    if isinstance(before, bool) or isinstance(after, bool) or not _numbers(before, after):
        return None if before == after else f"{name} was {before} at n = {first:,} and {after} at {last:,}"
    if abs(after - before) <= LEAST_CHANGE * max(abs(before), abs(after)):
        return None
    return f"{name} went from {before:.3g} at n = {first:,} to {after:.3g} at {last:,}"


def _middle(values: Sequence[Any]) -> Any:
    if _numbers(*values) and not any(isinstance(value, bool) for value in values):
        return statistics.median(values)
    return statistics.mode([value if isinstance(value, str | bool | int | float) else str(value) for value in values])


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _said(cells: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return a warning of each kind of warning that training gave, with the sizes where it did."""
    by_kind: dict[str, tuple[list[int], str]] = {}
    for n, details in cells:
        for category, message in {one["category"]: one["message"] for one in details.get("warnings") or []}.items():
            if category != _FOR_LATER:
                by_kind.setdefault(category, ([], message))[0].append(n)
    return [
        {
            "code": "training_warned",
            "metric": None,
            "class": None,
            "detail": f"{category} in {len(sizes)} of {len(cells)} cells ({_from_to(sizes)}): {message}",
        }
        for category, (sizes, message) in sorted(by_kind.items(), key=lambda one: -len(one[1][0]))[:MOST_TOLD]
    ]


def _few_steps(cells: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    few = [n for n, details in cells if 0 < (details.get("optimiser_steps") or 0) < ENOUGH_STEPS]
    if not few:
        return []
    detail = (
        f"{len(few)} cells ({_from_to(few)}) had fewer than {ENOUGH_STEPS} optimiser steps, and the model has batch "
        "normalisation: its running statistics lag behind its weights there, and the evaluation is of another model "
        "than was trained. Re-estimate them (batch_norm=reestimated in the built-in trainings), take more steps "
        "(min_steps), or begin the schedule higher."
    )
    return [{"code": "few_steps_for_batch_norm", "metric": None, "class": None, "detail": detail}]


def _from_to(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"


def learners_table(cells: Sequence[CellView]) -> Table:
    """Return the cells with a column a setting, `Estimator.setting`, and the warnings as JSON."""
    settings: dict[str, None] = {}
    rows = []
    for cell in cells:
        found = {f"{name}.{key}": one for name, of in (cell.details.settled or {}).items() for key, one in of.items()}
        settings |= dict.fromkeys(found)
        rows.append((cell, found))
    optimiser, loss = ["name", "first_lr", "last_lr"], ["start", "halfway", "end", "falls"]
    told = told_of_cells(OF_CELL, cells)
    return Table(
        [
            *(*told, "optimiser_steps"),
            *(f"optimiser.{name}" for name in optimiser),
            *(f"loss.{name}" for name in loss),
            *settings,
            "warnings",
        ],
        (
            [
                *(getattr(cell, name) for name in told),
                cell.details.optimiser_steps,
                *((cell.details.optimiser or {}).get(name) for name in optimiser),
                *(getattr(cell.details.loss, name, None) for name in loss),
                *(found.get(name) for name in settings),
                json.dumps([one.model_dump() for one in cell.details.warnings]) if cell.details.warnings else None,
            ]
            for cell, found in rows
        ),
    )
