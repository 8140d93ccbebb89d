"""Earlier answers against what was measured later, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import TypeAdapter

from app.curves.forecasts import find_forecasts
from app.db.tables import Forecast
from app.results.parameters import Metrics
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.answers.forecasts import LEVELS, Scored, record, said
from sufficiency.schemas.forecasts import Forecasts, ForecastView

router = APIRouter(tags=["results"], responses=documented(422, 503))

_KEY: TypeAdapter[int] = TypeAdapter(int)
# The record is of the latest so many: what a method of years ago said tells little of today's.
MOST_SCORED = 20_000


@router.get("/forecasts")
def list_forecasts(
    session: SessionDep,
    job: Annotated[UUID | None, Query(description="only what this job's curves said")] = None,
    metric: Metrics = None,
    scored: Annotated[bool | None, Query(description="only what has been measured since, or has not")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="size of a page")] = 100,
    cursor: Cursor = None,
) -> Forecasts:
    """Return what was said of sizes before they were measured, and what came; and how well all of it came true.

    A forecast is kept when a job is extended to larger sizes, and scored when they are measured. A job that is deleted
    leaves the numbers.
    """
    before = decode_cursor(cursor, _KEY) if cursor else None
    found = find_forecasts(session, job_id=job, metrics=metric, scored=scored, before=before, limit=limit + 1)
    rows, following = page_of(found, limit, lambda one: one.id)
    whole = find_forecasts(session, job_id=job, metrics=metric, scored=True, limit=MOST_SCORED)
    return Forecasts(record=record(map(_scored, whole)), items=[_view(one) for one in rows], next_cursor=following)


def _scored(one: Forecast) -> Scored:
    assert one.measured is not None, "only what was measured is scored"
    return Scored(
        study=one.study_id,
        metric=one.metric,
        direction="minimize" if one.direction == "minimize" else "maximize",
        distance=one.n / one.n_observed,
        value=one.value,
        lower=one.lower,
        upper=one.upper,
        measured=one.measured,
    )


def _view(one: Forecast) -> ForecastView:
    inside = None
    if one.measured is not None:
        inside = {f"{level:g}": is_in for level, is_in in zip(LEVELS, _scored(one).inside(), strict=True)}
    label = None if one.class_index < 0 else one.class_name if one.class_name is not None else one.class_index
    return ForecastView(
        job_id=one.job_id,
        model=one.model,
        dataset=one.dataset,
        metric=one.metric,
        class_=label,
        n=one.n,
        n_observed=one.n_observed,
        value=one.value,
        lower=one.lower[-1],
        upper=one.upper[-1],
        measured=one.measured,
        runs=one.runs,
        inside=inside,
        text=said(one.value, one.lower[-1], one.upper[-1], one.measured),
        method_version=one.method_version,
        made_at=one.made_at,
        scored_at=one.scored_at,
    )
