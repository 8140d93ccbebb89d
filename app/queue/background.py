"""A thread that does one thing again and again, at once when woken, and survives the database or broker being away."""

import logging
import threading
from abc import ABC, abstractmethod

logger = logging.getLogger(__name__)


class Background(ABC):
    """A loop around `turn`, in a thread of its own.

    Parameters
    ----------
    period : float
        Seconds between turns when nobody wakes it.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    @abstractmethod
    def turn(self) -> None:
        """Do what is to be done now."""

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._loop, name=type(self).__name__.lower(), daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Ask for a turn at once."""
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the turn in hand and end the thread."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
                if self._failing:
                    logger.info("%s works again", type(self).__name__)
                self._failing = False
            except Exception as error:
                # One line when it starts to fail: a database that is away for an hour must not fill the log.
                if not self._failing:
                    logger.warning("%s failed, will go on trying: %s", type(self).__name__, error)
                self._failing = True
            self._woken.wait(self._period)
            self._woken.clear()
