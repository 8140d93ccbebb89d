"""Fitting a completed job's curves anew, by the present versions of the methods."""

from uuid import UUID

from fastapi import APIRouter

from app.curves.keeping import refit, versions_of
from app.errors import Conflict
from app.jobs.lifecycle import locked
from app.results.parameters import REFUSALS
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.schemas.results import Refitted

router = APIRouter(tags=["results"], responses=REFUSALS)


@router.post("/jobs/{job_id}/refit", responses=documented(409))
def refit_job(session: SessionDep, job_id: UUID) -> Refitted:
    """Fit a completed job's curves anew, by the present versions of the methods; nothing is measured.

    Until then a completed job keeps the versions that it completed with. What they say can still be asked for, by
    `method_version`.
    """
    job = locked(session, job_id)
    if job.state != "completed":
        detail = f"The job is {job.state}: what has not completed is fitted by the present versions anyhow."
        raise Conflict(detail, code="job_not_completed")
    before = refit(session, job)
    session.flush()
    return Refitted(job_id=job.id, before=before, now=versions_of(session, job))
