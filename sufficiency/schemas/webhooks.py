"""Shapes of webhooks: endpoints, the messages that they are sent, and deliveries."""

from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sufficiency.schemas.examples import JOB_ID
from sufficiency.schemas.fields import Strict, Timestamp, Word
from sufficiency.schemas.words import (
    WEBHOOK_EVENTS,
    DeliveryState,
    JobState,
    WebhookEvent,
    WebhookTest,
)

Type = TypeVar("Type", bound=str)
Data = TypeVar("Data", bound=BaseModel)
Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=len(WEBHOOK_EVENTS))]
Description = Annotated[str, Field(max_length=500, description="for people")]

WEBHOOK_ID = "019ab0c4-8a01-7e11-8c52-6f1d2c3b4a50"
WEBHOOK_EXAMPLE: dict[str, Any] = {
    "id": WEBHOOK_ID,
    "url": "https://hooks.example.org/sufficiency",
    "events": ["job.completed", "job.failed"],
    "description": "the team's chat",
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "created_at": "2026-11-23T12:00:00Z",
}


def ended() -> list[WebhookEvent]:
    """Return the states that a job can end in: what most want to know."""
    return ["job.completed", "job.failed", "job.cancelled"]


class NewWebhook(Strict):
    """An endpoint that is to be told of job events."""

    url: str = Field(description="http:// or https://; called with POST. One webhook a URL")
    events: Events = Field(default_factory=ended, description="what to tell; default the states that a job can end in")
    description: Description = ""
    secret: str | None = Field(
        None, description="`whsec_` and 24 to 64 random bytes in base64; null: the service makes one"
    )


class WebhookChange(Strict):
    """What to change; what is left out stays."""

    url: str = Field(default_factory=str, description="the address to call from now on, also with what waits")
    events: Events = Field(default_factory=ended, description="what to tell from now on")
    description: Description = Field(default_factory=str)
    enabled: bool = Field(default_factory=bool, description="a disabled endpoint is told nothing; what waits, waits on")


class WebhookView(BaseModel):
    """An endpoint that is told of job events. Its secret is shown once, by the answer that made it."""

    model_config = ConfigDict(json_schema_extra={"examples": [WEBHOOK_EXAMPLE]})

    id: UUID
    url: str
    events: list[Word[WebhookEvent]]
    description: str
    enabled: bool
    disabled_reason: str | None
    failing_since: Timestamp | None = Field(description="the first failure since the last success")
    created_at: Timestamp


class WebhookWithSecret(WebhookView):
    """An endpoint with its new secret, which no other answer shows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**WEBHOOK_EXAMPLE, "secret": "whsec_" + "A" * 43 + "="}],
        }
    )

    secret: str = Field(description="verifies the signatures; keep it")


class AttemptView(BaseModel):
    """One attempt at a delivery."""

    attempt: int
    at: Timestamp
    status: int | None = Field(description="HTTP status of the answer; null when there was none")
    error: str | None = Field(description="why it counts as failed; null when it was delivered")
    response: str | None = Field(description="beginning of the answer's body")
    seconds: float


class DeliveryView(BaseModel):
    """One message to one endpoint, and the attempts to deliver it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-9b00-7f21-8d63-7a2e3d4c5b60",
                    "webhook_id": WEBHOOK_ID,
                    "type": "job.completed",
                    "job_id": JOB_ID,
                    "state": "pending",
                    "attempts": 1,
                    "next_attempt_at": "2026-11-23T12:30:05Z",
                    "body": {
                        "type": "job.completed",
                        "timestamp": "2026-11-23T12:30:00Z",
                        "data": {
                            "job_id": JOB_ID,
                            "state": "completed",
                            "event": 53,
                            "dataset": "mnist-2500",
                            "model": "tutorial-cnn",
                            "labels": {"team": "vision"},
                            "cells_done": 50,
                            "cells_total": 50,
                            "error": None,
                            "links": {"job": f"/jobs/{JOB_ID}"},
                        },
                    },
                    "log": [
                        {
                            "attempt": 1,
                            "at": "2026-11-23T12:30:00Z",
                            "status": 503,
                            "error": "HTTP 503 Service Unavailable",
                            "response": "back soon",
                            "seconds": 0.012,
                        }
                    ],
                    "created_at": "2026-11-23T12:30:00Z",
                    "ended_at": None,
                }
            ]
        }
    )

    id: UUID = Field(description="`webhook-id` of every attempt, by which a receiver tells repeats")
    webhook_id: UUID
    type: str
    job_id: UUID | None
    state: Word[DeliveryState]
    attempts: int
    next_attempt_at: Timestamp | None = Field(description="null once it is delivered or given up")
    body: dict[str, Any] = Field(description="what is sent")
    log: list[AttemptView] = Field(description="the latest attempts, the oldest first")
    created_at: Timestamp
    ended_at: Timestamp | None


# What is sent


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
    state: JobState
    event: int = Field(description="number of the event in the job's own stream: orders the messages of one job")
    dataset: str
    model: str
    labels: dict[str, str]
    cells_done: int
    cells_total: int
    error: dict[str, Any] | None = Field(description="why it failed")
    links: JobLinks


class JobMessage(Message[WebhookEvent, JobData]):
    """A job came into a state."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "job.completed",
                    "timestamp": "2026-11-23T12:30:00Z",
                    "data": {
                        "job_id": JOB_ID,
                        "state": "completed",
                        "event": 53,
                        "dataset": "mnist-2500",
                        "model": "tutorial-cnn",
                        "labels": {"team": "vision"},
                        "cells_done": 50,
                        "cells_total": 50,
                        "error": None,
                        "links": {"job": f"/jobs/{JOB_ID}"},
                    },
                }
            ]
        }
    )


class TestData(BaseModel):
    """Whom a test is for."""

    webhook_id: UUID
    detail: str = "This is a test; no job changed."


class TestMessage(Message[WebhookTest, TestData]):
    """Somebody asked for a test."""
