"""From steps and runs to cells, and from cells to the units that workers take."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol as Structural

from app.sufficiency.spec import Protocol

# A unit of at most this share of the job keeps slots busy to the end; see docs/decisions/0002-units-by-size.md.
UNIT_SHARE = 0.01


@dataclass(frozen=True)
class CellPlan:
    """One (run, step): train on `n` items, evaluate, record."""

    run: int
    step: int
    n: int


class _Sized(Structural):
    @property
    def n(self) -> int: ...


def work(cells: Iterable[_Sized]) -> int:
    """Return the training items over the cells: what their cost is proportional to."""
    return sum(cell.n for cell in cells)


def plan_units(steps: list[int], runs: int, protocol: Protocol) -> list[list[CellPlan]]:
    """Return the cells of a job by units, in the order in which they are to be handed out.

    Parameters
    ----------
    steps : list of int
        Training-set sizes, increasing.
    runs : int
        Repetitions.
    protocol : {"independent", "dataeval"}
        Under `dataeval` a run is one sequence and so one unit. Independent cells go out longest first, small ones
        grouped, so that no slot is left with a long cell when the others have finished.
    """
    by_run = [[CellPlan(run, step, n) for step, n in enumerate(steps)] for run in range(runs)]
    if protocol == "dataeval":
        return by_run
    cells = sorted((cell for run in by_run for cell in run), key=lambda cell: (-cell.n, cell.run))
    share = UNIT_SHARE * work(cells)
    units: list[list[CellPlan]] = []
    filled = 0
    for cell in cells:
        if units and filled + cell.n <= share:
            units[-1].append(cell)
            filled += cell.n
        else:
            units.append([cell])
            filled = cell.n
    return units
