"""A job's results as a file, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from app.curves.keeping import stored_fits, versions_of
from app.curves.series import cell_values, load_series, study_of
from app.jobs.service import get_job
from app.results.parameters import REFUSALS
from app.web.problem import documented
from app.web.session import SessionDep
from app.web.tables import CSV, csv_response
from sufficiency.answers.export import dataeval_export
from sufficiency.answers.measured import cells_table
from sufficiency.schemas.results import DataevalExport
from sufficiency.schemas.words import ExportFormat

router = APIRouter(tags=["results"], responses=REFUSALS)


@router.get(
    "/jobs/{job_id}/export",
    response_model=DataevalExport,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}, **documented(409)},
)
def export_job(
    session: SessionDep,
    job_id: UUID,
    format: Annotated[ExportFormat, Query(description="csv: every cell, a column a metric")] = "dataeval",
) -> Response:
    """Return a job's results as a file: what DataEval's `SufficiencyOutput` takes, or every cell as CSV."""
    job = get_job(session, job_id)
    study = study_of(session, job)
    if format == "csv":
        return csv_response(cells_table(study, cell_values(session, job_id)), f"{job_id}-cells.csv")
    version = versions_of(session, job)["power_law"]
    laws = {place: fit for place, (fit, _) in stored_fits(session, job, "power_law", version).items()}
    exported = dataeval_export(study, load_series(session, job), laws)
    headers = {"Content-Disposition": f'inline; filename="{job_id}-dataeval.json"'}
    return JSONResponse(exported.model_dump(), headers=headers)
