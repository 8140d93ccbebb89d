"""What is asked of plugins beside units: it can be stopped, has a limit, counts as work, and is not asked for ever."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.catalog.verification import claim_dataset
from app.catalog.workers import live_workers
from app.db.engine import Database
from app.db.tables import Dataset, Job, Worker
from app.jobs.ending import cancel
from app.settings import Settings
from app.units.plans import claim_plan
from tests.external import waiting_plugins
from tests.support.servers import Servers, new_database
from tests.training.specs import SPECS
from tests.worker.test_supervisor import ROOT, add_job, registered
from worker.supervisor import Supervisor

PLUGINS = (*SPECS, *waiting_plugins.SPECS, "training:nothing=tests.external.broken_plugins:TrainsNothing")
BLOBS = {"loader": "blobs", "params": {"size": 60, "seed": 0}}
BEAT_SECONDS = 0.2


@pytest.fixture(scope="module")
def settings(servers: Servers) -> Iterator[Settings]:
    with new_database(servers) as url:
        yield Settings(
            database_url=url,
            plugins=PLUGINS,
            plugin_path=(ROOT,),
            device="cpu",
            slots=1,
            heartbeat_seconds=BEAT_SECONDS,
            cancel_grace_seconds=0.0,
        )


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def supervisor(settings: Settings, database: Database) -> Iterator[Supervisor]:
    supervisor = Supervisor(settings, database)
    supervisor.start()
    yield supervisor
    supervisor.close()


def waiting_dataset(database: Database, name: str, marker: Path, loader: str = "waits") -> UUID:
    split = {"loader": loader, "params": {"marker": str(marker)}}
    with database.transaction() as session:
        dataset = Dataset(name=name, train=split, test=split)
        session.add(dataset)
        session.flush()
        return dataset.id


def eventually(what: Any) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def busy(database: Database) -> tuple[int, int]:
    with database.transaction() as session:
        found = session.execute(select(Worker.busy, Worker.asked)).one()
        return found.busy, found.asked


def test_a_dataset_that_is_deleted_while_it_is_read_is_let_go(
    supervisor: Supervisor, database: Database, settings: Settings, tmp_path: Path
) -> None:
    dataset_id = waiting_dataset(database, "for ever", tmp_path / "begun")
    reading = threading.Thread(target=supervisor.verify_dataset, args=[dataset_id])
    reading.start()
    eventually((tmp_path / "begun").exists)
    eventually(lambda: busy(database) == (1, 1))
    with database.transaction() as session:
        live = live_workers(session, settings)
        assert live.why_no_slot(live.workers) == "waiting for a free slot: the one that could take it is busy"
        session.delete(session.get_one(Dataset, dataset_id))
    reading.join(60)
    assert not reading.is_alive()
    assert supervisor.has_free_slot
    eventually(lambda: busy(database) == (0, 0))


def test_a_trainer_that_is_killed_while_it_reads_a_dataset_says_nothing_of_the_dataset(
    supervisor: Supervisor, database: Database, tmp_path: Path
) -> None:
    dataset_id = waiting_dataset(database, "read twice", tmp_path / "begun", "waits-once")
    reading = threading.Thread(target=supervisor.verify_dataset, args=[dataset_id])
    reading.start()
    eventually((tmp_path / "begun").exists)
    [slot] = supervisor._slots._all
    os.kill(slot.trainer().pid, signal.SIGKILL)
    reading.join(60)
    assert not reading.is_alive()
    with database.transaction() as session:
        dataset = session.get_one(Dataset, dataset_id)
        assert (dataset.status, dataset.attempts) == ("ready", 1), "nobody else was sent for it"


def test_a_job_that_is_cancelled_while_its_schedule_is_asked_is_let_go(
    supervisor: Supervisor, database: Database, tmp_path: Path
) -> None:
    dataset = registered(supervisor, database, "blobs", BLOBS)
    marker = str(tmp_path / "begun")
    job_id = add_job(database, dataset, None, schedule={"name": "waits", "params": {"marker": marker}})
    asking = threading.Thread(target=supervisor.plan_job, args=[job_id])
    asking.start()
    eventually((tmp_path / "begun").exists)
    with database.transaction() as session:
        assert cancel(session, job_id).state == "cancelled"
    asking.join(60)
    assert not asking.is_alive()
    assert supervisor.has_free_slot


def test_what_takes_too_long_is_ended_and_says_which_limit(
    settings: Settings,
    supervisor: Supervisor,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = settings.model_copy(update={"dataset_timeout_seconds": 0.5, "schedule_timeout_seconds": 0.5})
    dataset_id = waiting_dataset(database, "too long", tmp_path / "begun")
    blobs = registered(supervisor, database, "blobs again", BLOBS)
    schedule = {"name": "waits", "params": {"marker": str(tmp_path / "begun")}}
    job_id = add_job(database, blobs, None, schedule=schedule)
    monkeypatch.setattr(supervisor._questions, "_settings", short)
    supervisor.verify_dataset(dataset_id)
    supervisor.plan_job(job_id)
    with database.transaction() as session:
        dataset, job = session.get_one(Dataset, dataset_id), session.get_one(Job, job_id)
        assert dataset.error is not None
        assert job.error is not None
        assert (dataset.status, dataset.error["code"]) == ("invalid", "dataset_timeout")
        assert "SUFFICIENCY_DATASET_TIMEOUT_SECONDS" in dataset.error["detail"]
        assert (job.state, job.error["code"]) == ("failed", "schedule_timeout")
        assert "SUFFICIENCY_SCHEDULE_TIMEOUT_SECONDS" in job.error["detail"]


def test_names_that_no_database_holds_are_cleaned(supervisor: Supervisor, database: Database) -> None:
    dataset = registered(supervisor, database, "odd", {"loader": "odd-names", "params": {}})
    assert dataset.status == "ready", dataset.error
    assert dataset.info is not None
    assert dataset.info["class_names"] == ["nu\\x00l", "half \\ud800", "caf\\udce9"]


def test_an_answer_that_the_database_refuses_is_not_asked_for_again(
    supervisor: Supervisor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(session: Any, *_: object) -> None:
        session.scalar(select(func.cast_to_nothing()))

    monkeypatch.setattr("worker.questions.dataset_ready", refused)
    dataset = registered(supervisor, database, "refused", BLOBS)
    assert dataset.error is not None
    assert (dataset.status, dataset.error["code"]) == ("invalid", "worker_error")
    assert "cast_to_nothing" in dataset.error["detail"]


def test_what_no_worker_comes_back_from_is_given_up(supervisor: Supervisor, database: Database) -> None:
    blobs = registered(supervisor, database, "blobs once more", BLOBS)
    job_id = add_job(database, blobs, None, schedule={"name": "thirds"})
    with database.transaction() as session:
        session.execute(update(Dataset).where(Dataset.id == blobs.id).values(status="verifying", fingerprint=None))
        session.execute(update(Dataset).where(Dataset.id == blobs.id).values(attempts=0))
    for tried in range(3):
        with database.transaction() as session:
            assert (claim_dataset(session, blobs.id, 2) is None) == (tried == 2)
            assert (claim_plan(session, job_id, 2) is None) == (tried == 2)
    with database.transaction() as session:
        dataset, job = session.get_one(Dataset, blobs.id), session.get_one(Job, job_id)
        assert dataset.error is not None
        assert job.error is not None
        assert (dataset.status, dataset.error["code"]) == ("invalid", "attempts_exhausted")
        assert (job.state, job.error["code"]) == ("failed", "attempts_exhausted")
