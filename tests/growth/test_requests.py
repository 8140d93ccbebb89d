"""Whatever a request holds many of, twice as many cost no more than about twice the work, valid or not."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.growth.counting import ask, hold_growth, put
from tests.growth.places import Parameter, Place, bodies, parameters, places, value_of
from tests.support.service import Service

PLACES = places()
ENTRIES = 60
EXAMPLES = {(method, path, name): value for method, path, name, value in bodies()}
# What stands in the place of an entry, by its number.
KINDS: dict[str, Callable[[Any, int], Any]] = {
    "as it should be": value_of,
    "all the same": lambda entry, _: value_of(entry, 0),
    "zeros": lambda *_: 0,
    "objects": lambda *_: {"a": []},
    "nulls": lambda *_: None,
    "texts": lambda _, number: f"none such {number}",
}


@pytest.fixture(scope="module")
def job(standing: Service) -> str:
    """A job that has been measured and can be asked and extended."""
    job_id = str(standing.submit(schedule=[10, 40, 160, 640, 1000], runs=2)["id"])
    standing.work(job_id)
    return job_id


def test_the_walk_finds_what_is_known_to_be_there() -> None:
    known = {"/".join(place.inside) for place in PLACES}
    assert {
        "schedule",
        "metrics",
        "labels",
        "measured/values",
        "model/params",
        "train/params",
        "events",
        "steps",
    } <= known
    assert {"n", "target", "metric", "class", "job", "label", "state"} <= {one.name for one in parameters()}


def address_of(path: str, job: str) -> str:
    return path.replace("{job_id}", job).replace("{name}", "small").replace("{kind}", "model")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_body(standing: Service, job: str, place: Place, kind: str) -> None:
    example = EXAMPLES[place.method, place.path, place.example]
    if place.path == "/jobs" and "measured" not in example:
        example = standing.spec() | {"labels": {}}
    address = address_of(place.path, job) + (
        "?dry_run=true" if place.path in ("/jobs", "/jobs/{job_id}/extend") else ""
    )

    def send(size: int) -> None:
        entries = [KINDS[kind](place.entry, number) for number in range(size)]
        value = entries if place.kind == "list" else {f"k{n}": entry for n, entry in enumerate(entries)}
        answer = ask(standing.client.app, place.method, address, put(example, place.inside, value))
        assert answer.status < 500, answer.body[:500]
        if answer.status >= 400:
            assert len(answer.json().get("errors", ())) <= 20
            assert len(answer.body) < 50_000

    hold_growth(send, ENTRIES, f"{place}, {kind}")


@pytest.mark.parametrize("kind", ["as it should be", "all the same", "texts"])
@pytest.mark.parametrize("parameter", parameters(), ids=str)
def test_an_address(standing: Service, job: str, parameter: Parameter, kind: str) -> None:
    others = {"n": "5000", "target": "0.9"}
    path = address_of(parameter.path, job).replace("{kind}", "svg")

    def send(size: int) -> None:
        given = [f"{parameter.name}={quote(str(KINDS[kind](parameter.entry, n)))}" for n in range(size)]
        given += [f"{name}={value}" for name, value in others.items() if name != parameter.name and f"/{path}"]
        answer = ask(standing.client.app, parameter.method, f"{path}?{'&'.join(given)}")
        assert answer.status < 500, answer.body[:500]
        if answer.status >= 400:
            assert len(answer.json().get("errors", ())) <= 20
            assert len(answer.body) < 50_000

    hold_growth(send, 40, f"{parameter}, {kind}")


@pytest.mark.parametrize("wrong", ["fields", "depth", "long names", "long values", "one long text"])
def test_a_body_that_is_nothing_of_the_kind(standing: Service, wrong: str) -> None:
    def body(size: int) -> Any:
        if wrong == "fields":
            return {f"modle{number}": 1 for number in range(size)}
        if wrong == "depth":
            deep: Any = 0
            for _ in range(min(size, 900)):
                deep = [deep]
            return standing.spec(model={"name": "mlp", "params": {"width": deep}})
        if wrong == "long names":
            return standing.spec() | {"x" * 100 * size: 1}
        if wrong == "long values":
            return standing.spec(dataset="d" * 100 * size)
        return "t" * 100 * size

    def send(size: int) -> None:
        answer = ask(standing.client.app, "POST", "/jobs", body(size))
        assert 400 <= answer.status < 500
        assert len(answer.json().get("errors", ())) <= 20
        assert len(answer.body) < 50_000

    hold_growth(send, ENTRIES, wrong)


def test_the_number_of_faults_is_told_where_not_all_are_listed(standing: Service) -> None:
    answer = standing.client.post("/jobs", json=standing.spec(schedule=[0] * 5000))
    told = answer.json()
    assert len(told["errors"]) == 20
    assert told["errors_total"] == 5000
    assert told["detail"].endswith("and 4997 more")
    few = standing.client.post("/jobs", json=standing.spec(schedule=[0] * 20)).json()
    assert len(few["errors"]) == 20
    assert "errors_total" not in few
