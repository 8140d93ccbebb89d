"""What a job says it waits for is what it waits for."""

import re
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update

from app.catalog.plugins import advertise
from app.catalog.workers import register_worker
from app.db.tables import Job, Outbox, Worker
from app.units.lease import claim_of
from app.units.plans import job_planned
from tests.support.service import NAMES, PLUGINS, Service

VERSIONS = dict.fromkeys(NAMES, "1.0")


def reason(service: Service, job: dict[str, Any]) -> str | None:
    with service.database.transaction() as session:
        session.execute(delete(Outbox))  # the tests' broker may be slow to take what there is
    answer = service.client.get(f"/jobs/{job['id']}").json()
    listed = next(one for one in service.client.get("/jobs").json()["items"] if one["id"] == job["id"])
    assert listed["queued_reason"] == answer["queued_reason"]
    told: str | None = answer["queued_reason"]
    return told


def worker(service: Service, slots: int = 1, **more: Any) -> UUID:
    offer = {"devices": ["cpu"], "plugins": NAMES, "versions": VERSIONS, **more}
    with service.database.transaction() as session:
        return register_worker(session, hostname="h", pid=1, slots=slots, plugin_errors=[], **offer)


def take(service: Service, job: dict[str, Any], worker_id: UUID, units: int = 1) -> None:
    with service.database.transaction() as session:
        for _ in range(units):
            assert claim_of(session, UUID(job["id"]), worker_id, 60) is not None


def silence(service: Service, worker_id: UUID) -> None:
    with service.database.transaction() as session:
        long_ago = text("now() - interval '1 hour'")
        session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=long_ago))


def test_workers_and_their_plugins(service: Service) -> None:
    job = service.submit()
    assert reason(service, job) == "no worker is running"
    silence(service, worker(service))
    assert reason(service, job) == "no worker is running", "a silent one is none"
    worker(service, plugins=[name for name in NAMES if name not in ("training:sgd-classifier", "dataset:npz")])
    assert reason(service, job) == "no live worker offers plugin training:sgd-classifier, dataset:npz"
    worker(service, plugins=["training:sgd-classifier", "dataset:npz"])
    assert reason(service, job) == (
        "no live worker for device cpu offers all of model:mlp, training:sgd-classifier, evaluation:classification, "
        "dataset:npz"
    )


def test_the_device(service: Service) -> None:
    worker(service)
    job = service.submit(device="cuda")
    assert reason(service, job) == "no live worker for device cuda"
    worker(service, devices=["cpu", "cuda"], plugins=["model:mlp"])
    assert str(reason(service, job)).startswith("no live worker for device cuda offers all of")
    worker(service, devices=["cpu", "cuda"])
    assert reason(service, job) == "waiting for a worker to take it: 1 of 1 slots are free"


def test_the_slots(service: Service) -> None:
    busy, job = service.submit(schedule=[100, 300, 600, 1000]), service.submit()
    first = worker(service)
    take(service, busy, first)
    assert reason(service, job) == "waiting for a free slot: the one that could take it is busy"
    second = worker(service, slots=2)
    assert reason(service, job) == "waiting for a worker to take it: 2 of 3 slots are free"
    worker(service, plugins=["model:mlp"], slots=5)
    assert reason(service, job) == "waiting for a worker to take it: 2 of 3 slots are free", "of those that could"
    take(service, busy, second, units=2)
    assert reason(service, job) == "waiting for a free slot: all 3 that could take it are busy"
    assert reason(service, busy) is None
    take(service, busy, second)  # more leases than slots, as a worker that came back might have for a moment
    assert reason(service, job) == "waiting for a free slot: all 3 that could take it are busy"


def test_the_broker(service: Service) -> None:
    worker(service)
    service.keep_messages()
    job = service.submit()
    with service.database.transaction() as session:
        session.execute(update(Outbox).values(created_at=text("now() - interval '60s'")))
    told = service.client.get(f"/jobs/{job['id']}").json()["queued_reason"]
    assert re.fullmatch(r"waiting for the broker \(Redis\), which has taken no message for ([6-9]\d|\d{3}) s", told)


def test_the_schedule(service: Service) -> None:
    job = service.submit(schedule={"name": "halves"})
    worker(service, plugins=[name for name in NAMES if name != "schedule:halves"])
    assert reason(service, job) == "no live worker offers plugin schedule:halves"
    other = worker(service, plugins=["schedule:halves"])
    assert reason(service, job) == "waiting for a worker to ask schedule halves for the steps"
    with service.database.transaction() as session:
        job_planned(session, UUID(job["id"]), [500, 1000], 100)
    silence(service, other)
    assert reason(service, job) == "waiting for a worker to take it: 1 of 1 slots are free", "the schedule is done"


def test_the_versions(service: Service) -> None:
    job = service.submit()
    newer = worker(service, versions=VERSIONS | {"model:mlp": "2.0"})
    assert reason(service, job) == "waiting for a worker to take it: 1 of 1 slots are free", "nothing is measured yet"
    silence(service, newer)
    service.work(job["id"], units=2)
    with service.database.transaction() as session:
        session.execute(update(Worker).values(heartbeat_at=text("now() - interval '1 hour'")))
    assert reason(service, job) == "no worker is running", "a running job says so too"
    worker(service, versions=VERSIONS | {"model:mlp": "2.0"})
    told = (
        "no live worker offers plugin model:mlp in version 1.0, with which the job was begun, but in 2.0; bring that "
        "version back, or cancel the job and retry it with start_anew"
    )
    assert reason(service, job) == told
    with service.database.transaction() as session:
        advertise(session, [PLUGINS[0] | {"version": "2.0"}])
    service.client.post(f"/jobs/{job['id']}/cancel")
    anew = service.client.post(f"/jobs/{job['id']}/retry?start_anew=true").json()
    assert anew["queued_reason"] == "waiting for a worker to take it: 1 of 1 slots are free"
    assert anew["plugin_versions"]["model:mlp"] == "2.0"
    worker(service)
    assert reason(service, job) == "waiting for a worker to take it: 2 of 2 slots are free"


def test_a_dataset(service: Service) -> None:
    service.dataset("new", status="verifying")

    def told() -> str:
        return str(service.client.get("/datasets/new").json()["queued_reason"])

    assert told() == "no worker is running"
    worker(service, plugins=["model:mlp"])
    assert told() == "no live worker offers plugin dataset:npz"
    able = worker(service)
    assert told() == "waiting for a worker to read it"
    take(service, service.submit(), able)
    assert told() == "waiting for a worker to read it", "it waits for no slot"
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
