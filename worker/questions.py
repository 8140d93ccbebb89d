"""Has a trainer read datasets and ask schedule plugins, and records what it answers. Torch-free."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalog.verification import claim_dataset, dataset_invalid, dataset_ready
from app.db.engine import Database, is_away
from app.settings import Settings
from app.units.lease import backoff
from app.units.plans import claim_plan, job_planned, plan_failed
from sufficiency.schemas.work import SplitSource
from sufficiency.training.faults import Fault, describe, fault
from sufficiency.training.memory import MemoryLimit
from sufficiency.training.messages import Answer, AskSchedule, Failed, Request, Steps, Verified, VerifyDataset, Worn
from worker.deaths import TrainerChanged, TrainerLost, timed_out
from worker.diary import Diary
from worker.patience import Drain, Patience
from worker.slot import Slot, SlotShut

logger = logging.getLogger(__name__)

CLAIM_PATIENCE_SECONDS = 60.0


@dataclass(eq=False)
class Question:
    """A dataset or a job that a trainer is being asked about.

    Attributes
    ----------
    is_wanted : bool
        False once the heartbeat has seen that nobody waits for the answer: it is deleted, cancelled, or answered.
    """

    subject: UUID
    is_wanted: bool = True


class Questions:
    """Asks trainers what is not a unit.

    Attributes
    ----------
    open : set of Question
        What is being asked.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        patiently: Patience,
        drain: Drain,
        on_change: Callable[[str], object],
    ) -> None:
        self._on_change = on_change
        self._settings = settings
        self._database = database
        self._patiently = patiently
        self._drain = drain
        self._numbers = itertools.count(1)
        self.open: set[Question] = set()

    def verify_dataset(self, slot: Slot, dataset_id: UUID) -> None:
        """Have the slot's trainer read both splits of a dataset, and record what it found."""
        tries = self._settings.max_deaths
        claim = self._patiently(
            lambda session: claim_dataset(session, dataset_id, tries), patience=CLAIM_PATIENCE_SECONDS
        )
        if claim is None:
            return
        train, test = SplitSource.registered(claim.train), SplitSource.registered(claim.test)
        request = VerifyDataset(subject=dataset_id, attempt=next(self._numbers), train=train, test=test)
        try:
            answer = self._asked(slot, request, "dataset", self._settings.dataset_timeout_seconds)
            if isinstance(answer, Verified):
                told = answer.info, answer.fingerprint, answer.preview
                self._recorded(lambda session: dataset_ready(session, dataset_id, *told), "dataset")
                logger.info("dataset %s verified", dataset_id)
        except Fault as found:
            error = found.error
            self._patiently(lambda session: dataset_invalid(session, dataset_id, error))
            logger.info("dataset %s cannot be used: %s", dataset_id, error["code"])

    def plan_job(self, slot: Slot, job_id: UUID) -> None:
        """Have the slot's trainer ask a job's schedule plugin for the steps, and record them."""
        tries = self._settings.max_deaths
        claim = self._patiently(lambda session: claim_plan(session, job_id, tries), patience=CLAIM_PATIENCE_SECONDS)
        if claim is None:
            return
        request = AskSchedule(subject=job_id, attempt=next(self._numbers), plugin=claim.schedule, size=claim.size)
        try:
            answer = self._asked(slot, request, "schedule", self._settings.schedule_timeout_seconds)
            if isinstance(answer, Steps):
                steps = answer.steps
                self._recorded(
                    lambda session: job_planned(session, job_id, steps, self._settings.max_cells), "schedule"
                )
                logger.info("schedule of job %s: %d steps", job_id, len(steps))
        except Fault as found:
            error = found.error
            self._patiently(lambda session: plan_failed(session, job_id, error))
            logger.info("schedule of job %s names no steps: %s", job_id, error["code"])

    def _recorded(self, write: Callable[[Session], object], phase: str) -> None:
        """Write an answer; one that the database refuses would be refused again, and is not asked for again.

        Raises
        ------
        Fault
            When it is refused.
        """
        try:
            self._patiently(write)
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("an answer could not be recorded")
            detail = f"What was found could not be recorded: {describe(error)}. The worker's log has the whole story."
            raise Fault(fault("worker_error", detail, {"phase": phase}, exception=error)) from error

    def _asked(self, slot: Slot, request: Request, phase: str, limit: float) -> Answer | None:
        """Return a trainer's one answer, or None when the worker stops, or nobody waits for it any more.

        Parameters
        ----------
        limit : float
            Seconds that it may take.

        Raises
        ------
        Fault
            When it answers that it cannot, died again and again, or took too much.
        """
        with self._asked_about(request.subject) as question:
            for tries in itertools.count(1):
                try:
                    return self._answer(slot, request, question, phase, limit)
                except SlotShut:
                    return None
                except TrainerChanged as changed:
                    self._on_change(str(changed))
                    return None
                except TrainerLost as lost:
                    error = lost.error({"phase": phase})
                    if tries >= self._settings.max_attempts:
                        raise Fault(error) from lost
                    # It may have died of something else: of too little memory, or by somebody's hand.
                    logger.warning("%s", error["detail"])
                if self._drain.wait(backoff(tries)) or not question.is_wanted:
                    break
            return None

    def _answer(self, slot: Slot, request: Request, question: Question, phase: str, limit: float) -> Answer | None:
        where = {"phase": phase}
        memory = MemoryLimit(self._settings.trainer_memory)
        trainer = slot.warm()
        trainer.send(request)
        deadline = time.monotonic() + limit
        try:
            while not self._drain.has_begun:
                if not question.is_wanted:
                    logger.info("nobody waits for the %s %s any more: it is let go", phase, request.subject)
                    slot.empty(self._settings.cancel_grace_seconds)
                    return None
                match trainer.receive():
                    case Failed(error=error):
                        raise Fault(error)
                    case None:
                        pass
                    case Worn(why=why):
                        trainer = slot.renewed(why)
                        trainer.send(request)
                        deadline = time.monotonic() + limit
                    case answer:
                        return answer
                excess = memory.error(trainer.family, where)
                if excess is None and time.monotonic() > deadline:
                    excess = timed_out(limit, where, phase)
                if excess is not None:
                    slot.empty()
                    raise Fault(excess)
            return None
        finally:
            if isinstance(request, AskSchedule):
                diary = Diary(self._database, request.subject, 1, self._settings.job_log_bytes)
                diary.note(trainer.output)
                diary.write()

    @contextmanager
    def _asked_about(self, subject: UUID) -> Iterator[Question]:
        """Have the heartbeat say that the subject is being seen to, and look whether it is still to be."""
        question = Question(subject)
        self.open.add(question)
        try:
            yield question
        finally:
            self.open.discard(question)
