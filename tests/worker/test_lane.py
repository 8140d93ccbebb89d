"""Questions have a lane of their own: with every slot busy, datasets are verified all the same."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from celery import Celery

from app.db.engine import Database
from app.db.tables import Dataset
from app.queue.celery import QUESTIONS, make_celery, waiting_messages
from app.settings import Settings
from tests.training.specs import SPECS
from worker import slots
from worker.lane import Lane
from worker.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
BLOBS = {"loader": "blobs", "params": {"size": 60, "seed": 0}}


@pytest.fixture(scope="module")
def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(
        database_url=database_url, redis_url=redis_url, plugins=SPECS, plugin_path=(ROOT,), device="cpu", slots=1
    )


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def supervisor(settings: Settings, database: Database) -> Iterator[Supervisor]:
    supervisor = Supervisor(settings, database)
    supervisor.start()
    yield supervisor
    supervisor.close()


@pytest.fixture
def celery(settings: Settings) -> Iterator[Celery]:
    celery = make_celery(settings)
    yield celery
    celery.close()


@pytest.fixture
def busy(supervisor: Supervisor) -> Iterator[None]:
    """The only slot trains."""
    with supervisor._slots.one():
        assert not supervisor.has_free_slot
        yield


def asked_to_verify(database: Database, celery: Celery, name: str) -> UUID:
    with database.transaction() as session:
        dataset = Dataset(name=name, train=BLOBS, test=BLOBS)
        session.add(dataset)
        session.flush()
        dataset_id = dataset.id
    celery.send_task("sufficiency.verify_dataset", args=[str(dataset_id)], queue=QUESTIONS, priority=9)
    return dataset_id


def status(database: Database, dataset_id: UUID) -> str:
    with database.transaction() as session:
        return session.get_one(Dataset, dataset_id).status


@pytest.mark.usefixtures("busy")
def test_a_dataset_is_verified_while_every_slot_trains(
    supervisor: Supervisor, database: Database, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(celery, supervisor)
    lane.start()
    try:
        celery.send_task("sufficiency.nobody_knows", args=["1"], queue=QUESTIONS)
        ids = [asked_to_verify(database, celery, name) for name in ("first", "second")]
        until = time.monotonic() + 60
        while any(status(database, dataset_id) != "ready" for dataset_id in ids):
            assert time.monotonic() < until, [status(database, dataset_id) for dataset_id in ids]
            time.sleep(0.1)
        assert waiting_messages(celery)[QUESTIONS] == 0
    finally:
        lane.stop()
    spare = supervisor._slots._beside[0]
    assert spare._trainer is not None, "it is kept for the next question"
    supervisor.rest(time.monotonic())
    assert spare._trainer is not None
    monkeypatch.setattr(slots, "SPARE_SECONDS", 0.0)
    supervisor.rest(time.monotonic())
    assert spare._trainer is None, "and not for ever"


def test_a_free_slot_answers_with_the_trainer_that_it_has(
    supervisor: Supervisor, database: Database, celery: Celery
) -> None:
    assert supervisor.has_free_slot
    dataset_id = asked_to_verify(database, celery, "third")
    supervisor.verify_dataset(dataset_id)
    assert status(database, dataset_id) == "ready"
    assert all(slot._trainer is None for slot in supervisor._slots._beside)


def test_a_broker_that_is_away_is_tried_again(supervisor: Supervisor) -> None:
    away = Settings(redis_url="redis://127.0.0.1:1/0")
    lane = Lane(make_celery(away), supervisor)
    lane.start()
    failed = threading.Event()
    while not failed.wait(0.05):
        if lane._failing:
            failed.set()
    assert lane._thread is not None
    assert lane._thread.is_alive()
    lane.stop()
    assert not lane._thread.is_alive()
