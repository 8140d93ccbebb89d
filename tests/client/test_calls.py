"""The client repeats what it may, resumes event streams, and tells problems as they are."""

import json

import pytest

from sufficiency import ApiError, BadUrl, Client, ServiceUnreachable, WaitTimeout
from tests.support.script import Script

JOB = "019a0000-0000-7000-8000-000000000000"
EMPTY = json.dumps({"items": [], "next_cursor": None})
BUSY = (503, {"Retry-After": "7"}, json.dumps({"title": "Service unavailable", "code": "database_unavailable"}))


def sse(*events: tuple[int, str, dict[str, object]]) -> tuple[int, dict[str, str], str]:
    """Return an answer with these events."""
    lines = [f"id: {id}\nevent: {type}\ndata: {json.dumps(data)}\n\n" for id, type, data in events]
    return 200, {"Content-Type": "text/event-stream"}, ": hello\n\n" + "".join(lines)


def state(state: str) -> tuple[int, dict[str, str], str]:
    """Return an answer with a job in this state."""
    return 200, {}, json.dumps({"id": JOB, "state": state})


def test_a_get_is_repeated_after_what_the_service_asks(script: Script, patience: list[float]) -> None:
    script.answers = [BUSY, BUSY, (200, {}, EMPTY)]
    with Client(script.url) as client:
        assert client.datasets() == []
    assert patience == [7.0, 7.0]


def test_a_get_is_not_repeated_for_ever(script: Script, patience: list[float]) -> None:
    script.answers = [BUSY] * 10
    with Client(script.url) as client, pytest.raises(ApiError) as refused:
        client.datasets()
    assert refused.value.status == 503
    assert refused.value.code == "database_unavailable"
    assert len(script.asked) == 4


@pytest.mark.parametrize(("key", "times"), [(None, 1), ("once", 4)])
def test_a_submission_is_repeated_only_under_a_key(
    script: Script, patience: list[float], key: str | None, times: int
) -> None:
    script.answers = [BUSY] * 10
    with Client(script.url) as client, pytest.raises(ApiError):
        client.submit({}, idempotency_key=key)
    assert len(script.asked) == times
    assert all(headers.get("Idempotency-Key") == key for _, headers in script.asked)


def test_nobody_there(nobody: str, patience: list[float]) -> None:
    with Client(nobody) as client:
        assert not client.ready()
        with pytest.raises(ServiceUnreachable, match="start the service with `sufficiency standalone`"):
            client.submit({})
    assert len(patience) == 3


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://[::"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(BadUrl):
        Client(url)


def test_pages_are_followed(script: Script) -> None:
    pages = [{"items": [{"id": n}], "next_cursor": c} for n, c in (("1", "a b"), ("2", "c"), ("3", None))]
    script.answers = [(200, {}, json.dumps(page)) for page in pages]
    with Client(script.url) as client:
        assert [job["id"] for job in client.jobs(state="running", label=["a:1", "b:2"])] == ["1", "2", "3"]
    assert script.asked[1][0] == "GET /jobs?state=running&label=a%3A1&label=b%3A2&cursor=a+b"


def test_a_limit_ends_the_pages(script: Script) -> None:
    script.answers = [(200, {}, json.dumps({"items": [{"id": n} for n in range(5)], "next_cursor": "more"}))]
    with Client(script.url) as client:
        assert len(list(client.jobs(limit=5))) == 5
    assert len(script.asked) == 1


def test_a_stream_is_resumed_where_it_broke(script: Script, patience: list[float]) -> None:
    whole, broken = sse((3, "state", {"state": "completed"})), sse((1, "state", {"state": "running"}), (2, "cell", {}))
    broken[1]["Content-Length"] = str(len(broken[2]) + 100)  # the server dies in the middle of an event
    script.answers = [broken, BUSY, whole, state("completed"), sse()]
    with Client(script.url) as client:
        assert [event.id for event in client.events(JOB)] == [1, 2, 3]
    assert [headers.get("Last-Event-ID") for _, headers in script.asked] == [None, "2", "2", None, "3"]
    assert 7.0 in patience


def test_a_stream_that_a_restart_closed_is_opened_again(script: Script, patience: list[float]) -> None:
    script.answers = [
        sse((1, "state", {"state": "failed"}), (2, "state", {"state": "queued"})),  # a job that is tried again
        state("running"),
        sse((3, "state", {"state": "completed"})),
        state("completed"),
        sse((4, "warning", {})),  # written while we looked
    ]
    with Client(script.url) as client:
        assert [event.id for event in client.events(JOB)] == [1, 2, 3, 4]


