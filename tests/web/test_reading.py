"""HEAD, OPTIONS, Allow and conditional requests are as HTTP has them, on every address."""

import pytest

from tests.support.service import Service, problem
from tests.web.test_addressed import operations

PLAIN = sorted({path for method, path in operations() if method == "GET" and "{" not in path and path != "/compare"})


@pytest.fixture(scope="module")
def job(standing: Service) -> str:
    """A completed job."""
    job_id = str(standing.submit(schedule=[10, 40, 160, 640, 1000])["id"])
    standing.work(job_id)
    return job_id


@pytest.mark.parametrize("path", [*PLAIN, "/jobs/{job}", "/jobs/{job}/plot.svg", "/ui/", "/docs", "/openapi.json"])
def test_head_is_get_without_a_body(standing: Service, job: str, path: str) -> None:
    address = path.replace("{job}", job)
    whole, head = standing.client.get(address), standing.client.head(address)
    assert head.status_code == whole.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]
    if path != "/metrics":  # which counts these very requests
        assert head.headers["content-length"] == str(len(whole.content)) or "content-encoding" in whole.headers


def test_the_head_of_a_stream_ends(standing: Service, job: str) -> None:
    for job_id in (job, str(standing.submit()["id"])):
        head = standing.client.head(f"/jobs/{job_id}/events")
        assert head.status_code == 200
        assert head.headers["content-type"].startswith("text/event-stream")
        assert head.content == b""
    problem_free = standing.client.head("/jobs/019ab0c4-5b7a-7cc2-9d2e-0f6a1b2c3d4e/events")
    assert problem_free.status_code == 404


def test_every_method_that_an_address_has_is_told(standing: Service, job: str) -> None:
    asked = {
        "/jobs": {"GET", "HEAD", "POST", "OPTIONS"},
        f"/jobs/{job}": {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"},
        f"/jobs/{job}/cancel": {"POST", "OPTIONS"},
        "/openapi.json": {"GET", "HEAD", "OPTIONS"},
        "/ui/": {"GET", "HEAD", "OPTIONS"},
    }
    for path, methods in asked.items():
        for answer in (standing.client.options(path), standing.client.put(path)):
            assert {one.strip() for one in answer.headers["allow"].split(",")} == methods, path
        assert standing.client.options(path).status_code == 204
        told = problem(standing.client.put(path), 405, "method_not_allowed")["detail"]
        assert all(method in told for method in methods)
    problem(standing.client.options("/nowhere"), 404)


def test_what_has_not_changed_is_not_sent_again(standing: Service, job: str) -> None:
    for path in (f"/jobs/{job}", f"/jobs/{job}/project?n=5000", f"/jobs/{job}/plot.svg", "/datasets", "/ui/main.js"):
        first = standing.client.get(path)
        tag = first.headers["etag"]
        for wanted in (tag, f'"other", W/{tag}', "*"):
            again = standing.client.get(path, headers={"If-None-Match": wanted})
            assert again.status_code == 304 or (path.startswith("/ui/") and wanted == "*")
            assert again.content == b"" or wanted == "*"
            assert again.headers["etag"] == tag
        assert standing.client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    queued = str(standing.submit()["id"])
    before = standing.client.get(f"/jobs/{queued}").headers["etag"]
    standing.client.post(f"/jobs/{queued}/cancel")
    changed = standing.client.get(f"/jobs/{queued}", headers={"If-None-Match": before})
    assert changed.status_code == 200
    assert changed.json()["state"] == "cancelled"
