"""What plugins write is kept with its job: in order, the newest of it, and no longer than it is wanted."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db.tables import JobLog
from app.jobs.retention import prune
from app.units.output import Written, keep_output
from tests.support.events import parse
from tests.support.service import Service, problem


def write(service: Service, job_id: str, *texts: str, most_bytes: int = 1_000_000) -> None:
    with service.database.transaction() as session:
        keep_output(session, UUID(job_id), [Written(1, 0, step, text) for step, text in enumerate(texts)], most_bytes)


def test_the_last_lines_are_told_and_what_is_before_them_is_counted(service: Service) -> None:
    job_id = service.submit()["id"]
    assert service.client.get(f"/jobs/{job_id}/logs").json() == {"items": [], "last_id": 0, "bytes_before": 0}
    write(service, job_id, "one\ntwo", "thrée")
    write(service, job_id, "four\nfive\nsix")
    told = service.client.get(f"/jobs/{job_id}/logs", params={"tail": 4}).json()
    assert [piece["text"] for piece in told["items"]] == ["thrée", "four\nfive\nsix"]
    assert (told["last_id"], told["bytes_before"]) == (3, len("one\ntwo"))
    assert (told["items"][0]["run"], told["items"][0]["step"], told["items"][0]["attempt"]) == (0, 1, 1)
    told = service.client.get(f"/jobs/{job_id}/logs", params={"tail": 2}).json()
    assert [piece["text"] for piece in told["items"]] == ["five\nsix"]
    problem(service.client.get(f"/jobs/{UUID(int=1)}/logs"), 404, "job_not_found")
    problem(service.client.get(f"/jobs/{UUID(int=1)}/logs/stream"), 404, "job_not_found")


def test_the_oldest_makes_way(service: Service) -> None:
    job_id = service.submit()["id"]
    for number in range(30):
        write(service, job_id, f"{number:02}" + "x" * 98, most_bytes=1_000)
    told = service.client.get(f"/jobs/{job_id}/logs").json()
    assert [piece["text"][:2] for piece in told["items"]] == [str(number) for number in range(20, 30)]
    assert told["bytes_before"] == 2_000


def test_a_stream_goes_from_where_it_was_left_to_the_end_of_the_job(service: Service) -> None:
    job_id = service.submit()["id"]
    write(service, job_id, "one", "two", "three")
    service.work(job_id)
    events = parse(service.client.get(f"/jobs/{job_id}/logs/stream", headers={"Last-Event-ID": "1"}).text)
    assert [(event.type, event.id) for event in events] == [("output", 2), ("output", 3), ("state", 3)]
    assert [event.data.get("text") for event in events] == ["two", "three", None]
    assert events[-1].data == {"state": "completed"}


@pytest.mark.parametrize("ending", ["prune", "delete"])
def test_it_goes_with_what_else_an_old_job_leaves(service: Service, ending: str) -> None:
    job_id, other = service.submit()["id"], service.submit()["id"]
    for one in (job_id, other):
        write(service, one, "text", "more")
    service.client.post(f"/jobs/{job_id}/cancel")
    if ending == "prune":
        assert prune(service.database, timedelta(0), dry_run=True).pieces == 2
        assert prune(service.database, timedelta(0)).pieces == 2
        assert service.client.get(f"/jobs/{job_id}/logs").json()["items"] == []
    else:
        assert service.client.delete(f"/jobs/{job_id}").status_code == 204
        write(service, job_id, "too late")
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(JobLog)) == 2
