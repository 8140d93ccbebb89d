"""What a job's plugins have written, over HTTP: the end of it, or all that comes."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import JobLog
from app.jobs import service
from app.jobs.follower import Follower, interrupted
from app.jobs.following import MOST_EVENTS, LogBatch
from app.jobs.routes import existing_job
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.schemas.logs import JobOutput, OutputPiece

router = APIRouter(tags=["jobs"], responses=documented(422, 503))

MOST_LINES = 10_000


@router.get("/jobs/{job_id}/logs", responses=documented(404))
def get_job_logs(
    session: SessionDep,
    job_id: UUID,
    tail: Annotated[int, Query(ge=1, le=MOST_LINES, description="at most so many lines, the last ones")] = 200,
) -> JobOutput:
    """Return the last lines that the job's plugins, and the libraries below them, have written."""
    service.get_job(session, job_id)
    pieces = _last(session, job_id, tail)
    seq = pieces[-1].seq if pieces else 0
    kept = sum(len(piece.text.encode()) for piece in pieces)
    return JobOutput(items=pieces, last_id=seq, bytes_before=_total(session, job_id) - kept)


def _last(session: Session, job_id: UUID, tail: int) -> list[OutputPiece]:
    """Return the pieces that hold the last lines, the first of them cut to those."""
    found: list[OutputPiece] = []
    # A piece has a line at least.
    newest = select(JobLog).where(JobLog.job_id == job_id).order_by(JobLog.seq.desc()).limit(tail)
    for row in session.scalars(newest):
        lines = row.text.split("\n")[-tail:]
        found.append(_piece(row, "\n".join(lines)))
        tail -= len(lines)
        if tail <= 0:
            break
    return found[::-1]


def _total(session: Session, job_id: UUID) -> int:
    newest = select(JobLog.total).where(JobLog.job_id == job_id).order_by(JobLog.seq.desc()).limit(1)
    return session.scalar(newest) or 0


def _piece(row: JobLog, text: str) -> OutputPiece:
    return OutputPiece(seq=row.seq, at=row.at, attempt=row.attempt, run=row.run, step=row.step, text=text)


@router.get(
    "/jobs/{job_id}/logs/stream",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events of type `output`, whose `id` is the piece's number, and at the job's end one of "
            "type `state`. One of type `interrupted`, without a number, says that the service ends the stream before",
            "content": {
                "text/event-stream": {
                    "example": 'event: output\ndata: {"seq": 7, "at": "2026-11-23T12:00:00Z", "attempt": 1, "run": 0, '
                    '"step": 9, "text": "epoch 3: loss 0.21"}\nid: 7\n\n'
                }
            },
        },
        **documented(404),
    },
)
async def follow_job_logs(
    request: Request,
    job_id: Annotated[UUID, Depends(existing_job)],
    last_event_id: Annotated[
        int, Header(ge=0, le=2**63 - 1, description="go on after this piece; default: from the first that is kept")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Follow what a job's plugins write as server-sent events, until the job has ended."""
    place: Follower[LogBatch] = Follower(request, request.app.state.output_feed, job_id, last_event_id)
    while batch := await place.next():
        for row in batch.pieces:
            place.seq = row.seq
            yield ServerSentEvent(id=str(row.seq), event="output", data=_piece(row, row.text))
        if batch.last:
            yield ServerSentEvent(id=str(place.seq), event="state", data={"state": batch.state})
            return
        place.at_once = len(batch.pieces) == MOST_EVENTS
    yield interrupted()
