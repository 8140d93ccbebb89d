"""Jobs' curves side by side, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.curves.keeping import measured_studies
from app.curves.series import marks_of
from app.errors import Invalid, field_error
from app.jobs.service import get_job
from app.results.parameters import REFUSALS, Level, Metrics
from app.results.test_data import other_test_data
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.answers.comparison import compare
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.schemas.examples import JOB_ID
from sufficiency.schemas.limits import COMPARED
from sufficiency.schemas.results import OTHER_ID, ComparisonView

router = APIRouter(tags=["results"], responses=REFUSALS)


@router.get("/compare", responses=documented(409))
def compare_jobs(
    session: SessionDep,
    job: Annotated[
        list[UUID],
        Query(
            min_length=2,
            max_length=COMPARED,
            description="the jobs; the first is what the others are compared with",
            examples=[[JOB_ID, OTHER_ID]],
        ),
    ],
    metric: Metrics = None,
    level: Level = DEFAULT_LEVEL,
) -> ComparisonView:
    """Compare jobs' curves: where they cross, how many times the data one needs for the other's level, and what
    runs on the same subsets, and answers to the same test items, say of their difference.

    Metrics with a value a class are compared where `metric` names them.
    """
    if len(set(job)) < len(job):
        detail = "A job is named twice; name different jobs."
        raise Invalid(detail, errors=[field_error("job", detail)])
    jobs = [get_job(session, job_id) for job_id in job]
    doubts = other_test_data(session, jobs)  # before the fits, for which the transaction is ended
    marks = [marks_of(session, one.id) for one in jobs]
    told = compare(measured_studies(session, jobs), metric, level, marks)
    return told.model_copy(update={"warnings": [*doubts, *told.warnings]})
