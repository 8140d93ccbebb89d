"""What endpoints are told: messages written in the transaction of the change, so that neither exists without the other.

Workers import this too: most of a job's moves are theirs.
"""

import json
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import any_, func, literal, select
from sqlalchemy.orm import Session

from app.db.tables import Job, Webhook, WebhookDelivery

EventType = Literal["job.queued", "job.running", "job.cancelling", "job.completed", "job.failed", "job.cancelled"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
TEST = "webhook.test"


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
    for id, at in wanted:
        data = {
            "job_id": str(job.id),
            "state": state,
            "event": job.event_seq,
            "dataset": job.spec["dataset"],
            "model": job.spec["model"]["name"],
            "labels": job.labels,
            "cells_done": job.cells_done or 0,
            "cells_total": job.cells_total or 0,
            "error": error,
            "links": {"job": f"/jobs/{job.id}"},
        }
        session.add(WebhookDelivery(webhook_id=id, type=type, job_id=job.id, body=message(type, at, data)))


def message(type: str, at: datetime, data: dict[str, Any]) -> str:
    """Return the body of a message (Standard Webhooks: type, timestamp, data)."""
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": type, "timestamp": timestamp, "data": data}, ensure_ascii=False)
