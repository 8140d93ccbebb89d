"""How the API holds under load, with few jobs of history and with many: latencies at rising rates, and the knee.

Another version is measured turn by turn with this one, on tables of its own (`bench.versions`).

The API runs as it is shipped, with its own PostgreSQL and Redis. Requests are sent at random (Poisson) moments fixed
beforehand, whether or not the earlier ones have been answered, and a latency counts from the moment at which its
request was due: what waits behind a slow answer is not left out. `POST /jobs` submits the tutorial's job (5 runs × 10
steps); what it adds is deleted after every step. Each answer is checked. All is on the loopback address.

The knee is the highest rate at which all requests were answered and p99 was within --limit-ms; an endpoint's rates
rise until it is passed.

    python -m bench.load --history 10 10000 --json load.json
    python -m bench.load --endpoints answers known --history 10 --rates 100 --repeat 3 --against 67547f4
    python -m bench.load --endpoints lists --history 10 1000 100000 --rates 10
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
from sqlalchemy import make_url

from app.settings import Settings
from app.standalone.servers import EmbeddedServers
from bench.asking import ENDPOINTS, GROUPS, Target, fire, knows, remember
from bench.history import WHOLE
from bench.versions import ENDINGS, JOB, THIS, Version, api, do_jobs, flush, other, psycopg_url

__all__ = ["JOB", "do_jobs"]  # what `Version.fill` of a later revision asks of this one

RATES = (25, 50, 100, 150, 200, 250, 300, 400, 500, 700, 1000)
SETTLE_SECONDS, REST_SECONDS = 3.0, 8.0
MOST_REQUESTS = 20_000  # of one step


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
        Processor time a request; unlike latencies, little touched by what else the machine does.
    api_above_rest_ms : float
        What of the API's is the request's: without what the API takes in the same time when nobody asks.
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
    api_above_rest_ms: float
    postgres_cpu_ms: float
    load: float


def measure(target: Target, endpoint: str, rate: float, seconds: float, seed: int) -> Step:
    """Load one endpoint at one rate."""
    draw = random.Random(seed)
    moments: list[float] = []
    moment = 0.0
    while moment < seconds and len(moments) < MOST_REQUESTS:
        moments.append(moment)
        moment += draw.expovariate(rate)
    requests = asyncio.run(remember(target.url, [ENDPOINTS[endpoint](target, draw) for _ in moments]))
    with server(target) as connection:
        newest = connection.execute("SELECT max(id::text) FROM job").fetchone()
        api, postgres = _cpu(target.process), _postgres_cpu(target)
        began = time.perf_counter()
        latencies, lags, errors = asyncio.run(fire(target.url, requests, moments))
        whole = time.perf_counter() - began
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
        len(latencies) / (whole - 0.1),
        p50,
        p90,
        p99,
        max(latencies) * 1000,
        float(np.quantile(lags, 0.99)) * 1000,
        api * 1000 / len(latencies),
        (api - target.at_rest * whole) * 1000 / len(latencies),
        postgres * 1000 / len(latencies),
        os.getloadavg()[0],
    )


def _clear(connection: psycopg.Connection, target: Target, newest: str | None) -> None:
    """Delete what a step has submitted."""
    connection.execute("DELETE FROM job WHERE id > %s", [newest])
    connection.execute("DELETE FROM outbox")
    flush(target.redis_url)
    connection.execute("VACUUM ANALYZE job, unit, cell, event, outbox")


@contextmanager
def server(target: Target) -> Iterator[psycopg.Connection]:
    """Yield a connection to a target's database that commits at once."""
    with psycopg.connect(target.database, autocommit=True) as connection:
        yield connection


def _cpu(process: psutil.Process) -> float:
    spent = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a backend that has just ended, which its server then counts
            times = one.cpu_times()
            spent += times.user + times.system
    return spent


