"""What was measured, over HTTP: every cell's values, or their averages."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import TypeAdapter

from app.curves.series import CellKey, cell_values, load_series, study_of
from app.jobs.service import get_job
from app.results.parameters import REFUSALS, Metrics
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.session import SessionDep
from app.web.tables import TABLE, AsCsv, csv_response
from sufficiency.answers.measured import averages, cell_measurement, cells_table
from sufficiency.answers.tables import averages_table
from sufficiency.schemas.fields import Size
from sufficiency.schemas.limits import CELLS_PAGE
from sufficiency.schemas.paging import Page
from sufficiency.schemas.results import AverageMeasurement, CellMeasurement
from sufficiency.schemas.words import MeasurementsView

router = APIRouter(tags=["results"], responses=REFUSALS)

_CELL_KEY: TypeAdapter[CellKey] = TypeAdapter(tuple[Size | Literal[0], Size | Literal[0], str, int])


@router.get("/jobs/{job_id}/measurements", responses={200: TABLE})
def list_measurements(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    view: Annotated[MeasurementsView, Query(description="every value, or mean and SD a step")] = "averages",
    metric: Metrics = None,
    limit: Annotated[int, Query(ge=1, le=CELLS_PAGE, description="size of a page of cells")] = 1000,
    cursor: Cursor = None,
) -> Page[CellMeasurement] | Page[AverageMeasurement]:
    """Return what a job has measured: every cell's values, or their mean and standard deviation a step.

    As CSV the table is wide and whole: a column a metric, `Metric_class` where it is one a class. The averages have
    DataEval's columns, in which `step` is the training-set size.
    """
    job = get_job(session, job_id)
    study = study_of(session, job)
    if view == "cells" and as_csv:
        cells = cells_table(study, cell_values(session, job_id, metric))
        return csv_response(cells, f"{job_id}-cells.csv")  # type: ignore[return-value]
    if view == "cells":
        after = decode_cursor(cursor, _CELL_KEY) if cursor else None
        rows, following = page_of(
            cell_values(session, job_id, metric, after=after, limit=limit + 1),
            limit,
            lambda c: (c.run, c.step, c.metric, c.class_index),
        )
        return Page[CellMeasurement](items=[cell_measurement(study, row) for row in rows], next_cursor=following)
    means = averages(study, [one for one in load_series(session, job) if not metric or one.metric in metric])
    if as_csv:
        return csv_response(averages_table(means), f"{job_id}-measurements.csv")  # type: ignore[return-value]
    return Page[AverageMeasurement](items=means, next_cursor=None)
