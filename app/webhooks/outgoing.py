"""What endpoints are told: messages written in the transaction of the change, so that neither exists without the other.

Workers import this too: most of a job's moves are theirs.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import any_, func, literal, select
from sqlalchemy.orm import Session

from app.db.tables import Job, Webhook, WebhookDelivery

EventType = Literal["job.queued", "job.running", "job.cancelling", "job.completed", "job.failed", "job.cancelled"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
TEST: Literal["webhook.test"] = "webhook.test"

Type = TypeVar("Type", bound=str)
Data = TypeVar("Data", bound=BaseModel)
Timestamp = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))]


class Message(BaseModel, Generic[Type, Data]):
    """The body of a message, as Standard Webhooks has it."""

    type: Type
    timestamp: Timestamp = Field(description="when it happened, not when it was sent")
    data: Data


class JobLinks(BaseModel):
    """Where to look."""

    job: str = Field(description="path of the job at the API")


class JobData(BaseModel):
    """A job as it was when it came into a state."""

    job_id: UUID
    state: Literal["queued", "running", "cancelling", "completed", "failed", "cancelled"]
    event: int = Field(description="number of the event in the job's own stream: orders the messages of one job")
    dataset: str
    model: str
    labels: dict[str, str]
    cells_done: int
    cells_total: int
    error: dict[str, Any] | None = Field(description="why it failed")
    links: JobLinks


class JobMessage(Message[EventType, JobData]):
    """A job came into a state."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "job.completed",
                    "timestamp": "2026-11-23T12:30:00Z",
                    "data": {
                        "job_id": "019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60",
                        "state": "completed",
                        "event": 53,
                        "dataset": "mnist-2500",
                        "model": "tutorial-cnn",
                        "labels": {"team": "vision"},
                        "cells_done": 50,
                        "cells_total": 50,
                        "error": None,
                        "links": {"job": "/jobs/019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60"},
                    },
                }
            ]
        }
    )


class TestData(BaseModel):
    """Whom a test is for."""

    webhook_id: UUID
    detail: str = "This is a test; no job changed."


class TestMessage(Message[Literal["webhook.test"], TestData]):
    """Somebody asked for a test."""


def announce(session: Session, job: Job, state: str, error: dict[str, Any] | None) -> None:
    """Write a message to every enabled endpoint that wants to know of this state of a job whose row is locked."""
    type = f"job.{state}"
    # The lock on the keys keeps an endpoint from being removed between this and the foreign key's check: that would
    # make the job's own move fail. One that is being removed is waited for, and then left out.
    wanted = session.execute(
        select(Webhook.id, func.clock_timestamp().label("at"))
        .where(Webhook.disabled_at.is_(None), literal(type) == any_(Webhook.events))
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)
    ).all()
    if not wanted:
        return
    message = JobMessage.model_validate(
        {
            "type": type,
            "timestamp": wanted[0].at,
            "data": {
                "job_id": job.id,
                "state": state,
                "event": job.event_seq,
                "dataset": job.spec["dataset"],
                "model": job.spec["model"]["name"],
                "labels": job.labels,
                "cells_done": job.cells_done or 0,
                "cells_total": job.cells_total or 0,
                "error": error,
                "links": {"job": f"/jobs/{job.id}"},
            },
        }
    )
    for id, _ in wanted:
        session.add(WebhookDelivery(webhook_id=id, type=type, job_id=job.id, body=message.model_dump_json()))
