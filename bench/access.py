"""What it costs a request to find out who asks, and how often: the API with keys and rates beside one without a gate.

Both run in this process, on one database, and are asked the same questions in turn, pair by pair; so whatever slows
the machine slows both. Without a gate, who asks is set by hand. The ratio is of the sums of the medians by question. A
key is looked up anew every five seconds, which the pairs take their share of; `--fresh` looks it up for each request.

    python -m bench.access
    python -m bench.access --pairs 2000 --json access.json
"""

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.caller import Caller, Grant, Place
from app.access.door import Gate
from app.access.keys import new_secret
from app.db.migrate import upgrade
from app.db.tables import DEFAULT_PROJECT_ID
from app.main import create_app
from app.settings import Settings
from app.standalone.servers import EmbeddedServers

CALLER = Caller(Grant("anybody", "anybody", "admin"), "default", Place(DEFAULT_PROJECT_ID, "admin"), "any")
VALUES = [
    {"run": run, "n": n, "metric": metric, "value": 1 - (1 + run / 20) / n**0.5}
    for run in range(5)
    for n in (25, 50, 100, 200, 400, 800, 1600, 2500)
    for metric in ("Accuracy", "F1")
]
JOB = {"measured": {"dataset": "bench", "model": "bench", "values": VALUES}}


class Known:
    """In place of the gate: who asks is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope.setdefault("state", {})["caller"] = CALLER
        await self._app(scope, receive, send)


def without_gate(settings: Settings) -> FastAPI:
    """Return the API without a gate."""
    app = create_app(settings)
    for at, middleware in enumerate(app.user_middleware):
        if middleware.cls is Gate:
            app.user_middleware[at] = type(middleware)(Known)
    return app


async def ask(app: FastAPI, method: str, path: str, key: str, body: bytes = b"", **headers: str) -> tuple[float, Any]:
    """Return how long a request took, and its answer."""
    sent = {"host": "127.0.0.1", "authorization": f"Bearer {key}", "content-type": "application/json", **headers}
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    status, content = 0, b""

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, content
        status = message.get("status", status)
        content += message.get("body", b"")

    begun = time.perf_counter()
    await app(scope, receive, send)
    taken = time.perf_counter() - begun
    if not 200 <= status < 300:
        raise SystemExit(f"{method} {path} answered {status}: {content[:300]!r}")
    return taken, json.loads(content) if content.startswith(b"{") else None


async def measure(settings: Settings, folder: Path, pairs: int, fresh: bool) -> dict[str, Any]:
    """Return the medians of each question, without a gate and with."""
    bootstrap = folder / "bootstrap-key"
    bootstrap.write_text(new_secret())
    rate = 10 * pairs + 10_000  # counted, and never too many
    told = {"access": "keys", "bootstrap_key_file": bootstrap, "rate_limit": rate}
    guarded, plain = create_app(settings.model_copy(update=told)), without_gate(settings)
    _, key = await ask(
        guarded, "POST", "/keys", bootstrap.read_text(), json.dumps({"name": "bench", "scope": "write"}).encode()
    )
    _, job = await ask(plain, "POST", "/jobs", "", json.dumps(JOB).encode())
    questions: Sequence[tuple[str, str, str, bytes]] = (
        ("look at a job", "GET", f"/jobs/{job['id']}", b""),
        ("list jobs", "GET", "/jobs?limit=20", b""),
        ("project", "GET", f"/jobs/{job['id']}/project?n=5000", b""),
        ("measurements", "GET", f"/jobs/{job['id']}/measurements", b""),
        ("plan a job", "POST", "/jobs?dry_run=true", json.dumps(JOB).encode()),
        ("submit a job", "POST", "/jobs", json.dumps(JOB).encode()),
    )
    result: dict[str, Any] = {}
    for name, method, path, body in questions:
        times: dict[str, list[float]] = {"without": [], "with": []}
        turns = max(10, pairs // 10) if name == "submit a job" else pairs
        for turn in range(turns + 10):
            order = [("without", plain), ("with", guarded)]
            for which, app in order if turn % 2 else reversed(order):
                if fresh:
                    app.state.door.forget()
                taken, _ = await ask(app, method, path, key["key"], body)
                if turn >= 10:
                    times[which].append(taken)
        medians = {which: statistics.median(all_of) * 1000 for which, all_of in times.items()}
        ratio = statistics.median(b / a for a, b in zip(times["without"], times["with"], strict=True))
        result[name] = {**{f"{which}_ms": round(ms, 3) for which, ms in medians.items()}, "ratio": round(ratio, 3)}
    for app in (guarded, plain):
        app.state.database.dispose()
    sums = [sum(one[f"{which}_ms"] for one in result.values()) for which in ("with", "without")]
    return {"questions": result, "ratio": round(sums[0] / sums[1], 3)}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=500, help="of each question")
    parser.add_argument("--fresh", action="store_true", help="look the key up for each request")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        folder = Path(directory)
        with EmbeddedServers(folder / "servers") as (database_url, redis_url):
            upgrade(database_url)
            settings = Settings(database_url=database_url, redis_url=redis_url)
            gc.freeze()
            told = asyncio.run(measure(settings, folder, arguments.pairs, arguments.fresh))
    print(f"{'':14} {'without':>9} {'with':>9}  ratio of a pair")
    for name, one in told["questions"].items():
        print(f"{name:14} {one['without_ms']:7.2f} ms {one['with_ms']:7.2f} ms  {one['ratio']:.3f}")
    print(f"all            {told['ratio']:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
