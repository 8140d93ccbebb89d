"""Worlds in which everything that can happen to a job happens in an order drawn from a seed, by a clock of their own.

A world has the API, its relay and its sweeper, a broker in this process, and workers that are played. One step at a
time is drawn: a worker claims, measures, dies, falls silent, or speaks up long after its lease has ended; messages get
lost or double; the clock leaps. Whoever speaks without right says what is wrong, so that it would be seen.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
from fastapi import FastAPI
from kombu.transport import memory
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app.catalog.plugins import advertise
from app.catalog.workers import beat, register_worker
from app.db.engine import Database
from app.main import create_app
from app.settings import Settings
from app.units.lease import (
    CellResult,
    ClaimedUnit,
    claim_next,
    fail_unit,
    finish_unit,
    record_cell,
    renew,
    surrender_unit,
)
from tests.support.service import NAMES, PLUGINS, Service, TestClient

LEASE_SECONDS = 10.0
DIED = {"code": "trainer_killed", "detail": "The trainer was killed by SIGKILL.", "where": {"run": 0, "step": 0}}
RAISED = {"code": "plugin_raised", "detail": "The training raised.", "where": {"phase": "training"}}
# What jobs look like: one unit, one unit a run, one unit a cell.
SHAPES: tuple[dict[str, Any], ...] = (
    {"protocol": "dataeval", "runs": 1},
    {"protocol": "dataeval", "runs": 2},
    {"protocol": "independent", "runs": 1},
)
# A clock that stands still unless it is told: what is found before PostgreSQL's own functions of these names.
CLOCK = (
    "CREATE SCHEMA clock",
    "CREATE TABLE clock.hand AS SELECT pg_catalog.now() AS at",
    "CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hand'",
    "CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hand'",
)
DEFAULTS = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"


def truth(n: int, run: int) -> float:
    """Return what a cell measures."""
    return round(1 - 1 / n + run / 1000, 6)


@dataclass
class Held:
    """A unit as the worker that claimed it knows it."""

    claim: ClaimedUnit
    done: set[tuple[int, int]] = field(default_factory=set)

    @property
    def key(self) -> tuple[UUID, int]:
        """The claim."""
        return self.claim.unit_id, self.claim.attempt

    @property
    def left(self) -> list[Any]:
        """The cells that are not measured."""
        return [cell for cell in self.claim.cells if not cell.done and (cell.run, cell.step) not in self.done]


@dataclass
class Worker:
    """One slot."""

    id: UUID
    held: Held | None = None
    silent: bool = False
    forgotten: bool = False
    has_run: bool = False


@dataclass
class Asked:
    """What was done for a job and to it, as those know who did it."""

    job_id: str
    cancelled: bool = False
    hurt: int = 0  # deaths, silences and leaps of the clock while one of its units was held
    raised: bool = False
    recorded: set[tuple[int, int]] = field(default_factory=set)


class World:
    """The service without threads and without time, and a seeded order of what happens in it."""

    def __init__(self, client: TestClient, service: Service, dsn: str, clock: SimpleNamespace) -> None:
        self._clock = clock
        self._service = service
        self.client = client
        self._hand = psycopg.connect(dsn, autocommit=True)
        self._random = random.Random()
        self._workers: list[Worker] = []
        self._newest: dict[UUID, int] = {}  # the newest attempt at each unit
        self.jobs: dict[str, Asked] = {}
        self.told: list[str] = []

    def close(self) -> None:
        """Let go of the clock."""
        self._hand.close()

    def play(self, seed: int, jobs: int) -> list[Asked]:
        """Have everything happen to so many new jobs, then nothing bad until all have ended; return the jobs."""
        self._random.seed(seed)
        self.told = [f"seed {seed}"]
        self._workers = [self._worker() for _ in range(self._random.randint(1, 1 + jobs // 4))]
        self.jobs = {}
        happenings = [one for one, weight in self._happenings for _ in range(weight)]
        for place in range(jobs):
            if self._random.random() < 0.5 or not place:
                self._submit()
            for _ in range(self._random.randint(0, 20)):
                self._random.choice(happenings)()
        for _ in range(jobs - len(self.jobs)):
            self._submit()
        for _ in range(4 * jobs):
            self._random.choice(happenings)()
        self._settle()
        return list(self.jobs.values())

    @property
    def _happenings(self) -> list[tuple[Callable[[], None], int]]:
        return [
            (self._someone_works, 60),
            (self._relay, 5),
            (self._sweep, 2),
            (lambda: self._pass(self._random.choice((0.5, 3.0, LEASE_SECONDS / 2))), 4),
            (lambda: self._pass(LEASE_SECONDS * 1.1), 1),
            (self._someone_is_hurt, 6),
            (self._messages_change, 1),
            (self._cancel, 2),
        ]

    # Time, messages, customers

    def _say(self, what: str) -> None:
        self.told.append(what)

    def _pass(self, seconds: float) -> None:
        """Let time pass; who is well says so beforehand, most of the time."""
        heard = [worker for worker in self._workers if not worker.silent and self._random.random() < 0.8]
        with self._service.database.transaction() as session:
            for worker in heard:
                if not beat(session, worker.id, int(worker.held is not None)):
                    worker.forgotten = True
                if worker.held is not None:
                    self._renew(session, worker, worker.held)
        for worker in self._workers:
            if worker.held is not None and (worker not in heard or seconds >= LEASE_SECONDS):
                self.jobs[str(worker.held.claim.job_id)].hurt += 1  # its lease may run out
        self._say(f"{seconds:g} s pass")
        self._clock.seconds += seconds
        self._hand.execute("UPDATE clock.hand SET at = at + make_interval(secs => %s)", [seconds])

    def _relay(self) -> None:
        self._say("the relay sends")
        self.client.app.state.relay.turn()  # type: ignore[attr-defined]

    def _sweep(self) -> None:
        self._say("the sweeper sweeps")
        self.client.app.state.sweeper.turn()  # type: ignore[attr-defined]

    def _messages_change(self) -> None:
        messages = memory.Channel.queues.get("cpu")
        if messages is None:
            return
        waiting = _drained(messages)
        if self._random.random() < 0.5:
            self._say(f"{len(waiting)} messages are lost")
            return
        self._say(f"{len(waiting)} messages come twice")
        for message in waiting * 2:
            messages.put(message)

    def _submit(self) -> None:
        spec = {**self._service.spec(schedule=[10, 20]), **self._random.choice(SHAPES)}
        answer = self.client.post("/jobs", json=spec)
        assert answer.status_code == 201, answer.text
        job_id = answer.json()["id"]
        self.jobs[job_id] = Asked(job_id)

    def _cancel(self) -> None:
        asked = self._random.choice(list(self.jobs.values()))
        answer = self.client.post(f"/jobs/{asked.job_id}/cancel")
        self._say(f"cancel {asked.job_id}: {answer.status_code}")
        assert answer.status_code in (202, 409), answer.text
        asked.cancelled |= answer.status_code == 202

    # Workers

    def _worker(self) -> Worker:
        with self._service.database.transaction() as session:
            return Worker(
                register_worker(
                    session, hostname="w", pid=1, devices=["cpu"], slots=1, plugins=list(NAMES), plugin_errors=[]
                )
            )

    def _someone_works(self) -> None:
        self._work(self._random.choice(self._workers))

    def _work(self, worker: Worker, *, well: bool = False) -> None:
        """Take the next step of a worker; `well` is one that does nothing but what it should."""
        if worker.silent and not well:
            if self._random.random() < 0.7:
                return
            self._say("a silent worker speaks up")
        worker.silent = False
        if worker.held is None:
            self._claim(worker)
        elif worker.held.left and (well or self._random.random() < 0.95):
            self._measure(worker, worker.held)
        else:
            self._finish(worker, worker.held)

    def _claim(self, worker: Worker) -> None:
        messages = memory.Channel.queues.get("cpu")
        if messages is not None and messages.qsize():
            messages.get_nowait()
        elif not worker.has_run:
            return
        if worker.forgotten:
            worker.id, worker.forgotten = self._worker().id, False
        with self._service.database.transaction() as session:
            claim = claim_next(session, worker.id, ["cpu"], LEASE_SECONDS)
        worker.has_run = claim is not None
        if claim is None:
            return
        self._say(f"claim {claim.unit_id}, attempt {claim.attempt}")
        assert claim.attempt > self._newest.get(claim.unit_id, 0), self.told
        self._newest[claim.unit_id] = claim.attempt
        if self._random.random() < 0.05:
            self._say("and the answer is lost")
            self.jobs[str(claim.job_id)].hurt += 1
            return
        worker.held = Held(claim)

    def _measure(self, worker: Worker, held: Held) -> None:
        cell = self._random.choice(held.left)
        mine = self._newest[held.claim.unit_id] == held.claim.attempt
        # Who speaks without right says what is not so: it must be nowhere in what is answered.
        value = truth(cell.n, cell.run) if mine else -1.0
        result = CellResult(cell.run, cell.step, cell.n, 0.5, "cpu", [("Accuracy", -1, value)])
        with self._service.database.transaction() as session:
            is_mine = record_cell(session, held.claim.unit_id, held.claim.attempt, result)
        self._say(f"record {cell.run}, {cell.step} of {held.claim.unit_id}, attempt {held.claim.attempt}: {is_mine}")
        if not is_mine:
            worker.held = None
            return
        held.done.add((cell.run, cell.step))
        self.jobs[str(held.claim.job_id)].recorded.add((cell.run, cell.step))

    def _renew(self, session: Session, worker: Worker, held: Held) -> None:
        answer = renew(session, *held.key, LEASE_SECONDS)
        if answer == "cancelled":
            surrender_unit(session, *held.key, None, counts=False)
        self._say(f"renew {held.claim.unit_id}, attempt {held.claim.attempt}: {answer}")
        if answer != "held":
            worker.held = None

    def _finish(self, worker: Worker, held: Held) -> None:
        self._say(f"finish {held.claim.unit_id}, attempt {held.claim.attempt}, {len(held.left)} cells left")
        with self._service.database.transaction() as session:
            finish_unit(session, *held.key)
        worker.held = None

    def _someone_is_hurt(self) -> None:
        worker = self._random.choice(self._workers)
        held, worker_hurts = worker.held, self._random.choice(("dies", "stops", "silent", "gone", "raises"))
        if held is None:
            return
        self._say(f"the worker of {held.claim.unit_id}, attempt {held.claim.attempt}: {worker_hurts}")
        asked = self.jobs[str(held.claim.job_id)]
        asked.hurt += worker_hurts in ("dies", "silent", "gone")
        with self._service.database.transaction() as session:
            match worker_hurts:
                case "silent":
                    worker.silent = True
                    return
                case "dies":
                    surrender_unit(session, *held.key, DIED, counts=True)
                case "stops":
                    surrender_unit(session, *held.key, None, counts=False)
                case "raises":
                    asked.raised |= self._newest[held.claim.unit_id] == held.claim.attempt
                    fail_unit(session, *held.key, RAISED)
        if worker_hurts == "gone":
            self._workers[self._workers.index(worker)] = self._worker()
        worker.held = None

    # The end

    def _settle(self) -> None:
        """Let everything go on, as it does where nothing goes wrong any more, until all jobs have ended."""
        self._say("nothing goes wrong any more")
        for _ in range(40):
            for worker in self._workers:
                while worker.held is not None or self._may_claim(worker):
                    self._work(worker, well=True)
            if self._all_ended():
                return
            self._pass(LEASE_SECONDS * 0.6)
            self._sweep()
            self._relay()
        raise AssertionError("\n".join(["jobs do not end", *self.told]))

    @staticmethod
    def _may_claim(worker: Worker) -> bool:
        messages = memory.Channel.queues.get("cpu")
        return worker.has_run or (messages is not None and messages.qsize() > 0)

    def _all_ended(self) -> bool:
        listed = self.client.get("/jobs", params={"state": ["queued", "running", "cancelling"], "limit": 5}).json()
        return not listed["items"]


def _drained(messages: Any) -> list[Any]:
    found = []
    while messages.qsize():
        found.append(messages.get_nowait())
    return found


def _still(app: FastAPI) -> FastAPI:
    """Have what would act by itself wait to be told."""
    for thread in (app.state.relay, app.state.sweeper, app.state.deliverer):
        thread.start = lambda: None
    return app


@contextmanager
def world(database_url: str) -> Iterator[World]:
    """Make a world on a database of its own."""
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in CLOCK:
            connection.execute(statement.encode())
        for table, column in connection.execute(f"{DEFAULTS} AND column_default = 'now()'".encode()).fetchall():
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT clock.now()".encode())
        name = make_url(database_url).database
        connection.execute(f"ALTER DATABASE {name} SET search_path = clock, pg_catalog, public".encode())
    settings = Settings(
        database_url=database_url,
        lease_seconds=LEASE_SECONDS,
        heartbeat_seconds=1e-6,  # no time is given after a start: this PostgreSQL is as old as the clock
        resend_seconds=5.0,
        max_attempts=3,
        max_deaths=5,
    ).model_copy(update={"redis_url": "memory://"})
    clock = SimpleNamespace(seconds=0.0)
    steady = SimpleNamespace(monotonic=lambda: clock.seconds)
    with patch("app.units.sweeper.time", steady), TestClient(_still(create_app(settings))) as client:
        service = Service(client, Database(database_url), settings)
        with service.database.transaction() as session:
            advertise(session, PLUGINS)
        service.dataset("small")
        memory.Channel.queues.clear()
        made = World(client, service, url, clock)
        try:
            yield made
        finally:
            made.close()
            service.database.dispose()
            memory.Channel.queues.clear()
