"""How the API holds under load, with few jobs of history and with many: latencies at rising rates, and the knee.

The API runs as it is shipped, with its own PostgreSQL and Redis. Requests are sent at random (Poisson) moments fixed
beforehand, whether or not the earlier ones have been answered, and a latency counts from the moment at which its
request was due: what waits behind a slow answer is not left out. `POST /jobs` submits the tutorial's job (5 runs × 10
steps); what it adds is deleted after every step. Each answer is checked. All is on the loopback address.

The knee is the highest rate at which all requests were answered and p99 was within --limit-ms; an endpoint's rates
rise until it is passed.

    python -m bench.load --history 10 10000 --json load.json
    python -m bench.load --endpoints project --rates 200 --against main     # two versions, turn by turn
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import numpy as np
import psutil
import psycopg
import redis
from sqlalchemy import make_url

from app.db.engine import Database
from app.db.migrate import upgrade
from app.settings import Settings
from app.standalone.servers import EmbeddedServers
from app.standalone.service import free_port
from bench.history import copy_jobs, finish_job
from sufficiency import Client

ROOT = Path(__file__).resolve().parents[1]
RATES = (25, 50, 100, 150, 200, 250, 300, 400, 500, 700, 1000)
MOST_REQUESTS = 20_000  # of one step
MOST_CONNECTIONS = 256
TIMEOUT_SECONDS = 10
# Submitted and done one by one; what there is more of is copied from them.
ENDINGS = ("completed",) * 8 + ("failed", "cancelled")
DIGITS = {split: {"loader": "digits", "params": {"split": split}} for split in ("train", "test")}
JOB = {
    "model": {"name": "tutorial-cnn"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"]}},
    "dataset": "digits",
    "reuse": False,
    "runs": 5,
    "substeps": 10,
    "labels": {"team": "bench"},
}


@dataclass(frozen=True)
class Step:
    """What came of one endpoint at one rate.

    Attributes
    ----------
    achieved : float
        Answers a second, from the first request's moment to the last answer.
    lag_p99_ms : float
        How late the generator itself was: a step in which it could not keep up says nothing of the API.
    api_cpu_ms, postgres_cpu_ms : float
        Processor time a request; unlike latencies, hardly touched by what else the machine does.
    load : float
        Processes that wanted a processor (the system's one-minute average) when the step ended.
    """

    version: str
    history: int
    endpoint: str
    rate: float
    requests: int
    errors: int
    achieved: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    lag_p99_ms: float
    api_cpu_ms: float
    postgres_cpu_ms: float
    load: float


@dataclass(frozen=True)
class Target:
    """One version of the API on one database."""

    version: str
    history: int
    url: str
    database: str  # for psycopg
    redis_url: str
    process: psutil.Process
    completed: Sequence[str]


@dataclass(frozen=True)
class Request:
    """One request and the status that it must be answered with."""

    method: str
    path: str
    expected: int
    body: bytes | None = None


Make = Callable[[Target, random.Random], Request]
ENDPOINTS: dict[str, Make] = {
    "submit": lambda target, draw: Request("POST", "/jobs", 201, json.dumps(JOB).encode()),
    "list": lambda target, draw: Request("GET", "/jobs", 200),
    # As the page asks for it, with one word that few jobs have a part of, and with one that all have
    "list-page": lambda target, draw: Request("GET", "/jobs?count=true&limit=25", 200),
    "list-value": lambda target, draw: Request("GET", "/jobs?count=true&limit=25&sort=-value", 200),
    "list-search": lambda target, draw: Request(
        "GET", f"/jobs?count=true&limit=25&q={draw.choice(target.completed)[-6:]}", 200
    ),
    "list-search-all": lambda target, draw: Request("GET", f"/jobs?count=true&limit=25&q={JOB['dataset'][:2]}", 200),
    "look": lambda target, draw: Request("GET", f"/jobs/{draw.choice(target.completed)}", 200),
    "project": lambda target, draw: Request("GET", f"/jobs/{draw.choice(target.completed)}/project?n=5000", 200),
    # A question that nobody has asked before
    "project-new": lambda target, draw: Request(
        "GET", f"/jobs/{draw.choice(target.completed)}/project?n={draw.randrange(3_000, 1_000_000_000)}", 200
    ),
    "verdict": lambda target, draw: Request("GET", f"/jobs/{draw.choice(target.completed)}/verdict", 200),
}


async def fire(url: str, requests: Sequence[Request], moments: Sequence[float]) -> tuple[list[float], list[float], int]:
    """Send each request at its moment, and return latencies from those moments, the generator's lags, and errors."""
    latencies: list[float] = []
    lags: list[float] = []
    errors = 0
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout, headers=headers) as session:
        await asyncio.gather(*(_ask(session, Request("GET", "/livez", 200)) for _ in range(4)))
        began = time.perf_counter() + 0.1

        async def one(request: Request, due: float) -> None:
            nonlocal errors
            lags.append(time.perf_counter() - due)
            right = await _ask(session, request)
            latencies.append(time.perf_counter() - due)
            errors += not right

        async with asyncio.TaskGroup() as group:
            for request, moment in zip(requests, moments, strict=True):
                due = began + moment
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(one(request, due))
    return latencies, lags, errors


