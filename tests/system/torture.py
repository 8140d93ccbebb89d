"""Real faults at seeded moments while customers post jobs and follow them; and what must be true at the end."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import httpx
import psycopg
from pydantic import ByteSize

from app.settings import Settings
from bench.cluster import Cluster, wait_until
from sufficiency import ApiError, Client, ClientError
from tests.support.external import EXTERNAL, ROOT, external_plugins

SETTINGS = Settings(
    access="keys",
    lease_seconds=4.0,
    heartbeat_seconds=1.0,  # after PostgreSQL has been away, leases may be renewed for two such before one is taken
    sweep_seconds=0.5,
    resend_seconds=3.0,
    cancel_grace_seconds=1.0,
    trainer_memory=ByteSize(1200 * 2**20),
    # The others import what takes seconds, again with each worker that starts.
    plugins=external_plugins("[bf]*_plugins.py"),
    plugin_path=(EXTERNAL, ROOT),
    max_attempts=100,  # no unit here is to blame for what happens to it
)
Outcome = Literal["completed", "failed", "cancelled"]
DIGITS = {
    "name": "digits",
    "train": {"loader": "digits", "params": {"split": "train"}},
    "test": {"loader": "digits", "params": {"split": "test"}},
}
STUDY: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sgd-classifier", "params": {"lr": 0.1, "epochs": 4, "batch_size": 8}},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "log_loss", "recall_per_class"]}},
    "dataset": "digits",
    "runs": 2,
    "substeps": 5,
    "reuse": False,
}
# Each with the outcome that its customer is told. "cancelled" is what its customer asks for in mid-job.
STUDIES: dict[str, tuple[dict[str, Any], Outcome]] = {
    "independent": (STUDY | {"runs": 3, "seed": 1}, "completed"),
    "dataeval": (STUDY | {"protocol": "dataeval", "seed": 2}, "completed"),
    "urgent": (STUDY | {"priority": 9, "seed": 3}, "completed"),
    "planned": (STUDY | {"schedule": {"name": "thirds"}, "seed": 4}, "completed"),
    "failing": (STUDY | {"evaluation": {"name": "raises"}, "seed": 5}, "failed"),
    "cancelled": (STUDY | {"runs": 6, "seed": 6}, "cancelled"),
}

Table = list[tuple[Any, ...]]
Moment = Literal["any", "claim", "cell", "state"]


@dataclass
class Snapshot:
    """What the database last said; counters only grow."""

    claims: int = 0
    cells: int = 0
    moves: int = 0


class Observer(threading.Thread):
    """Looks at the database again and again, in a thread of its own, since a stopped PostgreSQL answers nobody."""

    def __init__(self, dsn: str) -> None:
        super().__init__(name="observer", daemon=True)
        self.now = Snapshot()
        self._dsn = dsn
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._dsn, autocommit=True, connect_timeout=2) as connection:
                while not self._ended.wait(0.02):
                    row = connection.execute(
                        "SELECT (SELECT coalesce(sum(attempt), 0) FROM unit), (SELECT coalesce(sum(cells_done), 0)"
                        " FROM job), (SELECT count(*) FROM event WHERE type = 'state')"
                    ).fetchone()
                    assert row is not None
                    self.now = Snapshot(*map(int, row))
            self._ended.wait(0.05)

    def stop(self) -> None:
        self._ended.set()
        self.join(10)


class Prober(threading.Thread):
    """Asks the API all the time; an answer is 200, or 503 with Retry-After, or the connection breaks."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="prober", daemon=True)
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._url, self._headers = cluster.url, cluster.headers
        self._ended = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=10, trust_env=False) as client:
            while not self._ended.wait(0.1):
                for path in ("/jobs", "/workers"):
                    try:
                        answer = client.get(path)
                    except httpx.TransportError:
                        self.answers["no connection"] += 1
                        continue
                    self.answers[str(answer.status_code)] += 1
                    patient = answer.status_code == 503 and answer.headers.get("Retry-After")
                    if answer.status_code != 200 and not patient:
                        self.wrong.append(f"{path}: {answer.status_code} {answer.text[:300]}")

    def stop(self) -> None:
        self._ended.set()
        self.join(30)


@dataclass
class Order:
    """A job that a customer has posted, and what the customer was told of it."""

    study: str
    job_id: str
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    state: str = ""
    was_cancelled: bool = False


