"""Jobs over HTTP: submit, list, look, follow, cancel, retry, extend, delete."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BeforeValidator, FiniteFloat, TypeAdapter

from app.access.caller import caller_of
from app.db.tables import Job
from app.errors import Invalid, field_error
from app.jobs import elsewhere, ending, preparing, reopening, repository, service
from app.jobs.follower import Follower, interrupted
from app.jobs.following import MOST_EVENTS, EventBatch
from app.web.limits import plain_json
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep, SettingsDep, short_transaction
from sufficiency.schemas.examples import MEASURED_EXAMPLE, SHORT_SPEC_EXAMPLE, SPEC_EXAMPLE
from sufficiency.schemas.jobs import (
    EngineView,
    ExtensionPlanView,
    JobPage,
    JobView,
    Links,
    NewExtension,
    PlanView,
    ProgressView,
    ResultView,
    ReusedView,
    RunningCell,
)
from sufficiency.schemas.limits import CHOSEN, COUNTED, JOBS_PAGE, KEY_CHARACTERS, LABELS, SEARCH_CHARACTERS
from sufficiency.schemas.naming import JobChange
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.stopping import DesignView
from sufficiency.schemas.words import JobOrder, JobState

logger = logging.getLogger(__name__)

router = APIRouter(tags=["jobs"], responses=documented(422, 503))

JOB_KEY = TypeAdapter(UUID)
_PLACES: dict[str, TypeAdapter[tuple[str, Any, UUID]]] = {
    "name": TypeAdapter(tuple[Literal["name"], str, UUID]),
    "finished": TypeAdapter(tuple[Literal["finished"], AwareDatetime, UUID]),
    "value": TypeAdapter(tuple[Literal["value"], FiniteFloat, UUID]),
}
CHANGE_EXAMPLE = {"name": {"summary": "A name", "value": {"name": "MNIST, first batch"}}}
LINKS = ("cancel", "retry", "extend", "measurements", "project", "inv_project", "curves", "events", "export")

DryRun = Annotated[bool, Query(description="validate, answer the plan, store nothing")]
StartAnew = Annotated[
    bool,
    Query(
        description="drop all that is measured, and measure it anew with the plugins and the data that there are now; "
        "an event `discarded` says so"
    ),
]

LOCATION = {"headers": {"Location": {"schema": {"type": "string"}, "description": "address of the job"}}}


def _view(info: service.JobInfo) -> JobView:
    job, progress = info.job, info.progress
    address = f"/jobs/{job.id}"
    return JobView(
        id=job.id,
        name=job.name,
        note=job.note,
        state=job.state,
        queued_reason=info.queued_reason,
        spec=job.spec,
        steps=job.steps,
        metrics=job.metrics,
        device=job.device,
        engine=EngineView.of(job.engine),
        dataset_fingerprint=job.dataset_fingerprint,
        plugin_versions=job.plugin_versions,
        progress=ProgressView(
            cells_done=progress.cells_done,
            cells_not_measurable=progress.cells_not_measurable,
            cells_total=progress.cells_total,
            fraction=progress.fraction,
            eta_seconds=progress.eta_seconds,
            running=[RunningCell(run=run, step=step, n=n, since=since) for run, step, n, since in progress.at_work],
        ),
        labels=job.labels,
        priority=job.priority,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        error=job.error,
        warnings=info.warnings,
        design=DesignView.of(job.design),
        result=ResultView.model_validate(job.result) if job.result else None,
        reused=_reused(job),
        measured_elsewhere=job.dataset_id is None,
        links=Links(self=address, **{name: f"{address}/{name}" for name in LINKS}),
    )


def _reused(job: Job) -> ReusedView | None:
    if not job.cells_reused:
        return None
    return ReusedView(cells=job.cells_reused, training_items=job.work_reused, seconds_saved=round(job.seconds_saved, 3))


@router.post(
    "/jobs",
    status_code=201,
    response_model=JobView,
    responses={
        200: {"model": JobView | PlanView, "description": "A replay: the job as it is now. Or the plan of a dry run"},
        201: LOCATION,
        **documented(400, 409, 413),
    },
)
def create_job(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    spec: Annotated[
        JobSpec,
        BeforeValidator(plain_json),
        Body(
            openapi_examples={
                "tutorial": {"summary": "DataEval's tutorial", "value": SPEC_EXAMPLE},
                "short": {"summary": "Only what is required", "value": SHORT_SPEC_EXAMPLE},
                "measured": {"summary": "Measured elsewhere: completed at once", "value": MEASURED_EXAMPLE},
            }
        ),
    ],
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=KEY_CHARACTERS, description="the same key and body answer the same job again"),
    ] = None,
    dry_run: DryRun = False,
) -> Response:
    """Submit a job: measure a model's learning curve on a dataset.

    With `measured` in place of model, training, evaluation and dataset nothing is trained: the values that are handed
    in are the job's, and it is completed at once.
    """
    preparing.require_priority(spec.priority, caller_of(request).scope)
    if dry_run and spec.measured is not None:
        cells, spec = elsewhere.arrange(spec, settings), spec.unnamed
        view = PlanView(
            spec=elsewhere.as_kept(spec, cells).model_dump(mode="json"),
            device="cpu",
            steps=cells.steps,
            runs=cells.runs,
            cells=len(cells.cells),
            units=0,
            training_items=0,
            sgd_steps=None,
            estimated_slot_seconds=0.0,
            queued_reason=None,
        )
        return JSONResponse(view.model_dump(mode="json"))
    if dry_run:
        plan = preparing.plan(session, spec.unnamed, settings)
        view = PlanView(
            spec=plan.prepared.spec.model_dump(mode="json"),
            device=plan.prepared.device,
            steps=plan.prepared.steps,
            runs=plan.prepared.spec.runs,
            cells=plan.cells,
            units=plan.units,
            training_items=plan.training_items,
            sgd_steps=plan.sgd_steps,
            estimated_slot_seconds=plan.slot_seconds,
            queued_reason=plan.queued_reason,
            design=plan.design,
            warnings=plan.warnings,
        )
        return JSONResponse(view.model_dump(mode="json"))
    job, created = service.submit(session, spec, settings, idempotency_key)
    # The worker's lines name the job; this one says which request it is from.
    logger.info("job %s %s", job.id, "submitted" if created else "submitted before")
    answer = _view(service.look(session, [job], settings)[0])
    return JSONResponse(
        answer.model_dump(mode="json"), 201 if created else 200, headers={"Location": answer.links.self}
    )


async def _labels(
    label: Annotated[
        list[str] | None, Query(max_length=LABELS, description="name:value; repeatable, all must hold")
    ] = None,
) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for text in label or []:
        name, colon, value = text.partition(":")
        if not colon or not name:
            detail = f"{text!r} is no label; write name:value."
            raise Invalid(detail, errors=[field_error("label", detail)])
        wanted[name] = value
    return wanted


@router.get("/jobs")
def list_jobs(
    session: SessionDep,
    settings: SettingsDep,
    labels: Annotated[dict[str, str], Depends(_labels)],
    state: Annotated[list[JobState] | None, Query(max_length=CHOSEN, description="repeatable: any of these")] = None,
    model: Annotated[str | None, Query(description="name of the model plugin")] = None,
    dataset: Annotated[str | None, Query(description="name of the dataset")] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=SEARCH_CHARACTERS,
            description="parts of words, all of which must be in the job's name, model, dataset or id",
        ),
    ] = None,
    created_after: Annotated[datetime | None, Query(description="RFC 3339; UTC if it names no zone")] = None,
    sort: Annotated[
        JobOrder,
        Query(
            description="what the list is by, with - from the greatest down; by `finished` and `value`, that of the "
            "result, only jobs that have one"
        ),
    ] = "-created",
    count: Annotated[bool, Query(description="say how many there are in all")] = False,
    limit: Annotated[int, Query(ge=1, le=JOBS_PAGE, description="size of a page")] = 20,
    cursor: Cursor = None,
) -> JobPage:
    """List jobs, the newest first unless another order is asked for."""
    if created_after is not None and created_after.tzinfo is None:
        created_after = created_after.replace(tzinfo=UTC)
    wanted = repository.JobFilter(state or (), labels, model, dataset, created_after, (q or "").split())
    after = _place(cursor, sort) if cursor else None
    found = repository.find_jobs(session, wanted, order=sort, after=after, limit=limit + 1)
    rows, following = page_of(found, limit, lambda row: _cursor_key(sort, *row))
    counted = repository.count_jobs(session, wanted, COUNTED) if count else None
    return JobPage(
        items=[_view(info) for info in service.look(session, [job for job, _ in rows], settings)],
        next_cursor=following,
        count=None if counted is None else min(counted, COUNTED),
        count_complete=counted is None or counted <= COUNTED,
    )


def _cursor_key(sort: JobOrder, job: Job, value: Any) -> Any:
    """Return what a cursor names of a job: what the list is by, that of the job, and its id; of the newest the id."""
    if value is None:
        return str(job.id)
    told = value.isoformat() if isinstance(value, datetime) else value
    return [sort.removeprefix("-"), told, str(job.id)]


def _place(cursor: str, sort: JobOrder) -> tuple[Any, UUID]:
    by = sort.removeprefix("-")
    if by == "created":
        return None, decode_cursor(cursor, JOB_KEY)
    _, value, job_id = decode_cursor(cursor, _PLACES[by])
    return value, job_id


@router.get("/jobs/{job_id}", responses=documented(404))
def get_job(session: SessionDep, settings: SettingsDep, job_id: UUID) -> JobView:
    """Return one job: its state, what it waits for, its progress, warnings and error."""
    return _view(service.look(session, [service.get_job(session, job_id)], settings)[0])


@router.patch("/jobs/{job_id}", responses=documented(400, 404, 413))
def change_job(
    session: SessionDep,
    settings: SettingsDep,
    job_id: UUID,
    wanted: Annotated[JobChange, BeforeValidator(plain_json), Body(openapi_examples=CHANGE_EXAMPLE)],
) -> JobView:
    """Give a job another name or another note, in whatever state it is; what it measures stays as it is."""
    return _view(service.look(session, [service.change(session, job_id, wanted)], settings)[0])


@router.post("/jobs/{job_id}/cancel", status_code=202, responses=documented(404, 409))
def cancel_job(session: SessionDep, settings: SettingsDep, job_id: UUID) -> JobView:
    """Ask a job to stop: at once where it is queued, else as soon as its workers let go. What is measured stays."""
    return _view(service.look(session, [ending.cancel(session, job_id)], settings)[0])


@router.post("/jobs/{job_id}/retry", status_code=202, responses=documented(404, 409))
def retry_job(session: SessionDep, settings: SettingsDep, job_id: UUID, start_anew: StartAnew = False) -> JobView:
    """Queue a failed or cancelled job again, or a completed one with cells that could not be measured.

    What is measured stays; only the rest is run, and what could not be measured is tried again.

    Refused when a plugin's version or the dataset's fingerprint is not what the job was measured with, except with
    `start_anew`, which a completed job may be asked for too.
    """
    return _view(service.look(session, [reopening.retry(session, job_id, settings, anew=start_anew)], settings)[0])


@router.post(
    "/jobs/{job_id}/extend",
    status_code=202,
    response_model=JobView,
    responses={
        200: {
            "model": JobView | ExtensionPlanView,
            "description": "A replay: the job as it is now. Or the plan of a dry run",
        },
        **documented(400, 404, 409, 413),
    },
)
def extend_job(
    session: SessionDep,
    settings: SettingsDep,
    job_id: UUID,
    wanted: Annotated[
        NewExtension,
        BeforeValidator(plain_json),
        Body(
            openapi_examples={
                "runs": {"summary": "Eight runs in all", "value": {"runs": 8}},
                "steps": {"summary": "Two sizes more", "value": {"steps": [700, 1200]}},
            }
        ),
    ],
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=KEY_CHARACTERS, description="the same key and body extend the job once"),
    ] = None,
    dry_run: DryRun = False,
    start_anew: StartAnew = False,
) -> Response:
    """Add runs or steps to an ended job and queue it again. What is measured stays, and the curves are fitted anew.

    With protocol `dataeval` only steps above the largest can be added: a step in between would change all later ones.
    Refused when a plugin's version or the data are not what the job was measured with, except with `start_anew`.
    """
    if dry_run:
        plan = reopening.plan_extension(session, job_id, wanted, settings, anew=start_anew)
        view = ExtensionPlanView(
            spec=plan.extended.spec.model_dump(mode="json"),
            steps=plan.extended.steps,
            cells_kept=plan.cells_kept,
            cells_dropped=plan.cells_dropped,
            cells_to_measure=plan.cells_to_measure,
            units=len(plan.extended.units) if plan.extended.units is not None else None,
            training_items=plan.training_items,
            estimated_slot_seconds=plan.slot_seconds,
            queued_reason=plan.queued_reason,
            warnings=plan.warnings,
        )
        return JSONResponse(view.model_dump(mode="json"))
    job, extended = reopening.extend(
        session, job_id, wanted, settings, idempotency_key=idempotency_key, anew=start_anew
    )
    answer = _view(service.look(session, [job], settings)[0])
    return JSONResponse(answer.model_dump(mode="json"), 202 if extended else 200)


@router.delete("/jobs/{job_id}", status_code=204, responses=documented(404, 409))
def delete_job(session: SessionDep, job_id: UUID) -> None:
    """Delete an ended job with all that it measured."""
    service.delete(session, job_id)


def existing_job(request: Request, job_id: UUID) -> UUID:
    """Return the id of a job, if it is there."""
    # Its transaction ends here: ending it with the stream would hold it open, and make a database that goes away just
    # then a mistake of the service.
    with short_transaction(request) as session:
        return service.get_job(session, job_id).id


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events of type state, planned, cell, not_measurable, warning, versions and discarded; "
            "`id` is the event's number. An event of type pruned stands for numbers that are no longer kept. One of "
            "type interrupted, without a number, says that the service ends the stream before the job has ended: come "
            "back with the last number as `Last-Event-ID`",
            "content": {
                "text/event-stream": {
                    "example": 'event: cell\ndata: {"run": 0, "step": 9, "n": 2500, "metrics": {"Accuracy": 0.944}, '
                    '"cells_done": 1, "cells_total": 50, "work_done": 2500, "work_total": 31000}\nid: 3\n\n'
                }
            },
        },
        **documented(404),
    },
)
async def follow_job(
    request: Request,
    job_id: Annotated[UUID, Depends(existing_job)],
    last_event_id: Annotated[
        int, Header(ge=0, le=2**63 - 1, description="resume after this event; default: all from the first")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job as server-sent events until it has ended. Every replica answers the same events."""
    place: Follower[EventBatch] = Follower(request, request.app.state.feed, job_id, last_event_id)
    while batch := await place.next():
        if batch.pruned:
            yield _pruned(place.seq, batch.pruned)
        for event in batch.events:
            place.seq = event.seq
            yield ServerSentEvent(id=str(event.seq), event=event.type, data=event.data)
        if batch.last:
            return
        place.at_once = len(batch.events) == MOST_EVENTS
    yield interrupted()


def _pruned(seq: int, count: int) -> ServerSentEvent:
    """Say that events are no longer there; its number is the last one's, so that a stream can be resumed after it."""
    told = {
        "from": seq + 1,
        "to": seq + count,
        "detail": f"{count} event{'s are' if count > 1 else ' is'} no longer kept. The job and its measurements are.",
    }
    return ServerSentEvent(id=str(seq + count), event="pruned", data=told)
