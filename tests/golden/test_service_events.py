"""What a job tells of its life is what it has told since 0.1: events in their order, and messages to endpoints."""

from collections.abc import Iterator

import httpx
import pytest

from tests.golden.golden import check
from tests.golden.service_answers import anonymous
from tests.golden.service_database import LEFT_BY_0_1, catalog
from tests.golden.service_lives import LIVES, Life
from tests.golden.service_studies import Service, add_datasets, add_webhook
from tests.golden.service_subjects import HandWorker, Servers, new_database, serving

STATES = ("queued", "running", "cancelling", "completed", "failed", "cancelled")


@pytest.fixture(scope="module")
def begun(servers: Servers) -> Iterator[tuple[Service, HandWorker]]:
    """A service with data and an endpoint that wants to be told everything, and a worker."""
    with (
        new_database(servers) as database_url,
        serving(database_url, servers.redis_url) as url,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        service = Service(url, database_url, http)
        worker = HandWorker(database_url, catalog(LEFT_BY_0_1))
        add_datasets(service, worker)
        add_webhook(service, [f"job.{state}" for state in STATES])
        yield service, worker
        worker.leave()


def test_lives(begun: tuple[Service, HandWorker]) -> None:
    told = {}
    for name, live in LIVES.items():
        life = Life(*begun, name)
        live(life)
        told[name] = life.told()
    check("service/lives", told)


def test_plugins_of_another_version_are_told_before_anything_is_measured(begun: tuple[Service, HandWorker]) -> None:
    service, _ = begun
    life = Life(*begun, "versions")
    life.submit()
    plugins = catalog(LEFT_BY_0_1)
    later = HandWorker(service.database_url, [{**one, "version": "7.0"} for one in plugins])
    life.worker = later
    life.measure()
    later.leave()
    HandWorker(service.database_url, plugins).leave()
    check("service/lives_versions", life.told())


def test_the_stream(begun: tuple[Service, HandWorker]) -> None:
    service, worker = begun
    life = Life(*begun, "streamed")
    life.submit(schedule=[20], runs=2)
    life.measure()
    address = f"/jobs/{life.job_id}/events"
    streams = {"whole": service.http.get(address), "resumed": service.http.get(address, headers={"Last-Event-ID": "4"})}
    worker.prune()
    streams["pruned"] = service.http.get(address)
    told = {
        name: {"status": answer.status_code, "type": answer.headers["content-type"], "body": answer.text.splitlines()}
        for name, answer in streams.items()
    }
    check("service/streams", anonymous(told, service))
