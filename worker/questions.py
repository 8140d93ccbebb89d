"""Has a trainer read datasets and ask schedule plugins, and records what it answers. Torch-free."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from app.catalog.verification import claim_dataset, dataset_invalid, dataset_ready
from app.settings import Settings
from app.units.lease import backoff
from app.units.plans import claim_plan, job_planned, plan_failed
from sufficiency.schemas.work import SplitSource
from sufficiency.training.faults import Fault
from sufficiency.training.memory import MemoryLimit
from sufficiency.training.messages import Answer, AskSchedule, Failed, Request, Steps, Verified, VerifyDataset, Worn
from worker.deaths import TrainerChanged, TrainerLost, timed_out
from worker.patience import Drain, Patience
from worker.slot import Slot, SlotShut

logger = logging.getLogger(__name__)

CLAIM_PATIENCE_SECONDS = 60.0


class Questions:
    """Asks trainers what is not a unit.

    Attributes
    ----------
    subjects : set of UUID
        The datasets and jobs that are being asked about.
    """

    def __init__(
        self, settings: Settings, patiently: Patience, drain: Drain, on_change: Callable[[str], object]
    ) -> None:
        self._on_change = on_change
        self._settings = settings
        self._patiently = patiently
        self._drain = drain
        self._numbers = itertools.count(1)
        self.subjects: set[UUID] = set()

    def verify_dataset(self, slot: Slot, dataset_id: UUID) -> None:
        """Have the slot's trainer read both splits of a dataset, and record what it found."""
        claim = self._patiently(lambda session: claim_dataset(session, dataset_id), patience=CLAIM_PATIENCE_SECONDS)
        if claim is None:
            return
        train, test = SplitSource.registered(claim.train), SplitSource.registered(claim.test)
        request = VerifyDataset(subject=dataset_id, attempt=next(self._numbers), train=train, test=test)
        try:
            answer = self._asked(slot, request, "dataset")
        except Fault as fault:
            error = fault.error
            self._patiently(lambda session: dataset_invalid(session, dataset_id, error))
            logger.info("dataset %s cannot be used: %s", dataset_id, error["code"])
        else:
            if isinstance(answer, Verified):
                found = answer.info, answer.fingerprint, answer.preview
                self._patiently(lambda session: dataset_ready(session, dataset_id, *found))
                logger.info("dataset %s verified", dataset_id)

    def plan_job(self, slot: Slot, job_id: UUID) -> None:
        """Have the slot's trainer ask a job's schedule plugin for the steps, and record them."""
        claim = self._patiently(lambda session: claim_plan(session, job_id), patience=CLAIM_PATIENCE_SECONDS)
        if claim is None:
            return
        request = AskSchedule(subject=job_id, attempt=next(self._numbers), plugin=claim.schedule, size=claim.size)
        try:
            answer = self._asked(slot, request, "schedule")
        except Fault as fault:
            error = fault.error
            self._patiently(lambda session: plan_failed(session, job_id, error))
            logger.info("schedule of job %s names no steps: %s", job_id, error["code"])
        else:
            if isinstance(answer, Steps):
                steps = answer.steps
                self._patiently(lambda session: job_planned(session, job_id, steps, self._settings.max_cells))
                logger.info("schedule of job %s: %d steps", job_id, len(steps))

    def _asked(self, slot: Slot, request: Request, phase: str) -> Answer | None:
        """Return a trainer's one answer, or None when the worker stops.

        Raises
        ------
        Fault
            When it answers that it cannot, died again and again, or took too much.
        """
        with self._asked_about(request.subject):
            for tries in itertools.count(1):
                try:
                    return self._answer(slot, request, {"phase": phase})
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
                if self._drain.wait(backoff(tries)):
                    break
            return None

    def _answer(self, slot: Slot, request: Request, where: dict[str, Any]) -> Answer | None:
        limit = self._settings.cell_timeout_seconds
        memory = MemoryLimit(self._settings.trainer_memory)
        trainer = slot.warm()
        trainer.send(request)
        deadline = time.monotonic() + limit
        while not self._drain.has_begun:
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
            excess = memory.error(trainer.pid, where)
            if excess is None and time.monotonic() > deadline:
                excess = timed_out(limit, where)
            if excess is not None:
                slot.empty()
                raise Fault(excess)
        return None

    @contextmanager
    def _asked_about(self, subject: UUID) -> Iterator[None]:
        """Have the heartbeat say that the subject is being seen to."""
        self.subjects.add(subject)
        try:
            yield
        finally:
            self.subjects.discard(subject)
