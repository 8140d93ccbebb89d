"""Jobs have names and notes, lists show what came of them, and are searched, sorted and counted."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.curves.untold import tell_untold
from app.db.tables import Job
from tests.support.service import Service, problem

SIZES = [10, 40, 160, 640, 1000]


def rising(at_most: float, scatter: float = 0.002) -> Any:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, at_most - n**-0.5 + scatter * (run % 3 - 1)), ("Loss", -1, n**-0.5)]

    return measure


@pytest.fixture(scope="module")
def named(standing: Service) -> Iterator[dict[str, str]]:
    """Three jobs: two that have ended, of different levels, and one that waits."""
    made = {}
    for name, at_most in (("Zebra crossings, first batch", 0.9), ("aardvarks", 0.7)):
        made[name] = str(standing.submit(name=name, labels={"of": "lists"}, schedule=SIZES, runs=3)["id"])
        standing.work(made[name], rising(at_most))
    made[""] = str(standing.submit(labels={"of": "lists"}, schedule=SIZES)["id"])
    yield made
    for job_id in made.values():
        standing.client.post(f"/jobs/{job_id}/cancel")
        standing.client.delete(f"/jobs/{job_id}")


def listed(service: Service, **query: Any) -> list[str]:
    answer = service.client.get("/jobs", params={"label": "of:lists", **query})
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


def test_a_job_is_called_what_it_is_submitted_as_and_measures_the_same(standing: Service) -> None:
    called = standing.submit(name="  First batch ", note="Labelled in March.\r\nBy two people.")
    assert (called["name"], called["note"]) == ("First batch", "Labelled in March.\nBy two people.")
    assert called["spec"] == standing.submit()["spec"]
    assert "name" not in called["spec"]


def test_a_job_is_called_something_else_in_whatever_state_it_is(standing: Service, named: dict[str, str]) -> None:
    for job_id in (named[""], named["aardvarks"]):
        before = standing.client.get(f"/jobs/{job_id}").json()
        answer = standing.client.patch(f"/jobs/{job_id}", json={"note": "See ticket 12."})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {**before, "note": "See ticket 12."}
        assert standing.client.patch(f"/jobs/{job_id}", json={"note": ""}).json() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"name": "x" * 101}, "/name", id="long"),
        pytest.param({"name": "two\nlines"}, "/name", id="lines"),
        pytest.param({"name": "\x1b[2J"}, "/name", id="terminal"),
        pytest.param({"note": "\x07"}, "/note", id="bell"),
        pytest.param({"note": "x" * 2001}, "/note", id="long note"),
        pytest.param({"name": 7}, "/name", id="number"),
        pytest.param({"runs": 7}, "/runs", id="another field"),
        pytest.param({}, "", id="nothing"),
    ],
)
def test_what_no_name_is_is_refused(
    standing: Service, named: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    refused = problem(standing.client.patch(f"/jobs/{named['']}", json=body), 422)
    assert pointer in {error["pointer"].removeprefix("#") for error in refused["errors"]}
    if "runs" not in body and body:
        answer = standing.client.post("/jobs", json={**standing.spec(), **body})
        assert pointer in {error["pointer"].removeprefix("#") for error in problem(answer, 422)["errors"]}


def test_the_list_tells_the_primary_result_and_what_the_verdict_says(standing: Service, named: dict[str, str]) -> None:
    items = standing.client.get("/jobs", params={"label": "of:lists"}).json()["items"]
    results = {job["id"]: job["result"] for job in items}
    assert results.pop(named[""]) is None
    for job_id, result in results.items():
        verdict = standing.client.get(f"/jobs/{job_id}/verdict").json()
        view = verdict["metrics"]["Accuracy"][0]
        assert result == {"metric": "Accuracy", "value": view["now"], "n": 1000, "worth": verdict["overall"]["worth"]}


def test_a_result_is_gone_while_its_job_measures_more_and_told_anew(standing: Service) -> None:
    job_id = str(standing.submit(schedule=SIZES[:4], runs=3)["id"])
    standing.work(job_id, rising(0.8))
    first = standing.client.get(f"/jobs/{job_id}").json()["result"]
    assert first["n"] == 640
    assert standing.client.post(f"/jobs/{job_id}/extend", json={"steps": [1000]}).json()["result"] is None
    standing.work(job_id, rising(0.8))
    assert standing.client.get(f"/jobs/{job_id}").json()["result"]["n"] == 1000


def test_of_jobs_that_completed_before_the_result_is_told_later(standing: Service, named: dict[str, str]) -> None:
    job_id = named["aardvarks"]
    before = standing.client.get(f"/jobs/{job_id}").json()
    short = str(standing.submit(schedule=[10], runs=1)["id"])
    standing.work(short, rising(0.8))
    with standing.database.transaction() as session:
        session.execute(update(Job).where(Job.state == "completed").values(result=None))
    assert standing.client.get(f"/jobs/{job_id}").json()["result"] is None
    while tell_untold(standing.database):
        pass
    assert standing.client.get(f"/jobs/{job_id}").json() == before
    assert standing.client.get(f"/jobs/{short}").json()["result"] is None
    with standing.database.transaction() as session:
        assert session.scalar(select(Job.id).where(Job.state == "completed", Job.result.is_(None)).limit(1)) is None


def test_a_part_of_a_word_finds_a_job(standing: Service, named: dict[str, str]) -> None:
    zebra = named["Zebra crossings, first batch"]
    for words in (
        "zebra",
        "EBRA",
        "crossings fir",
        "batch zeb",
        "ra",
        zebra,
        zebra[-7:],
        "small zeb",
        f"  {zebra[:9]} ",
    ):
        assert zebra in listed(standing, q=words), words
    assert listed(standing, q="rossin") == [zebra]
    assert set(listed(standing, q="sma")) == set(named.values()), "the dataset's name"
    assert set(listed(standing, q="mlp")) == set(named.values()), "the model's"
    for words in ("zebras", "aardvarks zebra", "%", "_", "z%a", "\\", "'", '"', "{}", "NULL"):
        assert listed(standing, q=words) == [], words
    assert set(listed(standing, q="   ")) == set(named.values())
    problem(standing.client.get("/jobs", params={"q": "x" * 201}), 422)


def test_jobs_are_listed_by_name_by_when_they_ended_and_by_value(standing: Service, named: dict[str, str]) -> None:
    zebra, ard, waiting = named["Zebra crossings, first batch"], named["aardvarks"], named[""]
    assert listed(standing) == [waiting, ard, zebra]
    assert listed(standing, sort="created") == [zebra, ard, waiting]
    assert listed(standing, sort="name") == [ard, waiting, zebra], "without a name by model and dataset"
    assert listed(standing, sort="-name") == [zebra, waiting, ard]
    assert listed(standing, sort="finished") == [zebra, ard]
    assert listed(standing, sort="value") == [ard, zebra]
    assert listed(standing, sort="-value") == [zebra, ard]
    problem(standing.client.get("/jobs", params={"sort": "colour"}), 422)


@pytest.mark.parametrize("sort", ["-created", "created", "name", "-name", "finished", "-finished", "value", "-value"])
def test_pages_hold_every_job_once_in_every_order(standing: Service, named: dict[str, str], sort: str) -> None:
    whole = listed(standing, sort=sort)
    found, cursor = [], None
    while cursor is not None or not found:
        page = standing.client.get(
            "/jobs", params={"label": "of:lists", "sort": sort, "limit": 1, **({"cursor": cursor} if cursor else {})}
        ).json()
        found += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
    assert found == whole
    other = "name" if sort.removeprefix("-") != "name" else "value"
    cursor = standing.client.get("/jobs", params={"sort": sort, "limit": 1}).json()["next_cursor"]
    if cursor is not None:
        problem(standing.client.get("/jobs", params={"sort": other, "cursor": cursor}), 422)


def test_they_are_counted_up_to_a_thousand(standing: Service, named: dict[str, str]) -> None:
    def counted(**query: Any) -> tuple[int | None, bool]:
        answer = standing.client.get("/jobs", params={"count": True, "limit": 1, **query}).json()
        return answer["count"], answer["count_complete"]

    assert counted(label="of:lists") == (3, True)
    assert counted(label="of:lists", state="completed") == (2, True)
    assert counted(label="of:lists", q="zebra") == (1, True)
    assert standing.client.get("/jobs").json()["count"] is None
    with standing.database.transaction() as session:
        session.execute(MANY, {"id": named["aardvarks"], "many": 1001})
    assert counted(label="of:many") == (1000, False)
    assert counted(label="of:many", q="many-0777") == (1, True)
    with standing.database.transaction() as session:
        session.execute(text('DELETE FROM job WHERE labels @> \'{"of": "many"}\''))


MANY = text(
    """
    INSERT INTO job (state, spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps, device, labels,
                     priority, cells_total, error, finished_at, name)
    SELECT 'failed', spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps, device, '{"of": "many"}',
           priority, 10, '{"code": "x", "detail": "It was long ago."}', now(), 'many-' || lpad(k::text, 4, '0')
    FROM job, generate_series(1, :many) AS k WHERE job.id = CAST(:id AS uuid)
    """
)
