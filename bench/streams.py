"""What many idle event streams cost: processor time of the API, and what other requests then wait.

Each stream follows a job of its own that waits in the queue, so that nothing happens on it. First the streams alone,
then with requests beside them: `/livez` and `GET /jobs`, each at its own pace.

    python -m bench.streams --streams 0 500 2000 --json streams.json
    python -m bench.streams --streams 500 --against REVISION      # two versions, turn by turn
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import psutil
import psycopg
from sqlalchemy import make_url

from app.settings import Settings
from app.standalone.servers import EmbeddedServers
from bench.versions import JOB, THIS, api, do_jobs, other, psycopg_url
from sufficiency import Client

TIMEOUT_SECONDS = 60
OPENED_AT_A_TIME = 50
PACES = {"/livez": 20.0, "/jobs": 4.0}  # requests a second


@dataclass(frozen=True)
class Found:
    """What one number of streams cost one version.

    Attributes
    ----------
    cpu_idle : float
        Share of a core that the API took while nothing but the streams was open.
    livez_p50_ms, livez_p99_ms, jobs_p50_ms, jobs_p99_ms : float
        What requests beside them took.
    api_mb : float
        What the API held in memory with them.
    errors : int
        Requests that were not answered 200, and streams that ended.
    """

    version: str
    streams: int
    cpu_idle: float
    livez_p50_ms: float
    livez_p99_ms: float
    jobs_p50_ms: float
    jobs_p99_ms: float
    api_mb: float
    errors: int


def wait_in_queue(database: str, example: str, count: int) -> list[str]:
    """Copy a job that waits in the queue, its events too, and return the copies' ids."""
    with psycopg.connect(database) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'job' "
                "AND column_name NOT IN ('id', 'idempotency_key') AND is_generated = 'NEVER'"
            )
        ]
        columns = ", ".join(f'"{name}"' for name in names)
        copied = connection.execute(
            f"INSERT INTO job ({columns}) SELECT {columns} FROM job, generate_series(1, %s) WHERE id = %s "
            "RETURNING id::text".encode(),
            [count, example],
        ).fetchall()
        connection.execute(
            "INSERT INTO event (job_id, seq, type, data) SELECT job.id, event.seq, event.type, event.data FROM event, "
            "job WHERE event.job_id = %s AND job.id = ANY(%s::uuid[])",
            [example, [id for (id,) in copied]],
        )
    return [id for (id,) in copied]


@asynccontextmanager
async def streams(url: str, jobs: Sequence[str]) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Open a stream of each job, and read its first event."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    writers: list[asyncio.StreamWriter] = []
    limit = asyncio.Semaphore(OPENED_AT_A_TIME)

    async def opened(job_id: str) -> asyncio.StreamReader:
        async with limit:
            reader, writer = await asyncio.open_connection(host, port)
            writers.append(writer)
            writer.write(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await asyncio.wait_for(reader.readuntil(b"event: planned"), TIMEOUT_SECONDS)
            return reader

    try:
        yield await asyncio.gather(*(opened(job_id) for job_id in jobs))
    finally:
        for writer in writers:
            writer.close()


async def paced(session: aiohttp.ClientSession, path: str, rate: float, seconds: float) -> list[float]:
    """Ask for a path at a rate, and return what each answer took; those not answered 200 as infinite."""

    async def one() -> float:
        began = time.perf_counter()
        try:
            async with session.get(path) as answer:
                await answer.read()
                return time.perf_counter() - began if answer.status == 200 else float("inf")
        except (aiohttp.ClientError, TimeoutError):
            return float("inf")

    tasks = []
    for _ in range(round(rate * seconds)):
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(1 / rate)
    return await asyncio.gather(*tasks)


async def measure(version: str, url: str, process: psutil.Process, jobs: Sequence[str], seconds: float) -> Found:
    """Open the streams, and look at what they cost."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    connector = aiohttp.TCPConnector(limit=64)
    async with (
        streams(url, jobs) as readers,
        aiohttp.ClientSession(url, timeout=timeout, connector=connector) as session,
    ):
        await paced(session, "/jobs", 4, 1)  # connections opened
        await asyncio.sleep(1)
        before, began = _seconds(process), time.perf_counter()
        await asyncio.sleep(seconds)
        cpu = (_seconds(process) - before) / (time.perf_counter() - began)
        livez, listed = await asyncio.gather(*(paced(session, path, rate, seconds) for path, rate in PACES.items()))
        held = process.memory_info().rss / 1e6
        ended = sum(reader.at_eof() for reader in readers)
    errors = ended + sum(one == float("inf") for one in [*livez, *listed])
    times = [1000 * float(np.quantile(ones, q, method="higher")) for ones in (livez, listed) for q in (0.5, 0.99)]
    return Found(version, len(jobs), cpu, *times, held, errors)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def run(options: argparse.Namespace) -> list[Found]:
    """Measure each number of streams with each version, turn by turn."""
    found = []
    with ExitStack() as stack:
        versions = [THIS, *([stack.enter_context(other(options.against))] if options.against else [])]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sufficiency-streams-")))
        database_url, redis_url = stack.enter_context(EmbeddedServers(folder / "servers"))
        with psycopg.connect(psycopg_url(database_url), autocommit=True) as connection:
            connection.execute("CREATE DATABASE streams")
        settings = Settings(database_url=str(make_url(database_url).set(database="streams")), redis_url=redis_url)
        do_jobs(settings, folder)
        running = {
            version.name: stack.enter_context(api(settings, folder / f"{version.name}.log", version))
            for version in versions
        }
        with Client(running["this"][0]) as client:
            example = client.submit(JOB)["id"]
        jobs = wait_in_queue(psycopg_url(settings.database_url), example, max(options.streams))
        print(HEADER)
        for count in options.streams:
            for version, (url, process) in running.items():
                one = asyncio.run(measure(version, url, process, jobs[:count], options.seconds))
                found.append(one)
                print(
                    f"{version:<7} {count:>7} {one.cpu_idle:>9.1%} {one.livez_p50_ms:>10.1f} {one.livez_p99_ms:>10.1f} "
                    f"{one.jobs_p50_ms:>10.1f} {one.jobs_p99_ms:>10.1f} {one.api_mb:>7.0f} {one.errors:>6}",
                    flush=True,
                )
    return found


HEADER = (
    f"{'version':<7} {'streams':>7} {'API core':>9} {'livez p50':>10} {'livez p99':>10} {'jobs p50':>10} "
    f"{'jobs p99':>10} {'API MB':>7} {'errors':>6}"
)


def main() -> None:
    """Measure, print a table, and write it as JSON if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[0, 500, 2000], help="how many are open")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement")
    parser.add_argument("--against", help="another version on the same tables, turn by turn: a revision, or its folder")
    parser.add_argument("--json", type=Path, help="where to write it all")
    options = parser.parse_args()
    found = run(options)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
