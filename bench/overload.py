"""What a service answers to several times as much as it can do: ``python -m bench.overload --url http://127.0.0.1:8000``.

Clients ask side by side without a pause, while another asks `/livez`. Told are the answers by status, the wait of those
that were served and of those that were refused, and the slowest `/livez`.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict

import httpx


async def hammer(http: httpx.AsyncClient, path: str, until: float, seen: dict[int, list[float]]) -> None:
    """Ask again and again, and note how long each answer took."""
    while time.perf_counter() < until:
        begun = time.perf_counter()
        answer = await http.get(path)
        seen[answer.status_code].append(time.perf_counter() - begun)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1


def probe(url: str, until: float, seen: dict[int, list[float]]) -> None:
    """Ask `/livez` by connections of its own, in a thread of its own, as a kubelet does."""
    while time.perf_counter() < until:
        begun = time.perf_counter()
        status = httpx.get(f"{url}/livez", timeout=60, trust_env=False).status_code
        seen[status].append(time.perf_counter() - begun)
        time.sleep(0.1)


async def measure(url: str, path: str, clients: int, seconds: float) -> None:
    """Print what came of it."""
    seen: dict[int, list[float]] = defaultdict(list)
    alive: dict[int, list[float]] = defaultdict(list)
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as http:
        until = time.perf_counter() + seconds
        probing = asyncio.to_thread(probe, url, until, alive)
        await asyncio.gather(probing, *(hammer(http, path, until, seen) for _ in range(clients)))
    for name, kind in ((path, seen), ("/livez", alive)):
        for status, waits in sorted(kind.items()):
            slowest = sorted(waits)[int(0.99 * len(waits))]
            told = f"median {statistics.median(waits):.3f} s, p99 {slowest:.3f} s"
            print(f"{name}: {status}: {len(waits):,} answers, {told}")


def main() -> None:
    """Read the options and measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", default="http://127.0.0.1:8000")
    options.add_argument("--path", default="/jobs")
    options.add_argument("--clients", type=int, default=1360, help="five times what one process serves and lets wait")
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    asyncio.run(measure(given.url, given.path, given.clients, given.seconds))


if __name__ == "__main__":
    main()
