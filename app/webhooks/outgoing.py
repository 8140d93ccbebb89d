"""What endpoints are told: messages written in the transaction of the change, so that neither exists without the other.

Workers import this too: most of a job's moves are theirs.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tables import Job, WebhookDelivery
from app.db.waking import asks
from sufficiency.schemas.webhooks import JobMessage

# The lock on the keys keeps an endpoint from being removed between this and the foreign key's check: that would make
# the job's own move fail. One that is being removed is waited for, and then left out. Of the job's project, since
# workers act for all of them.
_WANTED = text(
    "SELECT id, clock_timestamp() AS at FROM webhook "
    "WHERE project_id = :project AND disabled_at IS NULL AND :type = ANY (events) ORDER BY id FOR KEY SHARE"
)


def announce(session: Session, job: Job, state: str, error: dict[str, Any] | None) -> None:
    """Write a message to every enabled endpoint that wants to know of this state of a job whose row is locked."""
    type = f"job.{state}"
    wanted = session.connection().execute(_WANTED, {"project": job.project_id, "type": type}).all()
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
    asks(session, "deliverer")
    for id, _ in wanted:
        session.add(WebhookDelivery(webhook_id=id, type=type, job_id=job.id, body=message.model_dump_json()))
