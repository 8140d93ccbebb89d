"""A job's event stream, as a client reads it."""

import json
from dataclasses import dataclass
from typing import Any

from sufficiency.schemas.words import INTERRUPTED
from tests.support.service import Service


@dataclass(frozen=True)
class Received:
    """One event of a stream."""

    id: int | None  # None: the stream is interrupted
    type: str
    data: dict[str, Any]


def parse(stream: str) -> list[Received]:
    events = []
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            id = int(fields["id"]) if fields["event"] != INTERRUPTED else None
            events.append(Received(id, fields["event"], json.loads(fields["data"])))
    return events


def follow(service: Service, job_id: str, last: int | None = None) -> list[Received]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = service.client.get(f"/jobs/{job_id}/events", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    return parse(answer.text)
