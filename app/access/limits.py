"""How often one may ask: a bucket of requests for each key and person, filled evenly, in the memory of each process.

No shared counter: a request would wait for it, and the broker may be away. So a service of several API processes allows
as many times as much; what must not be exceeded at all are the quotas (`app.access.quotas`), which the database counts.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import ServiceError
from app.settings import Settings

WINDOW_SECONDS = 60
MOST_BUCKETS = 10_000
POLICY = "requests"


class TooManyRequests(ServiceError):
    """One has asked too often."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


@dataclass(frozen=True)
class Allowance:
    """What is left of a bucket after a request.

    Attributes
    ----------
    left : int
        Requests that may follow at once.
    full_in : float
        Seconds until it is full again.
    wait : float
        Seconds until the request may be sent again; 0 where it is allowed.
    """

    left: int
    full_in: float
    wait: float


class Buckets:
    """A bucket for each who asks.

    Parameters
    ----------
    size : int
        Requests that one may send at once, and within a minute on end.
    clock : callable
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = size
        self._rate = size / WINDOW_SECONDS
        self._clock = clock
        self._empty_until: dict[str, float] = {}  # when each will be full: all that a bucket has to know

    def take(self, whose: str) -> Allowance:
        """Take one request out of somebody's bucket, if there is one."""
        now = self._clock()
        if len(self._empty_until) >= MOST_BUCKETS and whose not in self._empty_until:
            self._empty_until = {one: full for one, full in self._empty_until.items() if full > now}
        full = max(self._empty_until.get(whose, 0.0), now)
        after = full + 1 / self._rate
        # To the millisecond: a client that waits as long as it is told must not be refused for a rounding.
        wait = round(after - now - WINDOW_SECONDS, 3)
        if wait > 0:
            return Allowance(0, full - now, wait)
        self._empty_until[whose] = after
        return Allowance(max(0, math.floor(self.size - (after - now) * self._rate + 1e-6)), after - now, 0.0)

    def headers(self, allowance: Allowance) -> dict[str, str]:
        """Return the headers that tell of it (draft-ietf-httpapi-ratelimit-headers)."""
        told = {
            "RateLimit-Policy": f'"{POLICY}";q={self.size};w={WINDOW_SECONDS}',
            "RateLimit": f'"{POLICY}";r={allowance.left};t={math.ceil(allowance.full_in)}',
        }
        return told | ({"Retry-After": str(math.ceil(allowance.wait))} if allowance.wait else {})


def refused(buckets: Buckets, allowance: Allowance) -> TooManyRequests:
    """Return the problem of who has asked too often."""
    detail = (
        f"{buckets.size} requests a minute are allowed; the next one may be sent in {math.ceil(allowance.wait)} s. "
        "Waiting for a job takes fewer: follow its events."
    )
    return TooManyRequests(detail, headers=buckets.headers(allowance))


def buckets_of(settings: Settings) -> Buckets | None:
    """Return the buckets that the settings ask for; who needs no key is on this machine, and is not counted."""
    return None if settings.rate_limit is None or settings.access == "open" else Buckets(settings.rate_limit)
