"""The training-set sizes at which a curve is measured."""

from collections.abc import Iterable, Sequence

import numpy as np

from sufficiency.schemas.limits import STEPS
from sufficiency.schemas.words import Protocol

LEAST_ITEMS = 10
LEAST_PER_CLASS = 2
FIRST_FRACTION = 0.01


class ScheduleError(ValueError):
    """A list of steps that cannot be measured.

    Attributes
    ----------
    index : int or None
        Which of the steps is at fault, where it is one of them.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def geometric_steps(size: int, substeps: int, *, classes: int = 0, protocol: Protocol = "independent") -> list[int]:
    """Return sizes in geometric progression up to the whole training split.

    Parameters
    ----------
    size : int
        Items in the training split.
    substeps : int
        Steps asked for; fewer come back where neighbouring sizes round to the same number.
    classes : int
        Classes in the split; `independent` starts with at least two items of each.
    protocol : {"independent", "dataeval"}
        `dataeval` starts at 1 % whatever that is, as DataEval's ``GeometricSchedule`` does.

    Returns
    -------
    list of int
        Strictly increasing, each in 1 … `size`.
    """
    start = FIRST_FRACTION * size
    if protocol == "independent":
        start = min(size, max(start, LEAST_PER_CLASS * classes, LEAST_ITEMS))
    steps = np.geomspace(start, size, substeps, dtype=np.intp)
    return np.unique(steps[steps > 0]).tolist() or [size]


def steps_beyond(steps: Sequence[int], size: int) -> list[int]:
    """Return sizes that go on from a job's in about the ratio of its largest two, up to the whole split.

    Parameters
    ----------
    steps : sequence of int
        What the job has, in any order.
    size : int
        Items in the training split, which has grown.

    Returns
    -------
    list of int
        Ascending, each above the largest of `steps`; none where that is the whole split already.
    """
    largest = sorted(steps)[-2:]
    last = largest[-1]
    if size <= last:
        return []
    ratio = min(2.0, max(1.25, last / largest[0] if len(largest) > 1 else 2.0))
    count = max(1, round(np.log(size / last) / np.log(ratio)))
    beyond: list[int] = np.unique(np.rint(np.geomspace(last, size, count + 1)[1:]).astype(np.int64)).tolist()
    return beyond


def check_steps(steps: Iterable[int], size: int) -> list[int]:
    """Return the steps as a list if every one of them can be measured on `size` items.

    Raises
    ------
    ScheduleError
        For no steps, a step below 1 or above `size`, and steps that do not increase.
    """
    checked = [int(step) for step in steps]
    if not checked:
        raise ScheduleError("a schedule needs at least one step")
    if len(checked) > STEPS:
        raise ScheduleError(f"a schedule has at most {STEPS} steps, not {len(checked)}")
    for index, step in enumerate(checked):
        if step < 1:
            raise ScheduleError(f"step {step} is below 1: a model needs at least one training item", index)
        if step > size:
            raise ScheduleError(f"step {step} is above the {size} items of the training split", index)
        if index and step == checked[index - 1]:
            raise ScheduleError(f"step {step} is there twice", index)
        if index and step < checked[index - 1]:
            raise ScheduleError(f"step {step} comes after {checked[index - 1]}: steps must increase", index)
    return checked
