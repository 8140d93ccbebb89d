"""One stream's place in what it follows, for as long as who asked for it may."""

import asyncio
import time
from typing import Generic, TypeVar
from uuid import UUID

from fastapi import Request
from fastapi.sse import ServerSentEvent

from app.queue.feed import Feed
from sufficiency.schemas.words import INTERRUPTED

T = TypeVar("T")

ASKED_AGAIN_SECONDS = 30.0


class Follower(Generic[T]):
    """Reads on in a feed; a key that is revoked, or has expired, ends that within half a minute.

    Attributes
    ----------
    seq : int
        The last that was sent.
    at_once : bool
        There may be more already.
    """

    def __init__(self, request: Request, feed: Feed[T], job_id: UUID, seq: int) -> None:
        self.seq, self.at_once = seq, True
        self._request = request
        self._feed = feed
        self._job_id = job_id
        self._ask_at = time.monotonic() + ASKED_AGAIN_SECONDS

    async def next(self) -> T | None:
        """Return what follows, as soon as there is something; None when the stream is to end."""
        while True:
            left = self._ask_at - time.monotonic()
            if left <= 0:
                if not await self._request.app.state.door.still_lets_in(self._request.scope):
                    return None
                left = ASKED_AGAIN_SECONDS
                self._ask_at = time.monotonic() + left
            try:
                async with asyncio.timeout(left):
                    return await self._feed.next(self._job_id, self.seq, at_once=self.at_once)
            except TimeoutError:
                self.at_once = False


def interrupted() -> ServerSentEvent:
    """Return what a stream ends with that is not at its end: without a number, so that it is resumed where it was."""
    detail = (
        "This stream ends before its end: the service stops, its database is away, or the key that opened the stream "
        "is no longer good. Come back for the rest."
    )
    return ServerSentEvent(event=INTERRUPTED, data={"detail": detail})
