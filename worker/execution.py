"""Has a trainer execute a unit, and writes what it measures. Torch-free."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.db.engine import Database, is_away
from app.settings import Settings
from app.units.giving_up import give_up_cell
from app.units.lease import ClaimedUnit, fail_unit, finish_unit, record_cell, surrender_unit
from app.units.recognising import recognised
from sufficiency.schemas.work import CellFailure, CellResult, SplitSource
from sufficiency.training.faults import describe, fault
from sufficiency.training.memory import MemoryLimit
from sufficiency.training.messages import (
    Done,
    Failed,
    Identified,
    Identify,
    Measured,
    NotMeasurable,
    RunUnit,
    Started,
    Worn,
)
from worker.deaths import TrainerChanged, TrainerLost, timed_out
from worker.diary import Diary
from worker.patience import AWAY_RETRY_SECONDS, Drain, brief
from worker.slot import Slot, SlotShut, TrainerProcess

logger = logging.getLogger(__name__)

STARTING = {"phase": "start"}


@dataclass(frozen=True)
class Ending:
    """How a unit ends, in the words of the lease."""

    way: Literal["finished", "failed", "surrendered", "lost"]
    error: dict[str, Any] | None = None
    counts: bool = False


@dataclass
class Work:
    """A unit in hand."""

    claim: ClaimedUnit
    verdict: Literal["held", "cancelled", "lost"] = "held"  # set by the heartbeat, read by the slot's thread
    place: dict[str, Any] = field(default_factory=lambda: STARTING)
    unwritten: deque[CellResult | CellFailure] = field(default_factory=deque)
    recorded: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every cell of it has ended, written or not."""
        return self.recorded + len(self.unwritten) >= sum(cell.is_open for cell in self.claim.cells)


class Results:
    """Writes the results of one unit as they come; while the database is away, they wait."""

    def __init__(self, database: Database, work: Work) -> None:
        self._database = database
        self._work = work
        self._next_try, self._pause = 0.0, AWAY_RETRY_SECONDS[0]

    def take(self, result: CellResult | CellFailure) -> None:
        """Have what became of one more cell written next."""
        self._work.unwritten.append(result)
        if len(self._work.unwritten) == 1:
            self._next_try = 0.0

    def write(self) -> None:
        """Record what waits, each cell in a transaction of its own; give up for a while if the database is away."""
        work = self._work
        if not work.unwritten or time.monotonic() < self._next_try:
            return
        try:
            while work.unwritten:
                with self._database.transaction() as session:
                    is_ours = _written(session, work.claim, work.unwritten[0])
                if not is_ours:
                    work.verdict = "lost"
                work.unwritten.popleft()
                work.recorded += is_ours
            self._pause = AWAY_RETRY_SECONDS[0]
        except Exception as error:
            if not is_away(error):
                raise
            if len(work.unwritten) == 1 and self._pause == AWAY_RETRY_SECONDS[0]:
                logger.warning("unit %s: its results wait: %s", work.claim.unit_id, brief(error))
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, AWAY_RETRY_SECONDS[1])