def test_what_came_after_a_restart_is_read_though_the_stream_breaks_again(
    script: Script, patience: list[float]
) -> None:
    broken = sse((2, "cell", {}))
    broken[1]["Content-Length"] = str(len(broken[2]) + 100)
    script.answers = [
        sse((1, "state", {"state": "running"})),  # closed by a server that stops; then the job ends
        state("completed"),
        broken,
        sse(),  # closed by the next server that stops
        state("completed"),
        sse((3, "state", {"state": "completed"})),
    ]
    with Client(script.url) as client:
        assert [event.id for event in client.events(JOB)] == [1, 2, 3]


def test_who_comes_back_while_the_database_is_away_still_hears_the_end(script: Script, patience: list[float]) -> None:
    """The end is known by who looks at the job, and not yet by who reads on; nothing twice is no end then."""
    away = (200, {"Content-Type": "text/event-stream"}, 'event: interrupted\ndata: {"detail": "…"}\n\n')
    script.answers = [
        away,
        away,
        away,
        sse((10, "cell", {}), (11, "state", {"state": "completed"})),
        state("completed"),
    ]
    script.answers.append(sse())
    with Client(script.url) as client:
        assert [event.id for event in client.events(JOB, 9)] == [10, 11]
    assert [headers.get("Last-Event-ID") for _, headers in script.asked] == ["9", "9", "9", "9", None, "11"]


def test_a_stream_of_no_job_is_a_refusal(script: Script) -> None:
    script.answers = [(404, {}, json.dumps({"title": "Not Found", "detail": "No such job.", "code": "not_found"}))]
    with Client(script.url) as client, pytest.raises(ApiError, match="No such job"):
        list(client.events(JOB))


def test_a_lost_stream_is_given_up_in_the_end(nobody: str, patience: list[float]) -> None:
    with Client(nobody) as client, pytest.raises(ServiceUnreachable):
        list(client.events(JOB))
    assert len(patience) == 8


def test_waiting_ends_with_the_job_or_the_time(script: Script, patience: list[float]) -> None:
    script.answers = [state("queued"), state("running"), state("completed")]
    with Client(script.url) as client:
        assert client.wait(JOB)["state"] == "completed"
        script.answers = [state("running")]
        with pytest.raises(WaitTimeout, match="it goes on"):
            client.wait(JOB, timeout=0.01)


def test_waiting_bears_a_restart_of_the_service(
    script: Script, patience: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [*[BUSY] * 5, state("running"), *[BUSY] * 9, state("completed")]
    with Client(script.url) as client:
        assert client.wait(JOB)["state"] == "completed"
        monkeypatch.setattr("sufficiency.client.waiting.OUTAGE_SECONDS", 0.0)
        script.answers = [state("running"), *[BUSY] * 4]
        with pytest.raises(ApiError, match="unavailable"):
            client.wait(JOB)
        script.answers = [state("running"), (404, {}, json.dumps({"title": "Not found", "code": "job_not_found"}))]
        with pytest.raises(ApiError, match="Not found"):
            client.wait(JOB)


def test_names_are_quoted(script: Script) -> None:
    script.answers = [(200, {}, "{}")]
    with Client(script.url) as client:
        client.dataset("../jobs?x=1")
    assert script.asked[0][0] == "GET /datasets/..%2Fjobs%3Fx%3D1"


def test_events_are_parsed_as_the_standard_says(script: Script) -> None:
    # \u2028 ends a line for Python, and none of a stream.
    text = (
        ': comment|data: {}||id: 7|event: cell|data: {|data: "a": "\u2028" }||event: nothing||id:8|data:{ }||'
        "id: 9|data: {}"
    )
    stream = {"Content-Type": "text/event-stream; charset=utf-8"}
    script.answers = [
        (200, stream, text.replace("|", "\r\n")),
        state("completed"),
        (200, stream, sse((9, "state", {"state": "completed"}))[2]),
    ]
    with Client(script.url) as client:
        parsed = [(event.id, event.type, event.data) for event in client.events(JOB)]
    # What stands before the first number, has no data, or is cut off, is no event of ours.
    assert parsed == [(7, "cell", {"a": "\u2028"}), (8, "message", {}), (9, "state", {"state": "completed"})]


def test_what_is_no_stream_is_not_this_service(script: Script) -> None:
    script.answers = [(200, {"Content-Type": "text/html"}, "<p>Welcome to nginx!</p>")]
    with Client(script.url) as client, pytest.raises(ServiceUnreachable, match="text/event-stream"):
        list(client.events(JOB))
