"""Takes units under a lease, has trainers execute them, and writes what they measured. Torch-free.

One warm trainer process a slot; one heartbeat thread renews the leases of what runs. Only this side knows the
database, so results wait here while PostgreSQL is away, and plugin code never holds a connection.
"""

import itertools
import logging
import math
import os
import queue
import socket
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.catalog.service import advertise
from app.db.engine import Database
from app.settings import Settings
from app.units.lease import (
    BACKOFF_SECONDS,
    LONGEST_BACKOFF_SECONDS,
    CellResult,
    ClaimedUnit,
    beat,
    claim_dataset,
    claim_plan,
    claim_unit,
    dataset_invalid,
    dataset_ready,
    fail_unit,
    finish_unit,
    forget_worker,
    job_planned,
    keep_asking,
    plan_failed,
    record_cell,
    register_worker,
    renew,
    surrender_unit,
)
from sufficiency.pauses import doubling
from sufficiency.training.channel import Message
from sufficiency.training.faults import describe, fault
from sufficiency.training.memory import MemoryLimit
from worker.slot import Slot, SlotShut, TrainerDied, TrainerProcess

logger = logging.getLogger(__name__)

T = TypeVar("T")

AWAY_RETRY_SECONDS = (0.1, 1.0)
CLAIM_PATIENCE_SECONDS = 60.0
DRAIN_PATIENCE_SECONDS = 3.0
LAST_EXIT_SECONDS = 8.0  # below what process managers give before they kill
STARTING = {"phase": "start"}