async def _ask(session: aiohttp.ClientSession, request: Request) -> bool:
    try:
        async with session.request(request.method, request.path, data=request.body) as answer:
            await answer.read()
            return answer.status == request.expected
    except (aiohttp.ClientError, TimeoutError):
        return False


def measure(target: Target, endpoint: str, rate: float, seconds: float, seed: int) -> Step:
    """Load one endpoint at one rate."""
    draw = random.Random(seed)
    moments: list[float] = []
    moment = 0.0
    while moment < seconds and len(moments) < MOST_REQUESTS:
        moments.append(moment)
        moment += draw.expovariate(rate)
    requests = [ENDPOINTS[endpoint](target, draw) for _ in moments]
    with server(target) as connection:
        newest = connection.execute("SELECT max(id::text) FROM job").fetchone()
        api, postgres = _cpu(target.process), _postgres_cpu(target)
        began = time.perf_counter()
        latencies, lags, errors = asyncio.run(fire(target.url, requests, moments))
        wall = time.perf_counter() - began - 0.1
        api, postgres = _cpu(target.process) - api, _postgres_cpu(target) - postgres
        if endpoint == "submit":
            _clear(connection, target, newest[0] if newest else None)
    p50, p90, p99 = (float(q) * 1000 for q in np.quantile(latencies, [0.5, 0.9, 0.99], method="higher"))
    return Step(
        target.version,
        target.history,
        endpoint,
        rate,
        len(latencies),
        errors,
        len(latencies) / wall,
        p50,
        p90,
        p99,
        max(latencies) * 1000,
        float(np.quantile(lags, 0.99)) * 1000,
        api * 1000 / len(latencies),
        postgres * 1000 / len(latencies),
        os.getloadavg()[0],
    )


def _clear(connection: psycopg.Connection, target: Target, newest: str | None) -> None:
    """Delete what a step has submitted."""
    connection.execute("DELETE FROM job WHERE id > %s", [newest])
    connection.execute("DELETE FROM outbox")
    flush(target.redis_url)
    connection.execute("VACUUM ANALYZE job, unit, cell, event, outbox")


def flush(redis_url: str) -> None:
    """Take all messages out of the broker."""
    with redis.from_url(redis_url.replace("redis+socket://", "unix://")) as broker:
        broker.flushdb()


@contextmanager
def server(target: Target) -> Iterator[psycopg.Connection]:
    """Yield a connection to a target's database that commits at once."""
    with psycopg.connect(target.database, autocommit=True) as connection:
        yield connection


def _cpu(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (one.cpu_times() for one in family))


