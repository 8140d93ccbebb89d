"""Renews the leases of what runs, and says that the worker lives. Torch-free."""

import logging
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from app.catalog.verification import keep_verifying
from app.catalog.workers import beat
from app.db.engine import Database
from app.settings import Settings
from app.units.lease import renew
from app.units.plans import keep_planning
from worker.alive import sign_of_life
from worker.execution import Work
from worker.patience import brief
from worker.questions import Question
from worker.registration import Registration
from worker.slots import Slots

logger = logging.getLogger(__name__)

LONGEST_PAUSE_AWAY_SECONDS = 0.5


class Heartbeat:
    """A thread that beats every `heartbeat_seconds`, faster while the database is away.

    Parameters
    ----------
    running : mapping from (unit, attempt) to Work
        What is in hand; others change it.
    questions : collection of Question
        What is being asked of plugins; others change it.
    slots : Slots
        The worker's.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        registration: Registration,
        running: Mapping[tuple[UUID, int], Work],
        questions: Collection[Question],
        slots: Slots,
    ) -> None:
        self._settings = settings
        self._database = database
        self._registration = registration
        self._running = running
        self._questions = questions
        self._slots = slots
        self._stopped = threading.Event()
        self._is_mute = False

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._beat_on, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()

    def _beat_on(self) -> None:
        period = self._settings.heartbeat_seconds
        pause, failing = period, False
        sign = sign_of_life(os.getpid())
        try:
            self._give_sign(sign)
            while not self._stopped.wait(pause):
                self._give_sign(sign)
                try:
                    self._beat()
                    pause, failing = period, False
                except Exception as error:
                    if not failing:
                        logger.warning("cannot renew leases, will go on trying: %s", brief(error))
                    # When the database is back, leases must be renewed before anyone finds them expired.
                    pause, failing = min(period, LONGEST_PAUSE_AWAY_SECONDS), True
        finally:
            sign.unlink(missing_ok=True)

    def _give_sign(self, sign: Path) -> None:
        """Tell who supervises the process that it lives, whether or not the database can be told."""
        try:
            sign.touch()
        except OSError as error:
            if not self._is_mute:
                logger.warning("no sign of life can be given, for whoever looks for it: %s", error)
            self._is_mute = True

    def _beat(self) -> None:
        for (unit_id, attempt), work in list(self._running.items()):
            try:
                with self._database.transaction() as session:
                    answer = renew(session, unit_id, attempt, self._settings.lease_seconds)
            except OperationalError as error:
                # One that is being closed is locked for as long as its job's curves are fitted; the others go on.
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                continue
            if answer != "held":
                work.verdict = answer
        with self._database.transaction() as session:
            wanted: set[UUID] = set()
            if questions := list(self._questions):
                subjects = [question.subject for question in questions]
                wanted = keep_verifying(session, subjects) | keep_planning(session, subjects)
            lent = self._slots.lent
            if not beat(session, self._registration.identity(), len(self._running) + lent, lent):
                self._registration.register(session)
        for question in questions:
            question.is_wanted = question.subject in wanted
