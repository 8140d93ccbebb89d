"""Requests that nobody thought of: made from the specification, right and wrong, alone and one after another."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import NonFatalError, ScenarioFinished

from app.catalog.plugins import advertise
from app.db.engine import Database
from app.main import create_app
from app.openapi import specification
from app.settings import Settings
from app.web.connections import Connection
from sufficiency.schemas.words import PROJECT_HEADER
from tests.support.servers import Servers, new_database
from tests.support.service import PLUGINS, Service

# A stream of events ends with its job alone.
STREAMS = ("follow_job", "follow_job_logs")
# They take the parameters of the numbers that they draw, and far longer: each of these is tried in the slow form.
PICTURES = ("plot_job", "get_figure", "plot_decision", "decision_figure")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "use_after_free",
)


class Explorer:
    """Asks a running API what its own specification says may be asked, and more.

    Parameters
    ----------
    known : dict
        Values of parameters that lead to something, such as ``path.job_id``.
    """

    def __init__(self, url: str, known: dict[str, str]) -> None:
        self.statuses: Counter[int] = Counter()
        self.wrong: dict[str, str] = {}
        self._url = url
        self._known = known
        self._specification = json.loads(specification())
        for methods in self._specification["paths"].values():
            for operation in methods.values():
                # It stands for every other status: with it, none would be undocumented.
                operation["responses"].pop("default", None)

    def explore(
        self,
        phases: Sequence[str],
        examples: int,
        *,
        seed: int = 0,
        deleting: bool | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """Ask, and keep what is answered otherwise than it is documented.

        What a deletion takes away cannot be asked for by the others: they come without them, or after, or together.
        """
        names = ("examples", "coverage", "fuzzing", "stateful")
        config = SchemathesisConfig.from_dict(
            {
                "base-url": self._url,
                "seed": seed,
                "continue-on-failure": True,
                "request-timeout": 60,
                "generation": {
                    "mode": "all",
                    "max-examples": examples,
                    "no-shrink": True,
                    "database": "none",
                    "with-security-parameters": False,
                },
                "parameters": self._known,
                "phases": {name: {"enabled": name in phases} for name in names},
                "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            }
        )
        schema = schemathesis.openapi.from_dict(self._specification, config=config)
        schema = schema.exclude(operation_id=[*STREAMS, *without])
        if deleting is not None:
            schema = schema.include(method="DELETE") if deleting else schema.exclude(method="DELETE")
        for event in engine.from_schema(schema).execute():
            match event:
                case ScenarioFinished(recorder=recorder):
                    self._note(recorder)
                case NonFatalError():
                    self.wrong.setdefault(str(event.value), event.label)

    def _note(self, recorder: Any) -> None:
        for one in recorder.interactions.values():
            self.statuses[one.response.status_code if one.response is not None else 0] += 1
        for checks in recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    about = f"{recorder.label}: {check.name}: {failure.title}: {failure.message}"
                    self.wrong.setdefault(about, check.failure_info.code_sample[:2000])

    @property
    def report(self) -> str:
        """What was answered, and all that was wrong, with a command that asks it again."""
        told = [f"{about}\n    {again}" for about, again in self.wrong.items()]
        return "\n".join([f"{self.statuses.total()} requests: {dict(self.statuses)}", *told])


@pytest.fixture
def explorer(servers: Servers) -> Iterator[Explorer]:
    """Of an API with a catalog, a dataset, a measured job and a webhook; what it asks of others stays here."""
    with new_database(servers) as url:
        settings = Settings(
            database_url=url,
            redis_url=servers.redis_url,
            max_cells=100,
            max_body_bytes=20_000,
            sweep_seconds=3600.0,
            webhook_addresses="loopback",
            webhook_timeout_seconds=1.0,
        )
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, http=Connection, log_config=None))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                service = Service(client, Database(url), settings)  # type: ignore[arg-type]
                yield Explorer(address, known(service))
                assert client.get("/livez").status_code == 200
                service.database.dispose()
        finally:
            server.should_exit = True
            thread.join()


def known(service: Service) -> dict[str, str]:
    """Make something of each kind that has an address."""
    with service.database.transaction() as session:
        advertise(session, PLUGINS)
    service.dataset("small")
    job_id = service.submit()["id"]
    service.work(job_id)
    hook = service.client.post("/webhooks", json={"url": "http://127.0.0.1:9/", "events": ["job.completed"]})
    return {
        "path.job_id": job_id,
        "path.webhook_id": hook.json()["id"],
        f"header.{PROJECT_HEADER}": "default",  # any other answers 404, whatever else is asked
    }


@pytest.mark.filterwarnings("ignore")
def test_no_request_is_answered_otherwise_than_the_specification_says(explorer: Explorer) -> None:
    explorer.explore(["examples", "fuzzing"], 2, deleting=False)
    explorer.explore(["coverage"], 1, deleting=False, without=PICTURES)
    explorer.explore(["stateful"], 2)
    explorer.explore(["examples", "coverage", "fuzzing"], 2, deleting=True)
    assert not explorer.wrong, explorer.report
    assert explorer.statuses.total() > 1000
    assert {200, 201, 202, 404, 405, 409, 413, 415, 422} <= explorer.statuses.keys()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore")
def test_twenty_thousand_requests(explorer: Explorer, capsys: pytest.CaptureFixture[str]) -> None:
    explorer.explore(["examples", "coverage"], 1)
    for seed in range(1, 200):
        explorer.explore(["fuzzing"], 50, seed=seed, deleting=False)
        explorer.explore(["fuzzing", "stateful"], 20, seed=seed)
        if explorer.statuses.total() >= 20_000 or explorer.wrong:
            break
    with capsys.disabled():
        print(f"\n{explorer.report}")
    assert not explorer.wrong, explorer.report
    assert explorer.statuses.total() >= 20_000