class NoSuchDevice(Exception):
    """The worker was told to train on a device that it does not have."""


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
    unwritten: deque[CellResult] = field(default_factory=deque)
    recorded: int = 0


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
        self._slots: list[Slot] = []
        self._free: queue.LifoQueue[Slot] = queue.LifoQueue()
        self._running: dict[tuple[UUID, int], Work] = {}  # by unit and attempt
        self._claiming = threading.Lock()
        self._asking: set[UUID] = set()  # datasets and jobs whose plugin is being asked
        self._worker_id: UUID | None = None
        self._offer: dict[str, Any] = {}
        self._plugins: list[dict[str, Any]] = []
        self._drain_asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._draining = threading.Event()
        self._drained_at = math.inf
        self._stopped = threading.Event()
        self._closed = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        self.device = "cpu"
        self.taken = 0  # messages so far
        self.at_last: Callable[[], object] = lambda: os._exit(1)  # what is done when it cannot stop in order

    @property
    def has_free_slot(self) -> bool:
        """Whether another message could be taken now."""
        return not self._free.empty()

    @property
    def slots(self) -> int:
        """How many units it executes at a time."""
        return len(self._slots)

    @property
    def queues(self) -> list[str]:
        """Where it listens: who has a GPU can do both kinds of work."""
        return ["cpu", "cuda"] if self.device == "cuda" else ["cpu"]

    # --- from start to stop

    def start(self) -> None:
        """Start the trainers, learn from one what this worker offers, and make it known.

        Raises
        ------
        NoSuchDevice
            When the settings ask for a GPU and there is none.
        TrainerDied
            When no trainer can be started.
        """
        threading.Thread(target=self._drain_when_asked, name="drain", daemon=True).start()
        self._open_slots()
        self._patiently(self._register)
        for error in self._offer["plugin_errors"]:
            logger.warning("plugin %s cannot be offered: %s", error.get("plugin"), error.get("error"))
        self._heartbeat.start()
        logger.info(
            "worker %s: %d slots on %s, %d plugins", self._worker_id, self.slots, self.device, len(self._plugins)
        )

    def drain(self) -> None:
        """Stop all work at once and give it back; returns at once, and may be called from a signal handler."""
        self._drain_asked.put(None)

    def close(self) -> None:
        """Drain, wait until every unit is given back, and be forgotten."""
        self.drain()
        self._draining.wait(5.0)
        until = time.monotonic() + DRAIN_PATIENCE_SECONDS + 2.0
        while self._running and time.monotonic() < until:
            time.sleep(0.02)
        self._stopped.set()
        for slot in self._slots:
            slot.empty()
        if self._worker_id is not None:
            try:
                self._patiently(lambda session: forget_worker(session, self._identity()))
            except Exception as error:
                logger.warning("could not sign off: %s", _brief(error))
        self._closed.set()

    def _open_slots(self) -> None:
        wanted = self._settings.device
        first = Slot(0, self._settings, "cpu" if wanted == "cpu" else "cuda")
        self._slots = [first]
        offer = first.trainer().introduction or {}
        if wanted == "cuda" and "cuda" not in offer["devices"]:
            first.empty()
            raise NoSuchDevice("SUFFICIENCY_DEVICE is cuda, but torch finds no CUDA device here")
        if first.device == "cuda" and "cuda" not in offer["devices"]:
            first.trainer().device = first.device = "cpu"
        self.device = first.device
        gpus = _visible_gpus(offer["gpus"]) if self.device == "cuda" else []
        count = self._settings.slots or (len(gpus) if gpus else _cores())
        self._slots += [Slot(index, self._settings, self.device) for index in range(1, count)]
        if len(gpus) > 1:
            first.empty()  # it has seen all GPUs; from now on each slot sees one
            for slot in self._slots:
                slot.gpu = gpus[slot.index % len(gpus)]
        for slot in reversed(self._slots):
            slot.warm()
            self._free.put(slot)
        self._plugins = offer["plugins"]
        self._offer = {
            "devices": ["cpu", "cuda"] if self.device == "cuda" else ["cpu"],
            "slots": count,
            "plugins": [
                f"{plugin['kind']}:{plugin['name']}"
                for plugin in self._plugins
                if "missing" not in plugin["capabilities"]  # the catalog has it, and says what it lacks
            ],
            "plugin_errors": offer["errors"],
            "versions": {f"{plugin['kind']}:{plugin['name']}": plugin["version"] for plugin in self._plugins},
        }

    def _register(self, session: Session) -> None:
        advertise(session, self._plugins)
        if self._worker_id is None:
            self._worker_id = session.scalar(select(func.uuidv7()))
        register_worker(
            session, worker_id=self._worker_id, hostname=socket.gethostname(), pid=os.getpid(), **self._offer
        )

    def _identity(self) -> UUID:
        assert self._worker_id is not None, "start() registers the worker before it takes work"
        return self._worker_id

    def _drain_when_asked(self) -> None:
        self._drain_asked.get()
        self._drained_at = time.monotonic()
        self._draining.set()
        for slot in self._slots:
            slot.shut()
        # A database that is stopped, or a broker that is away, may hold up the threads that are waited for.
        if not self._closed.wait(LAST_EXIT_SECONDS):
            logger.error("could not stop in order within %g s; leases will bring the units back", LAST_EXIT_SECONDS)
            self.at_last()

    # --- the heartbeat

    def _beat_on(self) -> None:
        period = self._settings.heartbeat_seconds
        pause, failing = period, False
        while not self._stopped.wait(pause):
            try:
                self._beat()
                pause, failing = period, False
            except Exception as error:
                if not failing:
                    logger.warning("cannot renew leases, will go on trying: %s", _brief(error))
                # When the database is back, leases must be renewed before anyone finds them expired.
                pause, failing = min(period, 0.5), True

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
            if asking := list(self._asking):
                keep_asking(session, asking)
            if not beat(session, self._identity(), len(self._running)):
                self._register(session)

    # --- units

    def run_unit(self, unit_id: UUID) -> None:
        """Claim a unit and see it to its end; a unit that is not to be had is left alone."""
        with self._slot() as slot:
            work = self._claimed(unit_id)
            if work is None:
                return
            began = time.monotonic()
            try:
                ending = self._executed(slot, work)
                if ending.way != "lost":
                    self._patiently(lambda session: self._close_unit(session, work, ending))
            finally:
                del self._running[unit_id, work.claim.attempt]
            self._log_end(work, ending, time.monotonic() - began)
            self._rewarm(slot)

    def _claimed(self, unit_id: UUID) -> Work | None:
        """Claim a unit; one at a time, so that a claim whose answer was lost can be told from another slot's."""
        with self._claiming:
            held = {attempt for unit, attempt in self._running if unit == unit_id}
            claim = self._patiently(
                lambda session: claim_unit(session, unit_id, self._identity(), self._settings.lease_seconds, held),
                patience=CLAIM_PATIENCE_SECONDS,
            )
            if claim is None:
                return None
            work = self._running[unit_id, claim.attempt] = Work(claim)
            return work

    def _executed(self, slot: Slot, work: Work) -> Ending:
        try:
            # A trainer that is still importing will find the request; the job may be cancelled before that.
            trainer = slot.warm(work.claim.device)
            trainer.send(_unit_request(work.claim))
            return self._followed(slot, trainer, work)
        except SlotShut:
            return Ending("surrendered")
        except TrainerDied as death:
            if self._draining.is_set():
                return Ending("surrendered")
            return Ending("surrendered", death.error(work.place), counts=True)
        except Exception as error:
            logger.exception("unit %s could not be executed", work.claim.unit_id)
            slot.empty()
            work.unwritten.clear()  # if it was one of them that cannot be written, it cannot be written now either
            detail = f"The worker failed: {describe(error)}. Its log has the whole story."
            return Ending("surrendered", fault("worker_error", detail, work.place, exception=error), counts=True)

    def _followed(self, slot: Slot, trainer: TrainerProcess, work: Work) -> Ending:
        """Write what the trainer measures until it is done, or must stop."""
        limit = self._settings.cell_timeout_seconds
        deadline = time.monotonic() + limit
        next_try, pause = 0.0, AWAY_RETRY_SECONDS[0]
        memory = MemoryLimit(self._settings.trainer_memory)
        while not self._draining.is_set():
            if work.verdict == "lost":
                slot.empty()
                return Ending("lost")
            if work.verdict == "cancelled":
                slot.empty(self._settings.cancel_grace_seconds)
                return Ending("surrendered")
            match trainer.receive():
                case None:
                    if work.place == STARTING and trainer.introduction is not None:
                        work.place = {"phase": "dataset"}
                    if time.monotonic() > deadline:
                        slot.empty()
                        return Ending("failed", _timed_out(limit, work.place))
                case {"type": "started", "run": run, "step": step, "n": n}:
                    work.place = {"run": run, "step": step, "n": n, "phase": "cell"}
                    deadline = time.monotonic() + limit
                case {"type": "cell"} as message:
                    work.unwritten.append(_result(message))
                    next_try = 0.0 if len(work.unwritten) == 1 else next_try
                case {"type": "done"}:
                    return Ending("finished")
                case {"type": "error", "error": error}:
                    # Another worker may have the plugin that this one lacks.
                    if error["code"] == "plugin_unavailable":
                        return Ending("surrendered", error, counts=True)
                    return Ending("failed", error)
            if (excess := memory.error(trainer.pid, work.place)) is not None:
                slot.empty()
                return Ending("failed", excess)
            if work.unwritten and time.monotonic() >= next_try:
                try:
                    self._write(work)
                    pause = AWAY_RETRY_SECONDS[0]
                except Exception as error:
                    if not _is_away(error):
                        raise
                    if len(work.unwritten) == 1 and pause == AWAY_RETRY_SECONDS[0]:
                        logger.warning("unit %s: its results wait: %s", work.claim.unit_id, _brief(error))
                    next_try, pause = time.monotonic() + pause, min(2 * pause, AWAY_RETRY_SECONDS[1])
        return Ending("surrendered")

    def _write(self, work: Work) -> None:
        """Record what waits, each cell in a transaction of its own."""
        while work.unwritten:
            with self._database.transaction() as session:
                is_ours = record_cell(session, work.claim.unit_id, work.claim.attempt, work.unwritten[0])
            if not is_ours:
                work.verdict = "lost"
            work.unwritten.popleft()
            work.recorded += is_ours

    def _close_unit(self, session: Session, work: Work, ending: Ending) -> None:
        unit_id, attempt = work.claim.unit_id, work.claim.attempt
        for result in work.unwritten:
            record_cell(session, unit_id, attempt, result)
        if ending.way == "finished":
            finish_unit(session, unit_id, attempt)
        elif ending.way == "failed":
            fail_unit(session, unit_id, attempt, ending.error or {})
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

    def _log_end(self, work: Work, ending: Ending, seconds: float) -> None:
        claim = work.claim
        way = work.verdict if work.verdict != "held" else ending.way
        done = work.recorded + len(work.unwritten)
        why = f": {ending.error['code']}: {ending.error['detail']}" if ending.error else ""
        logger.info(
            "unit %s of job %s (attempt %d) %s: %d cells in %.2f s%s",
            *(claim.unit_id, claim.job_id, claim.attempt, way, done, seconds, why),
        )

    # --- datasets and schedules

    def verify_dataset(self, dataset_id: UUID) -> None:
        """Have a trainer read both splits of a dataset, and record what it found."""
        with self._slot() as slot:
            claim = self._patiently(lambda session: claim_dataset(session, dataset_id), patience=CLAIM_PATIENCE_SECONDS)
            if claim is None:
                return
            with self._asked_about(dataset_id):
                reply = self._asked(slot, {"type": "verify", "train": claim.train, "test": claim.test}, "dataset")
            if reply is None:
                return
            if reply["type"] == "verified":
                info, fingerprint = reply["info"], reply["fingerprint"]
                preview = b64decode(reply["preview"]) if reply.get("preview") else None
                self._patiently(lambda session: dataset_ready(session, dataset_id, info, fingerprint, preview))
            else:
                self._patiently(lambda session: dataset_invalid(session, dataset_id, reply["error"]))
            logger.info("dataset %s %s", dataset_id, reply["type"])
            self._rewarm(slot)

    def plan_job(self, job_id: UUID) -> None:
        """Have a trainer ask a job's schedule plugin for the steps, and record them."""
        with self._slot() as slot:
            claim = self._patiently(lambda session: claim_plan(session, job_id), patience=CLAIM_PATIENCE_SECONDS)
            if claim is None:
                return
            request = {"type": "schedule", "plugin": claim.schedule.model_dump(mode="json"), "size": claim.size}
            with self._asked_about(job_id):
                reply = self._asked(slot, request, "schedule")
            if reply is None:
                return
            if reply["type"] == "steps":
                steps = reply["steps"]
                self._patiently(lambda session: job_planned(session, job_id, steps, self._settings.max_cells))
            else:
                self._patiently(lambda session: plan_failed(session, job_id, reply["error"]))
            logger.info("schedule of job %s: %s", job_id, reply["type"])
            self._rewarm(slot)

    def _asked(self, slot: Slot, request: Message, phase: str) -> Message | None:
        """Return a trainer's one answer, also when it is that it died; None when the worker stops."""
        where = {"phase": phase}
        for attempt in itertools.count(1):
            try:
                return self._answer(slot, request, where)
            except SlotShut:
                return None
            except TrainerDied as death:
                if attempt >= self._settings.max_attempts:
                    return {"type": "error", "error": death.error(where)}
                # It may have died of something else: of too little memory, or by somebody's hand.
                logger.warning("%s", death.error(where)["detail"])
            if self._draining.wait(doubling(BACKOFF_SECONDS, attempt, LONGEST_BACKOFF_SECONDS)):
                break
        return None

    def _answer(self, slot: Slot, request: Message, where: dict[str, Any]) -> Message | None:
        limit = self._settings.cell_timeout_seconds
        memory = MemoryLimit(self._settings.trainer_memory)
        trainer = slot.warm()
        trainer.send(request)
        deadline = time.monotonic() + limit
        while not self._draining.is_set():
            reply = trainer.receive()
            if reply is not None:
                return reply
            if (error := memory.error(trainer.pid, where)) is not None:
                slot.empty()
                return {"type": "error", "error": error}
            if time.monotonic() > deadline:
                slot.empty()
                return {"type": "error", "error": _timed_out(limit, where)}
        return None

    @contextmanager
    def _asked_about(self, subject: UUID) -> Iterator[None]:
        """Have the heartbeat say that the subject is being seen to."""
        self._asking.add(subject)
        try:
            yield
        finally:
            self._asking.discard(subject)

    # --- slots and the database

    @contextmanager
    def _slot(self) -> Iterator[Slot]:
        slot = self._free.get()
        self.taken += 1
        try:
            yield slot
        finally:
            self._free.put(slot)

    def _rewarm(self, slot: Slot) -> None:
        with suppress(SlotShut):
            slot.warm()

    def _patiently(self, action: Callable[[Session], T], *, patience: float = math.inf) -> T:
        """Carry out an action in a transaction, again and again while the database is away.

        Every action says the same when it is repeated, so it may be, also when it is not known whether it was
        committed. A stopping worker gives up early: the lease brings the unit back.
        """
        give_up, pause = time.monotonic() + patience, AWAY_RETRY_SECONDS[0]
        while True:
            try:
                with self._database.transaction() as session:
                    return action(session)
            except Exception as error:
                now = time.monotonic()
                if not _is_away(error) or now > min(give_up, self._drained_at + DRAIN_PATIENCE_SECONDS):
                    raise
                if pause == AWAY_RETRY_SECONDS[0]:
                    logger.warning("the database is away, will go on trying: %s", _brief(error))
                time.sleep(pause if not self._draining.is_set() else AWAY_RETRY_SECONDS[0])
                pause = min(2 * pause, AWAY_RETRY_SECONDS[1])


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached, as against: it refused."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def _brief(error: Exception) -> str:
    return describe(error).splitlines()[0]


def _unit_request(claim: ClaimedUnit) -> Message:
    return {
        "type": "unit",
        "spec": claim.spec.model_dump(mode="json"),
        "device": claim.device,
        "train": claim.dataset_train,
        "test": claim.dataset_test,
        "fingerprint": claim.fingerprint,
        "cells": [{"run": cell.run, "step": cell.step, "n": cell.n, "done": cell.done} for cell in claim.cells],
    }


def _result(message: Message) -> CellResult:
    return CellResult(
        run=message["run"],
        step=message["step"],
        n_unique=message["n_unique"],
        seconds=message["seconds"],
        device=message["device"],
        values=[(metric, class_index, value) for metric, class_index, value in message["values"]],
    )


def _timed_out(limit: float, where: dict[str, Any]) -> dict[str, Any]:
    what = f"Run {where['run']}, step {where['step']} (n = {where['n']})" if "run" in where else "Reading the data"
    detail = f"{what} took longer than {limit:g} s. Make it cheaper, or raise SUFFICIENCY_CELL_TIMEOUT_SECONDS."
    return fault("cell_timeout", detail, where)


def _visible_gpus(count: int) -> list[str]:
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] or [str(index) for index in range(count)]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