def _postgres_cpu(target: Target) -> float:
    """Processor time of the server and its backends, those that have ended included."""
    with server(target) as connection:
        (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        postmaster = psutil.Process(pid).parent()
        assert postmaster is not None
        times = postmaster.cpu_times()
        return times.children_user + times.children_system + _cpu(postmaster)


@contextmanager
def program(name: str, command: Sequence[str], settings: Settings, log: Path, root: Path) -> Iterator[psutil.Process]:
    """Run one of the service's programs from a checkout, and stop it in the end."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("SUFFICIENCY_")}
    env |= settings.environment() | {"PYTHONUNBUFFERED": "1"}
    with log.open("ab") as file:
        child = subprocess.Popen(command, cwd=root, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        yield psutil.Process(child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert child.returncode in (0, -signal.SIGTERM), f"{name} ended with {child.returncode}, see {log}"


@contextmanager
def api(settings: Settings, log: Path, root: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the API of a checkout on a free port."""
    settings = settings.model_copy(update={"port": free_port("127.0.0.1", 0)})
    entry = "sufficiency.cli" if (root / "sufficiency" / "cli").exists() else "app.cli"  # as before 0.2
    with program("the API", [sys.executable, "-m", entry, "serve"], settings, log, root) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", settings.port), timeout=1):
                    break
            except OSError:
                if not process.is_running() or time.monotonic() > deadline:
                    raise SystemExit(f"the API does not start: see {log}") from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{settings.port}", process


@contextmanager
def checkout(version: str) -> Iterator[Path]:
    """Yield a folder with another version of the code: the folder itself, or one that has a revision for a while."""
    if Path(version).is_dir():
        yield Path(version).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="sufficiency-other-") as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, version], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def psycopg_url(database_url: str) -> str:
    """Return an SQLAlchemy URL as psycopg reads it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def do_jobs(settings: Settings, logs: Path) -> None:
    """Fill a new database with a real worker's catalog, a dataset, and a job of each ending."""
    upgrade(settings.database_url)
    with ExitStack() as stack:
        url, _ = stack.enter_context(api(settings, logs / "setup.log", ROOT))
        client = stack.enter_context(Client(url))
        with program("the worker", [sys.executable, "-m", "worker"], settings, logs / "setup.log", ROOT):
            deadline = time.monotonic() + 120
            while not any(plugin["name"] == "digits" for plugin in client.plugins("dataset")):
                if time.monotonic() > deadline:
                    raise SystemExit(f"no worker: see {logs / 'setup.log'}")
                time.sleep(0.2)
            client.add_dataset("digits", **DIGITS)
            client.wait_dataset("digits")
        database = Database(settings.database_url)
        for seed, ending in enumerate(ENDINGS):
            finish_job(database, UUID(client.submit(JOB)["id"]), seed=seed, ending=ending)
        database.dispose()
    flush(settings.redis_url)


