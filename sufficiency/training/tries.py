"""How often a cell is tried, and which faults are of the cell rather than of its whole job."""

from collections.abc import Callable
from typing import TypeVar

from sufficiency.method.hope import is_of_the_code
from sufficiency.training.faults import Fault

# Seeds make the second try the same as the first, but for what no seed holds: memory, files, other machines.
TRIES = 2

T = TypeVar("T")


def tried(measure: Callable[[], T]) -> T | Fault:
    """Measure a cell, again where that fails, and return what it measured or how the last try failed.

    Raises
    ------
    Fault
        One that is not of the cell; see `is_of_a_cell`.
    """
    for number in range(1, TRIES + 1):
        try:
            return measure()
        except Fault as fault:
            if is_last_try(fault, number):
                return fault
        # The next try comes here, where nothing holds the failed model in memory any more.
    raise AssertionError


def is_last_try(fault: Fault, tries: int) -> bool:
    """Return whether a cell is to be given up after so many tries.

    Raises
    ------
    Fault
        The same, where it is not of the cell.
    """
    if not is_of_a_cell(fault):
        raise fault
    return tries >= TRIES or is_of_the_code(fault.error)


def is_of_a_cell(fault: Fault) -> bool:
    """Whether another cell may do without the fault: a plugin raised in this one.

    An evaluation that answers what is no measurement does so whatever the cell, and leaving out only the cells in which
    it shows would choose among them.
    """
    return fault.error["code"] == "plugin_raised" and "run" in fault.error["where"]