class Execution:
    """Executes units, each in a slot.

    Parameters
    ----------
    settings : Settings
        The worker's.
    database : Database
        Where results go.
    drain : Drain
        Once it has begun, every unit is given back at once.
    on_change : callable
        Called when a trainer has other plugins than the worker has made known.
    """

    def __init__(
        self, settings: Settings, database: Database, drain: Drain, on_change: Callable[[str], object]
    ) -> None:
        self._on_change = on_change
        self._settings = settings
        self._database = database
        self._drain = drain

    def executed(self, slot: Slot, work: Work) -> Ending:
        """Have the slot's trainer execute a unit, and return how that ended."""
        try:
            # A trainer that is still importing will find the request; the job may be cancelled before that.
            trainer = slot.warm(work.claim.device)
            request = _identify(work.claim) if work.claim.may_be_known else _request(work.claim)
            trainer.send(request)
            return self._followed(slot, trainer, work, request)
        except SlotShut:
            return Ending("surrendered")
        except TrainerChanged as changed:
            self._on_change(str(changed))
            return Ending("surrendered")
        except TrainerLost as lost:
            if self._drain.has_begun:
                return Ending("surrendered")
            return Ending("surrendered", lost.error(work.place), counts=lost.counts)
        except Exception as error:
            logger.exception("unit %s could not be executed", work.claim.unit_id)
            slot.empty()
            work.unwritten.clear()  # if it was one of them that cannot be written, it cannot be written now either
            detail = f"The worker failed: {describe(error)}. Its log has the whole story."
            return Ending("surrendered", fault("worker_error", detail, work.place, exception=error), counts=True)

    def _followed(self, slot: Slot, trainer: TrainerProcess, work: Work, request: RunUnit | Identify) -> Ending:
        """Write what the trainer measures until it is done, or must stop."""
        limit = self._settings.cell_timeout_seconds
        deadline = time.monotonic() + limit
        memory = MemoryLimit(self._settings.trainer_memory)
        results = Results(self._database, work)
        diary = Diary(self._database, work.claim.job_id, work.claim.attempt, self._settings.job_log_bytes)
        try:
            while not self._drain.has_begun:
                diary.turn(trainer.output)
                if work.verdict == "lost":
                    slot.empty()
                    return Ending("lost")
                if work.verdict == "cancelled":
                    slot.empty(self._settings.cancel_grace_seconds)
                    return Ending("surrendered")
                answer = trainer.receive()
                match answer:
                    case None:
                        if work.place == STARTING and trainer.introduction is not None:
                            work.place = {"phase": "dataset"}
                        if time.monotonic() > deadline:
                            slot.empty()
                            return Ending("failed", timed_out(limit, work.place))
                    case Started(cell=cell):
                        work.place = {**cell.place, "phase": "cell"}
                        deadline = time.monotonic() + limit
                    case Measured(result=result):
                        results.take(result)
                    case NotMeasurable(failure=failure):
                        results.take(failure)
                    case Worn(why=why):
                        trainer = slot.renewed(why)
                        trainer.send(request)
                        deadline = time.monotonic() + limit
                    case Identified(identity=identity):
                        self._take_over(work, identity)
                        if not any(cell.is_open for cell in work.claim.cells):
                            return Ending("finished")
                        request = _request(work.claim)
                        trainer.send(request)
                        deadline = time.monotonic() + limit
                    case Done():
                        return Ending("finished")
                    case Failed(error=error):
                        # Another worker may have the plugin that this one lacks.
                        if error["code"] == "plugin_unavailable":
                            return Ending("surrendered", error, counts=True)
                        return Ending("failed", error)
                if (excess := memory.error(trainer.family, work.place)) is not None:
                    slot.empty()
                    return Ending("failed", excess)
                # The last one is written with the unit's end, which follows at once: one transaction in place of two.
                if answer is None or not work.is_whole:
                    results.write()
            return Ending("surrendered")
        finally:
            diary.note(trainer.output)
            diary.write()

    def _take_over(self, work: Work, identity: str | None) -> None:
        """Have the cells of a unit's job taken over that others have measured, and go on with what is left of it."""
        claim = work.claim
        try:
            with self._database.transaction() as session:
                cells = recognised(session, claim.unit_id, claim.attempt, identity)
        except Exception as error:
            if not is_away(error):
                raise
            # Nobody waits for that: the unit is measured, and the next one asks again.
            logger.warning("unit %s: what others have measured is not looked for: %s", claim.unit_id, brief(error))
            return
        if cells is None:
            work.verdict = "lost"
        else:
            work.claim = replace(claim, cells=cells)

    def close(self, session: Session, work: Work, ending: Ending) -> None:
        """Write what has not been written of a unit, and how it ended."""
        unit_id, attempt = work.claim.unit_id, work.claim.attempt
        for result in work.unwritten:
            _written(session, work.claim, result)
        if ending.way == "finished":
            finish_unit(session, unit_id, attempt)
        elif ending.way == "failed":
            fail_unit(session, unit_id, attempt, ending.error or {}, max_deaths=self._settings.max_deaths)
        else:
            surrender_unit(
                session,
                unit_id,
                attempt,
                ending.error,
                counts=ending.counts,
                max_attempts=self._settings.max_attempts,
                max_deaths=self._settings.max_deaths,
            )


def _written(session: Session, claim: ClaimedUnit, ended: CellResult | CellFailure) -> bool:
    """Write what became of a cell; return whether the unit is the worker's still."""
    if isinstance(ended, CellFailure):
        return give_up_cell(session, claim.unit_id, claim.attempt, ended)
    return record_cell(session, claim.unit_id, claim.attempt, ended)


def log_end(work: Work, ending: Ending, seconds: float) -> None:
    """Say how a unit ended."""
    claim = work.claim
    way = work.verdict if work.verdict != "held" else ending.way
    done = work.recorded + len(work.unwritten)
    why = f": {ending.error['code']}: {ending.error['detail']}" if ending.error else ""
    logger.info(
        "unit %s of job %s (attempt %d) %s: %d cells in %.2f s%s",
        *(claim.unit_id, claim.job_id, claim.attempt, way, done, seconds, why),
    )


def _identify(claim: ClaimedUnit) -> Identify:
    return Identify(
        subject=claim.unit_id,
        attempt=claim.attempt,
        job=claim.job_id,
        spec=claim.spec,
        device=claim.device,
        fingerprint=claim.fingerprint,
    )


def _request(claim: ClaimedUnit) -> RunUnit:
    return RunUnit(
        subject=claim.unit_id,
        attempt=claim.attempt,
        job=claim.job_id,
        spec=claim.spec,
        device=claim.device,
        train=SplitSource.registered(claim.dataset_train),
        test=SplitSource.registered(claim.dataset_test),
        fingerprint=claim.fingerprint,
        cells=tuple(claim.cells),
    )