class Customer(threading.Thread):
    """Posts studies one after the other with the shipped client, and follows each to its end."""

    def __init__(self, client: Client, name: str, studies: Iterator[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.orders: list[Order] = []
        self.wrong: list[str] = []
        self._client = client
        self._studies = studies
        self._enough = threading.Event()

    def run(self) -> None:
        try:
            for number, study in enumerate(self._studies):
                if self._enough.is_set():
                    return
                self._order(study, f"{self.name}-{number}")
        except Exception as error:
            self.wrong.append(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self._client.close()

    def enough(self) -> None:
        """Post no more."""
        self._enough.set()

    def _order(self, study: str, key: str) -> None:
        spec, outcome = STUDIES[study]
        job = self._patiently(lambda: self._client.submit(spec, idempotency_key=key))
        order = Order(study, job["id"])
        self.orders.append(order)
        while True:
            last = order.events[-1][0] if order.events else None
            try:
                for event in self._client.events(order.job_id, last):
                    order.events.append((event.id, event.type, event.data))
                    if outcome == "cancelled" and event.type == "cell" and not order.was_cancelled:
                        order.was_cancelled = self._cancel(order.job_id)
                break
            except ClientError as error:
                self._must_be_away(error)
        order.state = self._patiently(lambda: self._client.job(order.job_id))["state"]

    def _cancel(self, job_id: str) -> bool:
        try:
            self._patiently(lambda: self._client.cancel(job_id))
        except ApiError as error:
            # It ended first; or the answer to an earlier, successful try was lost.
            if error.status != 409:
                raise
            return self._patiently(lambda: self._client.job(job_id))["state"] in ("cancelling", "cancelled")
        return True

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return ask()
            except ClientError as error:
                self._must_be_away(error)
                time.sleep(0.1)

    def _must_be_away(self, error: ClientError) -> None:
        if isinstance(error, ApiError) and error.status != 503:
            raise error


@dataclass(frozen=True)
class Fault:
    """One fault as it was done."""

    kind: str
    moment: Moment
    at: float
    beside: str  # what else was stopped or down


@dataclass
class Kind:
    """A way to hurt the service; `hurt` returns what it hurt, or None where there was nothing to hurt."""

    name: str
    hurt: Callable[[], object]


class Tormentor:
    """Does faults to a cluster, of each kind equally often, in an order and at moments drawn from a seed."""

    def __init__(self, cluster: Cluster, seed: int, observer: Observer) -> None:
        self.done: list[Fault] = []
        self._cluster = cluster
        self._random = random.Random(seed)
        self._observer = observer
        self._asleep: dict[int, tuple[float, str]] = {}  # stopped process -> when it goes on, and its name
        self._began = time.monotonic()
        self._kinds = [
            Kind("API killed", lambda: self._signal("api", signal.SIGKILL)),
            Kind("API stopped", lambda: self._sleep("api", 0.2, 4)),
            Kind("API terminated", lambda: self._signal("api", signal.SIGTERM)),
            Kind("worker killed", lambda: self._signal(self._worker(), signal.SIGKILL)),
            Kind("worker stopped", lambda: self._sleep(self._worker(), 0.2, 2)),
            Kind("worker stopped beyond its lease", lambda: self._sleep(self._worker(), 5, 7)),
            Kind("worker terminated", lambda: self._signal(self._worker(), signal.SIGTERM)),
            Kind("trainer killed", lambda: self._trainer(signal.SIGKILL)),
            Kind("trainer crashed", lambda: self._trainer(signal.SIGSEGV)),
            Kind("trainer stopped", lambda: self._trainer(signal.SIGSTOP)),
            Kind("Redis killed", lambda: self._signal("redis", signal.SIGKILL)),
            Kind("Redis stopped", lambda: self._sleep("redis", 0.2, 3)),
            Kind("Redis flushed", lambda: self._asleep_now("redis") or self._cluster.flush_redis() or None),
            Kind("PostgreSQL killed", lambda: self._signal("postgres", signal.SIGKILL)),
            Kind("PostgreSQL session killed", self._kill_session),
            Kind("PostgreSQL stopped", lambda: self._sleep("postgres", 0.2, 3)),
            Kind("PostgreSQL restarted", lambda: self._signal("postgres", signal.SIGINT)),
        ]
        self._bag: list[Kind] = []

    def torment(self, faults: int, pause: tuple[float, float]) -> None:
        """Do so many faults, seconds of `pause` apart; then let everything go on."""
        while len(self.done) < faults:
            self._idle(self._random.uniform(*pause))
            moment = self._await(self._random.choice(("any", "claim", "cell", "state")))
            beside = self._beside()
            if not self._bag:
                self._bag = self._random.sample(self._kinds, len(self._kinds))
            kind = self._bag.pop()
            # What is down or stopped already cannot be hurt: the next kind takes its place.
            with suppress(ProcessLookupError):
                if kind.hurt():
                    self.done.append(Fault(kind.name, moment, time.monotonic() - self._began, beside))
        while self._asleep:
            self._idle(0.1)

    def tally(self) -> str:
        """Return how often each kind of fault was done, by moment, and how many while something else was away."""
        moments = ("any", "claim", "cell", "state")
        lines = [f"{'fault':34}" + "".join(f"{m:>7}" for m in moments) + f"{'all':>7}{'beside another':>16}"]
        for kind in [kind.name for kind in self._kinds] + [""]:
            rows = [fault for fault in self.done if not kind or fault.kind == kind]
            counts = Counter(fault.moment for fault in rows)
            beside = sum(bool(fault.beside) for fault in rows)
            lines.append(
                f"{kind or 'all':34}" + "".join(f"{counts[m]:>7}" for m in moments) + f"{len(rows):>7}{beside:>16}"
            )
        return "\n".join(lines)

    def _idle(self, seconds: float) -> None:
        """Wait, and tend the cluster meanwhile."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            for pid in [pid for pid, (end, _) in self._asleep.items() if end <= now]:
                del self._asleep[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._cluster.tend()
            if now >= until:
                return
            time.sleep(0.005)

    def _await(self, moment: Moment) -> Moment:
        """Wait for the next claim, cell or change of state, where one comes within two seconds."""
        before = self._observer.now
        until = time.monotonic() + 2
        happened = {
            "claim": lambda: self._observer.now.claims > before.claims,
            "cell": lambda: self._observer.now.cells > before.cells,
            "state": lambda: self._observer.now.moves > before.moves,
        }
        while moment != "any" and not happened[moment]():
            if time.monotonic() > until:
                return "any"
            self._idle(0.005)
        return moment

    def _beside(self) -> str:
        down = [name for name, child in self._cluster.programs.items() if not child.alive]
        asleep = {name for pid, (_, name) in self._asleep.items()}
        return ", ".join(sorted({*down, *asleep}))

    def _worker(self) -> str:
        return self._random.choice([name for name in self._cluster.programs if name.startswith("worker")])

    def _asleep_now(self, name: str) -> bool | None:
        return None if not any(asleep == name for _, asleep in self._asleep.values()) else False

    def _signal(self, name: str, number: signal.Signals) -> object:
        pid = self._cluster.pid(name)
        if pid is None or (number != signal.SIGKILL and pid in self._asleep):
            return None
        os.kill(pid, number)
        return pid

    def _sleep(self, name: str, least: float, most: float) -> object:
        seconds = self._random.uniform(least, most)
        # A worker's trainers go on by themselves, as they would where only the way to the worker is cut.
        pids = self._cluster.family(name) if name == "postgres" else [self._cluster.pid(name)]
        awake = [pid for pid in pids if pid is not None and pid not in self._asleep]
        for pid in awake:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._asleep[pid] = (time.monotonic() + seconds, name)
        return awake

    def _trainer(self, number: signal.Signals) -> object:
        pids = self._cluster.trainers(self._worker())
        if not pids:
            return None
        pid = self._random.choice(pids)
        if number == signal.SIGSTOP:
            self._asleep[pid] = (time.monotonic() + self._random.uniform(0.2, 3), "trainer")
        os.kill(pid, number)
        return pid

    def _kill_session(self) -> object:
        sessions = self._cluster.family("postgres")[1:]
        if not sessions:
            return None
        os.kill(pid := self._random.choice(sessions), signal.SIGKILL)
        return pid


def table(client: Client, job_id: str) -> Table:
    """Return all that a job has measured, in one order."""
    rows = client.measurements(job_id, "cells")["items"]
    keys = ("run", "step", "n", "n_unique", "metric", "class", "value")
    return sorted((tuple(row[key] for key in keys) for row in rows), key=repr)


def undisturbed(client: Client) -> dict[str, Table]:
    """Return what each study that completes measures when nothing goes wrong."""
    jobs = {name: client.submit(spec)["id"] for name, (spec, outcome) in STUDIES.items() if outcome == "completed"}
    for job_id in jobs.values():
        assert client.wait(job_id, 120)["state"] == "completed"
    return {name: table(client, job_id) for name, job_id in jobs.items()}


@contextmanager
def customers(cluster: Cluster, seed: int, count: int) -> Iterator[list[Customer]]:
    """Run customers for the length of the block; then let each get what it has ordered."""

    def studies(index: int) -> Iterator[str]:
        order = random.Random(f"{seed}-{index}")
        while True:
            yield from order.sample(sorted(STUDIES), len(STUDIES))

    crowd = [Customer(cluster.client(10), f"customer-{index}", studies(index)) for index in range(count)]
    for customer in crowd:
        customer.start()
    try:
        yield crowd
    finally:
        for customer in crowd:
            customer.enough()


def settle(cluster: Cluster, crowd: list[Customer], seconds: float = 300) -> float:
    """Tend the cluster until every customer has an end for what it ordered; return how long that took."""

    def done() -> bool:
        cluster.tend()
        return not any(customer.is_alive() for customer in crowd)

    def why() -> str:
        with psycopg.connect(cluster.dsn) as connection:
            rows = connection.execute(
                "SELECT u.job_id, u.state, u.attempt, u.failures, u.not_before - now(), u.lease_expires_at - now(),"
                " now() - u.sent_at FROM unit u JOIN job j ON j.id = u.job_id"
                " WHERE j.finished_at IS NULL AND u.state <> 'done'"
            ).fetchall()
        return "\n".join(map(str, rows)) + "\n" + cluster.last_words()

    return wait_until(done, seconds, "every job has ended", why)


def violations(cluster: Cluster, crowd: list[Customer], expected: dict[str, Table]) -> list[str]:
    """Return everything that is not as it must be, a line each."""
    wrong = [line for customer in crowd for line in customer.wrong]
    orders = [order for customer in crowd for order in customer.orders]
    with cluster.client() as client, psycopg.connect(cluster.dsn) as connection:
        for order in orders:
            about = f"job {order.job_id} ({order.study})"
            wrong += [f"{about}: {line}" for line in _job_violations(connection, UUID(order.job_id), order)]
            if order.state == "completed" and order.study in expected:
                measured = table(client, order.job_id)
                if measured != expected[order.study]:
                    wrong.append(f"{about}: other measurements: {set(measured) ^ set(expected[order.study])}")
        for what, query in {
            "units still leased": "SELECT count(*) FROM unit WHERE state = 'leased'",
            "jobs that nobody ordered": f"SELECT count(*) - {len(orders)} FROM job WHERE idempotency_key IS NOT NULL",
            "units of ended jobs still open": "SELECT count(*) FROM unit u JOIN job j ON j.id = u.job_id"
            " WHERE j.finished_at IS NOT NULL AND u.state IN ('queued', 'leased')",
            "measurements without a finished cell": "SELECT count(*) FROM measurement m JOIN cell c"
            " USING (job_id, run, step) WHERE c.finished_at IS NULL",
        }.items():
            [(count,)] = connection.execute(query.encode()).fetchall()
            if count:
                wrong.append(f"{what}: {count}")
    return wrong


def _job_violations(connection: psycopg.Connection, job_id: UUID, order: Order) -> Iterator[str]:
    row = connection.execute(
        "SELECT state, cells_done, cells_total, work_done, work_total, event_seq, error FROM job WHERE id = %s",
        [job_id],
    ).fetchone()
    if row is None:
        yield "is gone"
        return
    state, done, total, work_done, work_total, seq, error = row
    told = STUDIES[order.study][1]
    if order.state != state:
        yield f"its customer was told {order.state}, and it is {state}"
    if state != told and not (told == "cancelled" and not order.was_cancelled and state == "completed"):
        yield f"is {state}, not {told}: {error}"
    if state == "failed" and error["code"] != "plugin_raised":
        yield f"failed for another reason: {error}"
    [(finished, all_cells)] = connection.execute(
        "SELECT count(*) FILTER (WHERE finished_at IS NOT NULL), count(*) FROM cell WHERE job_id = %s", [job_id]
    ).fetchall()
    if (done, total) != (finished, all_cells) or (state == "completed" and done != total):
        yield f"counts {done} of {total} cells, and {finished} of {all_cells} are recorded"
    if state == "completed" and work_done != work_total:
        yield f"counts {work_done} of {work_total} items"
    events = connection.execute("SELECT seq, type, data FROM event WHERE job_id = %s ORDER BY seq", [job_id]).fetchall()
    if [event[0] for event in events] != list(range(1, seq + 1)):
        yield f"events {[event[0] for event in events]}, counted {seq}"
    cells = Counter((data["run"], data["step"]) for _, kind, data in events if kind == "cell")
    if len(cells) != finished or set(cells.values()) - {1}:
        yield f"{finished} cells are recorded, and events tell of {cells}"
    if order.events != events:
        yield f"its customer saw the events {[event[0] for event in order.events]}, not 1 to {seq}"
