"""Waiting for something that the service does, also while the service itself is away for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

from sufficiency.client.errors import ApiError, ServiceUnreachable, WaitTimeout

OUTAGE_SECONDS = 120.0  # how long a service that is away is borne
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
PAUSE_SHARE = 0.02  # of what has been waited so far: the end is seen no later than by this share of the whole

T = TypeVar("T")


def wait_until(look: Callable[[], T], done: Callable[[T], bool], timeout: float | None, late: str) -> T:
    """Look until it is done, and return what was seen then.

    Parameters
    ----------
    look : callable
        Asks the service.
    done : callable
        Whether what was seen is what is waited for.
    timeout : float or None
        Seconds; None as long as it takes.
    late : str
        What to say when it takes longer.

    Raises
    ------
    WaitTimeout
    ApiError, ServiceUnreachable
        When the service is away for longer than it takes to restart, or says no.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    began = heard = time.monotonic()
    while True:
        try:
            if done(seen := look()):
                return seen
            heard = time.monotonic()
        except (ServiceUnreachable, ApiError) as error:
            # The service is given the time to restart: what is waited for goes on without it.
            away = not isinstance(error, ApiError) or error.status == 503
            if not away or time.monotonic() - heard > OUTAGE_SECONDS:
                raise
        waited = time.monotonic() - began
        pause = min(max(FIRST_PAUSE_SECONDS, PAUSE_SHARE * waited), LONGEST_PAUSE_SECONDS)
        if deadline is not None and time.monotonic() + pause > deadline:
            raise WaitTimeout(late)
        time.sleep(pause)
