"""Whether the rest of a job is worth a try when cells of it could not be measured.

See docs/decisions/0016-not-measurable.md.
"""

from collections.abc import Collection, Mapping
from typing import Any

# So many failed cells, of at least two sizes, are no accident of one of them.
FEW_CELLS, FEW_STEPS = 3, 2
# What no data brings about: code that cannot run as it is written.
_OF_THE_CODE = frozenset({"NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "NotImplementedError"})


def is_of_the_code(error: Mapping[str, Any]) -> bool:
    """Whether an error is of a kind that neither other data nor another try would change: a typo, a missing import."""
    kind, _, _ = str(error.get("exception", "")).partition(":")
    return kind in _OF_THE_CODE


def is_hopeless(
    failed: Collection[tuple[int, int]], measured: int, cells: int, steps: int, largest: int, error: Mapping[str, Any]
) -> bool:
    """Whether a job is to end with the error of a cell, instead of going on without the cell.

    Parameters
    ----------
    failed : collection of (run, step)
        The cells that could not be measured, the last one included.
    measured, cells : int
        Cells that were measured, and cells in all.
    steps : int
        Steps of the job.
    largest : int
        The number of the step of the largest size.
    error : mapping
        Why the last cell could not be measured.

    Notes
    -----
    As soon as one cell is measured, only the cells that fail are left out. Until then the job ends after its first cell
    if the error is of the code; else after `FEW_CELLS` cells of `FEW_STEPS` sizes, the largest among them, or as many
    as there are. What is too small for k neighbours, or too large for the memory, is not both.
    """
    if measured:
        return False
    if is_of_the_code(error) or len(failed) >= cells:
        return True
    sizes = {step for _, step in failed}
    return len(failed) >= FEW_CELLS and len(sizes) >= min(FEW_STEPS, steps) and largest in sizes
