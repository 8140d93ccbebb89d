"""A job's events as they come (server-sent events), across connections that break."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sufficiency.client.connection import Connection, api_error, pause
from sufficiency.schemas.words import ENDED, INTERRUPTED

if TYPE_CHECKING:
    import httpx

STREAM_RETRIES = 8
# The server sends a comment on an idle stream every few seconds; a silence so long is a dead connection.
STREAM_SILENCE_SECONDS = 60.0
STREAM_PATIENCE = 25  # empty streams, a fifth of a second apart, before an ended job's end is taken for pruned
BETWEEN_STREAMS_SECONDS = 0.2


@dataclass(frozen=True)
class JobEvent:
    """One event of a job: `id` is its number; `type` is of `sufficiency.schemas.words.JOB_EVENT_TYPES`, or newer."""

    id: int
    type: str
    data: dict[str, Any]


def follow(connection: Connection, path: str, last_id: int | None, has_ended: Callable[[], bool]) -> Iterator[JobEvent]:
    """Yield a job's events until it has ended, across broken connections.

    Parameters
    ----------
    connection : Connection
        To the service.
    path : str
        Of the stream.
    last_id : int or None
        The last event already seen.
    has_ended : callable
        Looks whether the job has ended.

    Raises
    ------
    ServiceUnreachable
        When the connection broke and could not be made again.
    """
    from httpx import TransportError

    failures = empty = 0
    ended = tells_end = False
    patience = 1
    while True:
        try:
            for event in _stream(connection, path, last_id):
                failures, empty, last_id, patience = 0, -1, event.id, STREAM_PATIENCE
                if event.type == "state":
                    tells_end = event.data.get("state") in ENDED
                yield event
        except (TransportError, _Busy, _Interrupted) as error:
            failures += 1
            if failures > STREAM_RETRIES:
                raise connection.unreachable(error) from error
            time.sleep(pause(failures, error.response if isinstance(error, _Busy) else None))
            continue
        # A server closes the stream of an ended job; one of an older version also when it shuts down or its database
        # is away. So the end is what was read after the job had ended, and tells of it. To who comes later than that,
        # it is nothing twice; to who still waits for it, nothing for longer than a server takes to shut down.
        empty += 1
        if ended and (tells_end or empty > patience):
            return
        ended = has_ended()
        if not ended or empty > 1:
            time.sleep(BETWEEN_STREAMS_SECONDS)


class _Busy(Exception):
    """The stream was answered 503."""

    def __init__(self, response: "httpx.Response") -> None:
        super().__init__("the service is busy")
        self.response = response


class _Interrupted(Exception):
    """The stream ended before its end, as the server said."""


def _stream(connection: Connection, path: str, last_id: int | None) -> Iterator[JobEvent]:
    """Yield the events of one stream; what has no number or no data is none of ours."""
    import httpx
    from httpx_sse import SSEError, connect_sse

    headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
    http = connection.http
    timeout = httpx.Timeout(http.timeout.connect, read=STREAM_SILENCE_SECONDS)
    with connect_sse(http, "GET", path, headers=headers, timeout=timeout) as source:
        response = source.response
        if response.status_code == 503:
            raise _Busy(response)
        if not response.is_success:
            response.read()
            raise api_error(response, connection.read)
        try:
            for event in source.iter_sse():
                if event.event == INTERRUPTED:
                    raise _Interrupted(event.data)
                if event.data and event.id.isdigit():
                    yield JobEvent(int(event.id), event.event, connection.read(json.loads(event.data)))
        except SSEError as error:
            raise connection.unreachable(error) from error