def _postgres_cpu(target: Target) -> float:
    """Processor time of the server and its backends, those that have ended included."""
    with server(target) as connection:
        (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        postmaster = psutil.Process(pid).parent()
        assert postmaster is not None
        times = postmaster.cpu_times()
        return times.children_user + times.children_system + _cpu(postmaster)


# Completed jobs, the oldest first, of those that have all of their rows
_WHOLE = """
SELECT id::text FROM (SELECT id, state FROM job ORDER BY id DESC LIMIT %s) AS newest
WHERE state = 'completed' ORDER BY id
"""


def _fill(
    version: Version,
    history: Sequence[int],
    database_url: str,
    redis_url: str,
    folder: Path,
    say: Callable[[str], None],
) -> dict[int, str]:
    """Make a version's databases, and return their URLs by number of jobs."""
    first = f"load_{version.name}"
    urls = {jobs: str(make_url(database_url).set(database=f"{first}_{jobs}")) for jobs in history}
    with psycopg.connect(psycopg_url(database_url), autocommit=True) as connection:
        say(f"{version.name}: {len(ENDINGS)} jobs of 50 cells, through the service")
        connection.execute(f"CREATE DATABASE {first}".encode())
        version.fill(str(make_url(database_url).set(database=first)), redis_url, folder)
        for jobs, url in urls.items():
            connection.execute(f"CREATE DATABASE {first}_{jobs} TEMPLATE {first} STRATEGY file_copy".encode())
            if jobs > len(ENDINGS):
                say(f"{version.name}: {jobs:,} jobs of history")
                version.copy(url, jobs - len(ENDINGS))
    return urls


def _at_rest(targets: Sequence[Target], say: Callable[[str], None]) -> list[Target]:
    """Return the targets with what their APIs take of a core while nobody asks."""
    time.sleep(SETTLE_SECONDS)
    before, began = [_cpu(one.process) for one in targets], time.perf_counter()
    time.sleep(REST_SECONDS)
    seconds = time.perf_counter() - began
    shares = [(_cpu(one.process) - spent) / seconds for one, spent in zip(targets, before, strict=True)]
    for one, share in zip(targets, shares, strict=True):
        say(f"{one.version}, {one.history:,} jobs: {share:.1%} of a core at rest")
    return [replace(one, at_rest=share) for one, share in zip(targets, shares, strict=True)]


def _knows(target: Target, endpoint: str, say: Callable[[str], None]) -> bool:
    """Return whether a version answers such a request at all."""
    known = asyncio.run(knows(target.url, ENDPOINTS[endpoint](target, random.Random(0))))
    if not known:
        say(f"{endpoint:<22} {target.version:<6} does not answer that")
    return known


def run(options: argparse.Namespace, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure all that the options ask for."""
    steps: list[Step] = []
    with ExitStack() as stack:
        versions = [THIS]
        if options.against:
            versions.append(stack.enter_context(other(options.against)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sufficiency-load-")))
        database_url, redis_url = stack.enter_context(EmbeddedServers(folder / "servers"))
        targets: list[Target] = []
        urls: dict[int, str] = {}
        for version in versions:
            if not (options.same_tables and urls):
                urls = _fill(version, options.history, database_url, redis_url, folder, say)
            job = version.job()
            for jobs, url in urls.items():
                with psycopg.connect(psycopg_url(url)) as connection:
                    rows = connection.execute(_WHOLE, [WHOLE]).fetchall()
                settings = Settings(database_url=url, redis_url=redis_url)
                at, process = stack.enter_context(api(settings, folder / f"{version.name}-{jobs}.log", version))
                ids = [id for (id,) in rows]
                targets.append(Target(version.name, jobs, at, psycopg_url(url), redis_url, process, job, ids))
        targets = _at_rest(targets, say)
        targets.sort(key=lambda target: options.history.index(target.history))
        say(HEADER)
        for endpoint in options.endpoints:
            rising = [one for one in targets if _knows(one, endpoint, say)]
            for target in rising:  # connections opened, code loaded
                measure(target, endpoint, 20, 2, options.seed)
            for rate in options.rates:
                # Turn by turn, so that all meet the same machine.
                taken = [step for _ in range(options.repeat) for step in _turn(rising, endpoint, rate, options, say)]
                steps += taken
                rising = [target for target in rising if _within(target, taken, options.limit_ms)]
    knees = _knees(steps, options.limit_ms)
    for one in knees:
        say(f"{one['endpoint']:<22} {one['version']:<6} {one['history']:>7,} jobs: knee at {one['knee']} requests/s")
    return {
        "cores": os.cpu_count(),
        "limit_ms": options.limit_ms,
        "seconds": options.seconds,
        "steps": [asdict(step) for step in steps],
        "knees": knees,
    }


HEADER = (
    f"{'endpoint':<22} {'version':<7} {'history':>7} {'rate':>6} {'answered':>8} {'errors':>6} {'p50':>8} {'p90':>8} "
    f"{'p99':>8} {'max':>8} {'lag p99':>8} {'API CPU':>8} {'of asking':>9} {'PG CPU':>7} {'load':>5}"
)


def _turn(
    targets: Sequence[Target], endpoint: str, rate: float, options: argparse.Namespace, say: Callable[[str], None]
) -> list[Step]:
    steps = []
    for target in targets:
        step = measure(target, endpoint, rate, options.seconds, options.seed)
        say(
            f"{endpoint:<22} {step.version:<7} {step.history:>7,} {rate:>6g} {step.achieved:>8.1f} {step.errors:>6} "
            f"{step.p50_ms:>8.1f} {step.p90_ms:>8.1f} {step.p99_ms:>8.1f} {step.max_ms:>8.1f} {step.lag_p99_ms:>8.1f} "
            f"{step.api_cpu_ms:>8.2f} {step.api_above_rest_ms:>9.2f} {step.postgres_cpu_ms:>7.2f} {step.load:>5.2f}"
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
    parser.add_argument(
        "--endpoints",
        nargs="+",
        choices=[*ENDPOINTS, *GROUPS],
        default=list(ENDPOINTS),
        metavar="NAME",
        help=f"of {', '.join(ENDPOINTS)}; or groups of them: {', '.join(GROUPS)}",
    )
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), help="requests a second, rising")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a step, at most 60")
    parser.add_argument("--repeat", type=int, default=1, help="times that every step is run; their median counts")
    parser.add_argument("--limit-ms", type=float, default=100.0, help="p99 past which the knee lies")
    parser.add_argument("--against", help="another version, measured turn by turn: a revision, or its folder")
    parser.add_argument("--same-tables", action="store_true", help="have the other version use the tables of this one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write it all")
    options = parser.parse_args()
    options.endpoints = [name for given in options.endpoints for name in GROUPS.get(given, [given])]
    if not 0 < options.seconds <= 60 or min(options.history) < len(ENDINGS) or max(options.history) > 100_000:
        parser.error(f"--seconds is at most 60, --history {len(ENDINGS)} to 100000")
    found = run(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
