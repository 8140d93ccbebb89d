"""Keeps what plugins write with the job that they wrote it for. Torch-free."""

import logging
import time
from uuid import UUID

from app.db.engine import Database
from app.units.output import Written, keep_output
from worker.output import Output
from worker.patience import brief

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
MOST_WAITING = 500  # pieces; the oldest make way while the database is away


class Diary:
    """The output of one piece of work; nothing about it ever stops the work.

    Parameters
    ----------
    job_id : UUID
        Whose it is.
    attempt : int
        Which try.
    most_bytes : int
        So much is kept of a job, the newest.
    """

    def __init__(self, database: Database, job_id: UUID, attempt: int, most_bytes: int) -> None:
        self._database = database
        self._job_id = job_id
        self._attempt = attempt
        self._most_bytes = most_bytes
        self._waiting: list[Written] = []
        self._write_at = time.monotonic() + EVERY_SECONDS
        self._failing = False

    def note(self, output: Output) -> None:
        """Take over what was written."""
        self._waiting += [Written(self._attempt, *place, text) for place, text in output.take()]
        del self._waiting[:-MOST_WAITING]

    def turn(self, output: Output) -> None:
        """Take over and write, if it is time."""
        if time.monotonic() >= self._write_at:
            self.note(output)
            self.write()

    def write(self) -> None:
        """Write what waits; what cannot be written now is tried again at the next turn."""
        self._write_at = time.monotonic() + EVERY_SECONDS
        if not self._waiting:
            return
        try:
            with self._database.transaction() as session:
                keep_output(session, self._job_id, self._waiting, self._most_bytes)
            self._waiting.clear()
            self._failing = False
        except Exception as error:
            if not self._failing:
                logger.warning("what plugins of job %s write cannot be kept now: %s", self._job_id, brief(error))
            self._failing = True
