"""What was found out a moment ago, and is not looked up again for a few seconds."""

import time
from collections.abc import Callable

KEPT_SECONDS = 5.0
MOST_KEPT = 10_000


class Kept:
    """What was found in the database a moment ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[object, tuple[float, object]] = {}

    def get(self, key: object) -> object | None:
        """Return what was found, unless it is too old."""
        until, value = self._found.get(key, (0.0, None))
        return value if until > self._clock() else None

    def put(self, key: object, value: object, seconds: float = KEPT_SECONDS) -> None:
        """Keep what was found for some seconds."""
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found[key] = (self._clock() + seconds, value)

    def forget(self) -> None:
        """Forget everything, since something has changed."""
        self._found.clear()
