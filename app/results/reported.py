"""A job on one page for who pays, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from app.curves.details import trained_of
from app.curves.keeping import measured_study
from app.jobs.service import get_job
from app.results.decided import Budget, Penalty, RoundCost, Rounds, Target, Value, agreeing
from app.results.parameters import REFUSALS
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.answers.report import report
from sufficiency.schemas.decisions import DecisionTerms
from sufficiency.schemas.fields import Price

router = APIRouter(tags=["results"], responses=REFUSALS)


def _prices(
    price: Annotated[
        Price | None,
        Query(description="of a label; without it nothing is said of money"),
    ] = None,
    round_cost: RoundCost = 0.0,
    rounds: Rounds = 1,
    value: Value = None,
    target: Target = None,
    penalty: Penalty = None,
    budget: Budget = None,
) -> DecisionTerms | None:
    if price is None:
        return None
    return agreeing(
        {
            "price": price,
            "round_cost": round_cost,
            "rounds": rounds,
            "value": value,
            "target": target,
            "penalty": penalty,
            "budget": budget,
        }
    )


@router.get(
    "/jobs/{job_id}/report",
    response_class=HTMLResponse,
    responses={
        200: {
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html> …"}},
            "description": "one page for who pays",
        },
        **documented(409),
    },
)
def report_of(
    session: SessionDep, job_id: UUID, terms: Annotated[DecisionTerms | None, Depends(_prices)]
) -> HTMLResponse:
    """Return the job on one page of HTML that prints on a sheet of A4: question, answer, picture, price, how sure."""
    job = get_job(session, job_id)
    measured_at, trained = job.finished_at, trained_of(session, job_id)
    called, note = job.name, job.note
    page = report(measured_study(session, job), terms, measured_at=measured_at, trained=trained, name=called, note=note)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
