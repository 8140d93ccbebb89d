"""Takes units under a lease, has trainers execute them, and writes what they measured. Torch-free.

One warm trainer process a slot; one heartbeat thread renews the leases of what runs. Only this side knows the
database, so results wait here while PostgreSQL is away, and plugin code never holds a connection.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from app.db.engine import Database
from app.settings import Settings
from app.units.lease import claim_next
from worker.execution import Execution, Work, log_end
from worker.heartbeat import Heartbeat
from worker.patience import DRAIN_PATIENCE_SECONDS, Drain, Patience, brief
from worker.questions import CLAIM_PATIENCE_SECONDS, Questions
from worker.registration import Registration
from worker.slots import Slots

logger = logging.getLogger(__name__)

LAST_EXIT_SECONDS = 8.0  # below what process managers give before they kill


class Supervisor:
    """The worker's slots and all that it says to the database.

    Parameters
    ----------
    settings : Settings
        The worker's.
    database : Database
        The service's truth.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._drain = Drain()
        self._patiently = Patience(database, self._drain)
        self._slots = Slots(settings)
        self._running: dict[tuple[UUID, int], Work] = {}  # by unit and attempt
        self._claiming = threading.Lock()
        self._known: set[tuple[UUID, int]] = set()  # claims whose answer came, and whose end is not written
        self._execution = Execution(settings, database, self._drain, self._begin_anew)
        self._questions = Questions(settings, database, self._patiently, self._drain, self._begin_anew)
        self._registration: Registration | None = None
        self._heartbeat: Heartbeat | None = None
        self._drain_asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self.at_last: Callable[[], object] = lambda: os._exit(1)  # what is done when it cannot stop in order
        self.start_anew: Callable[[], object] = self.drain  # how the process is replaced by one that looks again

    @property
    def has_free_slot(self) -> bool:
        """Whether another message could be taken now."""
        return self._slots.is_one_free

    @property
    def slots(self) -> int:
        """How many units it executes at a time."""
        return len(self._slots)

    @property
    def taken(self) -> int:
        """How many messages it has taken so far."""
        return self._slots.taken

    @property
    def queues(self) -> list[str]:
        """Where it listens: who has a GPU can do both kinds of work."""
        return ["cpu", "cuda"] if self._slots.device == "cuda" else ["cpu"]

    def start(self) -> None:
        """Start the trainers, learn from one what this worker offers, and make it known.

        Raises
        ------
        NoSuchDevice
            When the settings ask for a GPU and there is none.
        TrainerLost
            When no trainer can be started.
        """
        threading.Thread(target=self._drain_when_asked, name="drain", daemon=True).start()
        offer = self._slots.open()
        self._registration = Registration(offer, self._slots.device, len(self._slots))
        self._patiently(self._registration.register)
        self._heartbeat = Heartbeat(
            self._settings, self._database, self._registration, self._running, self._questions.open, self._slots
        )
        self._heartbeat.start()
        self._registration.log()

    def drain(self) -> None:
        """Stop all work at once and give it back; returns at once, and may be called from a signal handler."""
        self._drain_asked.put(None)

    def close(self) -> None:
        """Drain, wait until every unit is given back, and be forgotten."""
        self.drain()
        self._drain.wait(5.0)
        until = time.monotonic() + DRAIN_PATIENCE_SECONDS + 2.0
        while self._running and time.monotonic() < until:
            time.sleep(0.02)
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._slots.empty()
        if self._registration is not None:
            try:
                self._patiently(self._registration.sign_off)
            except Exception as error:
                logger.warning("could not sign off: %s", brief(error))
        self._closed.set()

    def _begin_anew(self, why: str) -> None:
        """Give everything back, and have a new process make known what there is now: what runs may be of before."""
        logger.warning("%s: starting anew", why)
        self.start_anew()

    def _drain_when_asked(self) -> None:
        self._drain_asked.get()
        self._drain.begin()
        self._slots.shut()
        # A database that is stopped, or a broker that is away, may hold up the threads that are waited for.
        if not self._closed.wait(LAST_EXIT_SECONDS):
            logger.error("could not stop in order within %g s; leases will bring the units back", LAST_EXIT_SECONDS)
            self.at_last()

    # --- what messages ask for

    def run_unit(self, queues: Sequence[str]) -> bool:
        """Claim the next unit of some queues and see it to its end; False when there was none, or it was given back."""
        with self._slots.one() as slot:
            work = self._claimed(queues)
            if work is None:
                return False
            began = time.monotonic()
            key = work.claim.unit_id, work.claim.attempt
            try:
                ending = self._execution.executed(slot, work)
                if ending.way != "lost":
                    self._patiently(lambda session: self._execution.close(session, work, ending))
                self._known.discard(key)
            finally:
                del self._running[key]
            log_end(work, ending, time.monotonic() - began)
            return ending.way in ("finished", "failed")

    def _claimed(self, queues: Sequence[str]) -> Work | None:
        """Claim a unit; one at a time, so that a claim whose answer was lost can be told from another slot's."""
        assert self._registration is not None, "start() registers the worker before it takes work"
        worker_id = self._registration.identity()
        with self._claiming:
            known = list(self._known)
            claim = self._patiently(
                lambda session: claim_next(session, worker_id, queues, self._settings.lease_seconds, known),
                patience=CLAIM_PATIENCE_SECONDS,
            )
            if claim is None:
                return None
            key = claim.unit_id, claim.attempt
            self._known.add(key)
            work = self._running[key] = Work(claim)
            return work

    def verify_dataset(self, dataset_id: UUID) -> None:
        """Have a trainer read both splits of a dataset, and record what it found."""
        with self._slots.one_for_a_question() as slot:
            self._questions.verify_dataset(slot, dataset_id)

    def plan_job(self, job_id: UUID) -> None:
        """Have a trainer ask a job's schedule plugin for the steps, and record them."""
        with self._slots.one_for_a_question() as slot:
            self._questions.plan_job(slot, job_id)

    def rest(self, now: float) -> None:
        """Let go of what is kept for questions, if none has come for long; `now` is by the monotonic clock."""
        self._slots.rest(now)
