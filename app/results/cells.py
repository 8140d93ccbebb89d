"""The cells of a job, over HTTP: what each did beside the values that it measured."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import TypeAdapter

from app.curves.details import cells_of
from app.jobs.service import get_job
from app.results.parameters import REFUSALS
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.session import SessionDep
from app.web.tables import TABLE, AsCsv, csv_response
from sufficiency.answers.learner import learners_table
from sufficiency.schemas.fields import Size
from sufficiency.schemas.limits import CELLS_PAGE
from sufficiency.schemas.paging import Page
from sufficiency.schemas.results import CellView

router = APIRouter(tags=["results"], responses=REFUSALS)

_KEY: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[Size | Literal[0], Size | Literal[0]])


@router.get("/jobs/{job_id}/cells", responses={200: TABLE})
def list_cells(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    limit: Annotated[int, Query(ge=1, le=CELLS_PAGE, description="size of a page")] = 1000,
    cursor: Cursor = None,
) -> Page[CellView]:
    """Return the measured cells of a job: optimiser steps, what the learner settled by itself, the library's warnings.

    As CSV the table is whole, with a column a setting.
    """
    job = get_job(session, job_id)
    if as_csv:
        return csv_response(learners_table(cells_of(session, job.id)), f"{job_id}-learner.csv")  # type: ignore[return-value]
    after = decode_cursor(cursor, _KEY) if cursor else None
    rows, following = page_of(
        cells_of(session, job.id, after=after, limit=limit + 1), limit, lambda cell: (cell.run, cell.step)
    )
    return Page[CellView](items=rows, next_cursor=following)
