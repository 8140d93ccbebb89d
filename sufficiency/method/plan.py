"""From steps and runs to cells, and from cells to the units that workers take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol as Structural
from typing import TypeVar

from sufficiency.schemas.words import LEAST_STEPS, Protocol

# A unit of at most this share of the job keeps slots busy to the end; see docs/decisions/0002-units-by-size.md.
UNIT_SHARE = 0.01
# Cells whose models are trained at once make one unit; see docs/decisions/0033-stacked-cells.md.
MOST_STACKED = 64


@dataclass(frozen=True)
class CellPlan:
    """One (run, step): train on `n` items, evaluate, record."""

    run: int
    step: int
    n: int


T = TypeVar("T")


class _Sized(Structural):
    @property
    def n(self) -> int: ...


def work(cells: Iterable[_Sized]) -> int:
    """Return the training items over the cells: what their cost is proportional to."""
    return sum(cell.n for cell in cells)


def plan_units(
    steps: Sequence[int], runs: int, protocol: Protocol, *, planned: tuple[int, int] = (0, 0), stacked: bool = False
) -> list[list[CellPlan]]:
    """Return the cells of a job by units, in the order in which they are to be handed out.

    Parameters
    ----------
    steps : sequence of int
        Training-set sizes by step number.
    runs : int
        Repetitions.
    protocol : {"independent", "dataeval"}
        Under `dataeval` a run is one sequence and so one unit. Independent cells go out run by run, so that a whole
        curve stands after the first; small ones that follow each other are grouped.
    planned : (int, int)
        Of how many runs and of how many steps there are cells already; these are left out.
    stacked : bool
        Whether the models of a unit are trained at once.
    """
    runs_planned, steps_planned = planned
    cells = [
        CellPlan(run, step, n)
        for run in range(runs)
        for step, n in enumerate(steps)
        if run >= runs_planned or step >= steps_planned
    ]
    if protocol == "dataeval":
        return [list(group) for _, group in groupby(cells, key=lambda cell: cell.run)]
    return group_cells(cells, work(cells), stacked=stacked)


def group_cells(cells: Iterable[CellPlan], whole: int, *, stacked: bool = False) -> list[list[CellPlan]]:
    """Return independent cells by units, in the order in which they are to be handed out.

    One run after the other, the largest cells of each first; but the first run begins with as many of its smallest as a
    fit needs, which cost next to nothing.

    Parameters
    ----------
    whole : int
        The work of the job that they are of: a unit is a cell, or cells of at most `UNIT_SHARE` of that.
    stacked : bool
        Whether the models of a unit are trained at once: then it is as many as that may be, run by run.
    """
    chosen = sorted(cells, key=lambda cell: (cell.run, -cell.n))
    if stacked:
        return [list(stack) for stack in stacks_of(chosen)]
    opening = sorted((cell for cell in chosen if cell.run == 0), key=lambda cell: cell.n)[:LEAST_STEPS]
    share = UNIT_SHARE * whole
    units: list[list[CellPlan]] = []
    filled = 0
    for cell in [*opening, *(cell for cell in chosen if cell not in opening)]:
        if units and filled + cell.n <= share:
            units[-1].append(cell)
            filled += cell.n
        else:
            units.append([cell])
            filled = cell.n
    return units


def stacks_of(cells: Sequence[T]) -> list[Sequence[T]]:
    """Return cells, run by run, by what is trained at once."""
    return [cells[first : first + MOST_STACKED] for first in range(0, len(cells), MOST_STACKED)]
