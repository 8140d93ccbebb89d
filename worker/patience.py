"""Saying things to a database that may be away for a while. Torch-free."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from app.db.engine import Database, is_away
from sufficiency.training.faults import describe

logger = logging.getLogger(__name__)

T = TypeVar("T")

AWAY_RETRY_SECONDS = (0.1, 1.0)
DRAIN_PATIENCE_SECONDS = 3.0


class Drain:
    """Whether the worker gives its work back, and since when."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self.began = math.inf  # by the monotonic clock

    def begin(self) -> None:
        """Have everybody know."""
        self.began = time.monotonic()
        self._begun.set()

    @property
    def has_begun(self) -> bool:
        """Whether it has begun."""
        return self._begun.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for it; return whether it has begun."""
        return self._begun.wait(seconds)


class Patience:
    """Carries out actions in transactions, each again and again while the database is away.

    Parameters
    ----------
    drain : Drain
        A worker that gives its work back gives up early: the lease brings the unit back.
    """

    def __init__(self, database: Database, drain: Drain) -> None:
        self._database = database
        self._drain = drain

    def __call__(self, action: Callable[[Session], T], *, patience: float = math.inf) -> T:
        """Return what the action returns, in a transaction that was committed.

        Every action says the same when it is repeated, so it may be, also when it is not known whether it was
        committed.

        Raises
        ------
        Exception
            What the database refuses; and that it is away, after `patience` seconds.
        """
        give_up, pause = time.monotonic() + patience, AWAY_RETRY_SECONDS[0]
        while True:
            try:
                with self._database.transaction() as session:
                    return action(session)
            except Exception as error:
                now = time.monotonic()
                if not is_away(error) or now > min(give_up, self._drain.began + DRAIN_PATIENCE_SECONDS):
                    raise
                if pause == AWAY_RETRY_SECONDS[0]:
                    logger.warning("the database is away, will go on trying: %s", brief(error))
                time.sleep(AWAY_RETRY_SECONDS[0] if self._drain.has_begun else pause)
                pause = min(2 * pause, AWAY_RETRY_SECONDS[1])


def brief(error: Exception) -> str:
    """Return an error's first line."""
    return describe(error).splitlines()[0]