def run(options: argparse.Namespace, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure all that the options ask for."""
    steps: list[Step] = []
    with ExitStack() as stack:
        versions = {"this": ROOT}
        if options.against:
            versions["other"] = stack.enter_context(checkout(options.against))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sufficiency-load-")))
        database_url, redis_url = stack.enter_context(EmbeddedServers(folder / "servers"))
        urls = {jobs: str(make_url(database_url).set(database=f"load_{jobs}")) for jobs in options.history}
        with psycopg.connect(psycopg_url(database_url), autocommit=True) as connection:
            for place, (jobs, url) in enumerate(urls.items()):
                first = next(iter(urls))
                source = f" TEMPLATE load_{first} STRATEGY file_copy" if place else ""
                connection.execute(f"CREATE DATABASE load_{jobs}{source}".encode())
                settings = Settings(database_url=url, redis_url=redis_url, slots=1)
                if not place:
                    say(f"{len(ENDINGS)} jobs of 50 cells, through the service")
                    do_jobs(settings, folder)
        targets = []
        for jobs, url in urls.items():
            if jobs > len(ENDINGS):
                say(f"{jobs:,} jobs of history")
                copy_jobs(psycopg_url(url), jobs - len(ENDINGS), say)
            with psycopg.connect(psycopg_url(url)) as connection:
                rows = connection.execute("SELECT id::text FROM job WHERE state = 'completed'").fetchall()
            for version, root in versions.items():
                settings = Settings(database_url=url, redis_url=redis_url)
                log = folder / f"{version}-{jobs}.log"
                at, process = stack.enter_context(api(settings, log, root))
                targets.append(Target(version, jobs, at, psycopg_url(url), redis_url, process, [r[0] for r in rows]))
        say(HEADER)
        for endpoint in options.endpoints:
            for target in targets:  # connections opened, code loaded
                measure(target, endpoint, 20, 2, options.seed)
            rising = list(targets)
            for rate in options.rates:
                # Turn by turn, so that all meet the same machine.
                taken = [step for _ in range(options.repeat) for step in _turn(rising, endpoint, rate, options, say)]
                steps += taken
                rising = [target for target in rising if _within(target, taken, options.limit_ms)]
    knees = _knees(steps, options.limit_ms)
    for one in knees:
        say(f"{one['endpoint']:<11} {one['version']:<6} {one['history']:>7,} jobs: knee at {one['knee']} requests/s")
    return {
        "cores": os.cpu_count(),
        "limit_ms": options.limit_ms,
        "seconds": options.seconds,
        "steps": [asdict(step) for step in steps],
        "knees": knees,
    }


HEADER = (
    f"{'endpoint':<11} {'version':<7} {'history':>7} {'rate':>6} {'answered':>8} {'errors':>6} {'p50':>8} {'p90':>8} "
    f"{'p99':>8} {'max':>8} {'lag p99':>8} {'API CPU':>8} {'PG CPU':>7} {'load':>5}"
)


def _turn(
    targets: Sequence[Target], endpoint: str, rate: float, options: argparse.Namespace, say: Callable[[str], None]
) -> list[Step]:
    steps = []
    for target in targets:
        step = measure(target, endpoint, rate, options.seconds, options.seed)
        say(
            f"{endpoint:<11} {step.version:<7} {step.history:>7,} {rate:>6g} {step.achieved:>8.1f} {step.errors:>6} "
            f"{step.p50_ms:>8.1f} {step.p90_ms:>8.1f} {step.p99_ms:>8.1f} {step.max_ms:>8.1f} {step.lag_p99_ms:>8.1f} "
            f"{step.api_cpu_ms:>8.2f} {step.postgres_cpu_ms:>7.2f} {step.load:>5.2f}"
        )
        steps.append(step)
    return steps


def _within(target: Target, steps: Sequence[Step], limit_ms: float) -> bool:
    own = [s for s in steps if (s.version, s.history) == (target.version, target.history)]
    return not any(s.errors for s in own) and float(np.median([s.p99_ms for s in own])) <= limit_ms


def _knees(steps: Sequence[Step], limit_ms: float) -> list[dict[str, Any]]:
    kinds = dict.fromkeys((s.endpoint, s.version, s.history) for s in steps)
    knees = []
    for endpoint, version, history in kinds:
        own = [s for s in steps if (s.endpoint, s.version, s.history) == (endpoint, version, history)]
        held = 0.0
        for rate in dict.fromkeys(s.rate for s in own):
            at = [s for s in own if s.rate == rate]
            if any(s.errors for s in at) or float(np.median([s.p99_ms for s in at])) > limit_ms:
                break
            held = rate
        knees.append({"endpoint": endpoint, "version": version, "history": history, "knee": held})
    return knees


def main() -> None:
    """Measure, print a table, and write it as JSON if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, nargs="+", default=[len(ENDINGS), 10_000], help="jobs that are there")
    parser.add_argument("--endpoints", nargs="+", choices=list(ENDPOINTS), default=list(ENDPOINTS))
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), help="requests a second, rising")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a step, at most 60")
    parser.add_argument("--repeat", type=int, default=1, help="times that every step is run; their median counts")
    parser.add_argument("--limit-ms", type=float, default=100.0, help="p99 past which the knee lies")
    parser.add_argument("--against", help="another version, measured turn by turn: a revision, or a checkout's folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write it all")
    options = parser.parse_args()
    if not 0 < options.seconds <= 60 or min(options.history) < len(ENDINGS) or max(options.history) > 100_000:
        parser.error(f"--seconds is at most 60, --history {len(ENDINGS)} to 100000")
    found = run(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
