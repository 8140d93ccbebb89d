"""Asks a schedule plugin for the steps of a study."""

import numpy as np

from sufficiency.method.schedule import ScheduleError, check_steps
from sufficiency.schemas.spec import PluginRef
from sufficiency.training.build import build
from sufficiency.training.faults import Fault, blamed_on, fault
from sufficiency.training.protocols import Schedule
from sufficiency.training.registry import Registry


def named_steps(registry: Registry, ref: PluginRef, size: int) -> list[int]:
    """Return the steps that a schedule plugin names for so many training items.

    Raises
    ------
    Fault
        When it cannot be built, raises, or names no usable steps.
    """
    plugin = f"schedule:{ref.name}"
    schedule: Schedule = build(registry, "schedule", ref)
    with blamed_on(plugin, "schedule"):
        named = schedule.get_steps(size)
        try:
            return check_steps(_whole_numbers(named), size)
        except (ScheduleError, ValueError) as error:
            detail = f"{plugin} names no usable steps for {size} training items: {error}."
            raise Fault(fault("schedule_invalid", detail, {"plugin": plugin, "phase": "schedule"})) from error


def _whole_numbers(steps: object) -> list[int]:
    array = np.atleast_1d(np.asarray(steps))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"get_steps returned {type(steps).__name__} {steps!r:.100}, not a sequence of whole numbers")
    numbers: list[int] = array.tolist()
    return numbers
