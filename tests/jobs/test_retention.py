"""What is dropped of old jobs is what nothing needs; streams say that it is gone, and jobs go on as before."""

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from app.db.tables import Cell, Event, Extension, Job, Measurement, Unit
from app.jobs.lifecycle import lock_job
from app.jobs.retention import BATCH, Dropped, prune
from app.settings import get_settings
from tests.support.command_line import Outcome
from tests.support.events import follow
from tests.support.finished import completed, extend, values
from tests.support.service import Service

MONTH = timedelta(days=30)


def age(service: Service, job_id: str, days: int = 31) -> None:
    """Let a job have ended so long ago."""
    with service.database.transaction() as session:
        session.execute(update(Job).where(Job.id == UUID(job_id)).values(finished_at=func.now() - timedelta(days=days)))


def count(service: Service, table: type, job_id: str) -> int:
    with service.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table).where(table.job_id == UUID(job_id))) or 0


def test_results_stay_and_the_stream_says_what_is_gone(service: Service) -> None:
    job_id = completed(service)
    age(service, job_id)
    addresses = [f"/jobs/{job_id}{rest}" for rest in ("", "/measurements?view=cells", "/curves", "/project?n=900")]
    before = [service.client.get(address).json() for address in addresses]
    events = follow(service, job_id)
    units = count(service, Unit, job_id)
    would = prune(service.database, MONTH, dry_run=True)
    assert (would.jobs, would.events, would.units) == (1, len(events) - 1, units)
    assert follow(service, job_id) == events, "nothing was dropped"
    assert prune(service.database, MONTH) == would
    assert prune(service.database, MONTH) == Dropped()
    assert [service.client.get(address).json() for address in addresses] == before
    assert (count(service, Event, job_id), count(service, Unit, job_id)) == (1, 0)
    gone, last = follow(service, job_id)
    assert (gone.id, gone.type) == (len(events) - 1, "pruned")
    assert (gone.data["from"], gone.data["to"]) == (1, len(events) - 1)
    assert last == events[-1]
    resumed, _ = follow(service, job_id, 4)
    assert (resumed.data["from"], resumed.id) == (5, len(events) - 1)
    assert follow(service, job_id, len(events) - 1) == [last], "resumed after the gap, it is not told again"
    assert follow(service, job_id, len(events)) == []
    assert service.client.get(f"/jobs/{job_id}/export").status_code == 200


def test_a_pruned_job_is_extended_as_before(service: Service) -> None:
    for protocol in ("independent", "dataeval"):
        job_id = completed(service, protocol=protocol)
        age(service, job_id)
        before = values(service, job_id)
        numbers = follow(service, job_id)[-1].id
        prune(service.database, MONTH)
        assert extend(service, job_id, {"runs": 3, "steps": [800]}).status_code == 202
        service.work_open(job_id)
        assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
        after = values(service, job_id)
        assert {key: after[key] for key in before} == before
        assert len({key[:2] for key in after}) == 18
        events = follow(service, job_id)
        assert [event.id for event in events] == list(range(numbers - 1, numbers + len(events) - 1))


def test_jobs_that_may_be_retried_keep_what_that_needs(service: Service) -> None:
    job_id = service.submit(schedule=[20, 50, 100, 200, 400])["id"]
    service.work(job_id, units=2)
    service.fail(job_id)
    age(service, job_id)
    units = count(service, Unit, job_id)
    dropped = prune(service.database, MONTH)
    assert (dropped.units, count(service, Unit, job_id)) == (0, units)
    assert dropped.events > 0
    service.client.post(f"/jobs/{job_id}/retry")
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"


def test_what_is_young_or_open_or_held_is_left_alone(service: Service) -> None:
    young, held = completed(service), completed(service)
    open_job = service.submit()["id"]
    age(service, young, days=29)
    age(service, held)
    with service.database.transaction() as session:
        assert lock_job(session, UUID(held)) is not None
        assert prune(service.database, MONTH).jobs == 0
    for job_id in (young, open_job):
        assert count(service, Event, job_id) > 1
        assert count(service, Unit, job_id) > 1
    assert prune(service.database, MONTH).jobs == 1


def test_many_jobs_go_in_batches_and_keys_with_them(service: Service) -> None:
    jobs = BATCH + 5
    for _ in range(jobs):
        service.client.post(f"/jobs/{service.submit()['id']}/cancel")
    job_id = completed(service)
    extend(service, job_id, {"runs": 3}, **{"Idempotency-Key": "k"})
    service.client.post(f"/jobs/{job_id}/cancel")
    with service.database.transaction() as session:
        session.execute(
            update(Job).where(Job.finished_at.is_not(None)).values(finished_at=text("now() - interval '9d'"))
        )
    dropped = prune(service.database, timedelta(days=8))
    assert dropped.jobs == jobs + 1
    assert dropped.events >= 2 * jobs
    assert (dropped.keys, count(service, Extension, job_id)) == (1, 0)


def test_the_command(service: Service, sufficiency: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = completed(service)
    age(service, job_id)
    cells, measurements = count(service, Cell, job_id), count(service, Measurement, job_id)
    monkeypatch.setenv("SUFFICIENCY_DATABASE_URL", service.settings.database_url)
    get_settings.cache_clear()
    told = sufficiency("prune", "--older-than", "30d", "--dry-run")
    assert told.code == 0
    assert told.out.startswith("Would drop ")
    done = sufficiency("prune", "--older-than", "4w", "--json")
    assert json.loads(done.out)["jobs"] == 1
    assert "0 events, 0 units" in sufficiency("prune", "--older-than", "30d").out
    assert (count(service, Cell, job_id), count(service, Measurement, job_id)) == (cells, measurements)
    for wrong in ("30", "d", "-1d", "1y", "٣d", "9" * 20 + "w"):
        refused = sufficiency("prune", f"--older-than={wrong}")
        assert refused.code == 2
        assert "like 30d" in refused.err
    monkeypatch.setenv("SUFFICIENCY_DATABASE_URL", "postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    get_settings.cache_clear()
    away = sufficiency("prune", "--older-than", "30d")
    assert away.code == 3
    assert "secret" not in away.err
    get_settings.cache_clear()
