"""What was measured: every cell's values, and their mean and standard deviation a step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from sufficiency.answers.study import Study
from sufficiency.answers.tables import Table, column, unused
from sufficiency.method.measurements import Series
from sufficiency.schemas.results import AverageMeasurement, CellMeasurement, CellView


@dataclass(frozen=True)
class CellValue:
    """One measurement with the cell it is of; its class index is `SCALAR` where it is of no class."""

    run: int
    step: int
    n: int
    n_unique: int | None
    metric: str
    class_index: int
    value: float | None
    seconds: float | None
    device: str | None
    attempt: int | None
    reused_from: UUID | None = None


def cell_measurement(study: Study, cell: CellValue) -> CellMeasurement:
    """Return a measurement as it is answered."""
    return CellMeasurement(
        run=cell.run,
        step=cell.step,
        n=cell.n,
        n_unique=cell.n_unique,
        metric=cell.metric,
        class_=study.label(cell.class_index),
        value=cell.value,
        seconds=cell.seconds,
        device=cell.device,
        attempt=cell.attempt,
        reused_from=cell.reused_from,
    )


REUSED_FROM = "reused_from"
OF_CELL = ("run", "step", "n", "n_unique", "seconds", "device", "attempt")


def cells_table(study: Study, cells: Iterable[CellValue]) -> Table:
    """Return measurements as one row a cell and one column a metric (of a class).

    Where cells were taken over from other jobs, a column says of each from which.
    """
    columns: dict[tuple[str, int], str] = {}
    rows: dict[tuple[int, int], tuple[CellValue, dict[tuple[str, int], float | None]]] = {}
    for cell in cells:
        of = cell.metric, cell.class_index
        if of not in columns:
            # A metric may be called "seconds", or as a class of another one is.
            columns[of] = unused(
                column(cell.metric, study.label(cell.class_index)), {*OF_CELL, REUSED_FROM, *columns.values()}
            )
        _, values = rows.setdefault((cell.run, cell.step), (cell, {}))
        values[of] = cell.value
    told = told_of_cells(OF_CELL, [cell for cell, _ in rows.values()])
    return Table(
        [*told, *columns.values()],
        ([*(getattr(c, name) for name in told), *map(values.get, columns)] for c, values in rows.values()),
    )


def told_of_cells(names: Sequence[str], cells: Sequence[CellValue | CellView]) -> list[str]:
    """Return the columns of a table of cells: those that are named, and where they come from, if any was taken over."""
    return [*names, REUSED_FROM] if any(cell.reused_from for cell in cells) else [*names]


def averages(study: Study, series: Sequence[Series]) -> list[AverageMeasurement]:
    """Return mean and standard deviation over the runs, for every series and step."""
    steps = {n: step for step, n in enumerate(study.steps)}
    return [
        AverageMeasurement(
            step=steps.get(int(n), k),
            n=int(n),
            metric=one.metric,
            class_=study.label(one.class_index),
            mean=_finite(mean),
            sd=_finite(sd),
            runs=int(runs),
        )
        for one in series
        for k, (n, mean, sd, runs) in enumerate(zip(one.n, one.mean(), one.sd(), one.runs(), strict=True))
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
