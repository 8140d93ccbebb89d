"""The door: names turned round, pages of others, forms, and the service's own webhooks stay outside."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request

from app.main import create_app
from app.openapi import specification
from app.settings import Settings
from app.web.headers import GUARDS
from tests.support.service import Service, TestClient, problem

JSON = {"Content-Type": "application/json"}
OWN_NAME = "curves.example.org"


@pytest.fixture(scope="module")
def named(standing: Service) -> Iterator[TestClient]:
    """The same service where it has names; nothing runs in its background."""
    settings = standing.settings.model_copy(update={"allowed_hosts": (OWN_NAME, "*.internal")})
    # Without `with`, the application's threads are not started.
    app = create_app(settings)
    yield TestClient(app, raise_server_exceptions=False)
    app.state.database.dispose()


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST",
        "a.localhost:1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.2.3.4",
        "localhost.",
    ],
)
def test_loopback_names_and_plain_addresses_need_no_list(standing: Service, host: str) -> None:
    assert standing.client.get("/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        OWN_NAME,
        "a@localhost",
        "",
        "localhost:x",
        "a/b",
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/metrics", "/docs", "/ui/", "/openapi.json", "/nowhere"])
def test_any_other_name_is_refused_whatever_it_asks_for(standing: Service, host: str, path: str) -> None:
    told = problem(standing.client.get(path, headers={"Host": host}), 421, "host_not_allowed")
    assert "SUFFICIENCY_ALLOWED_HOSTS" in told["detail"]


def test_probes_are_answered_under_any_name(standing: Service) -> None:
    for path in ("/livez", "/readyz"):
        assert standing.client.get(path, headers={"Host": "whatever.a.balancer.calls.it"}).status_code == 200


def test_names_that_are_set_are_the_service_s(named: TestClient) -> None:
    for host in (OWN_NAME, f"{OWN_NAME.upper()}:443", "api.internal", "a.b.internal", "localhost"):
        assert named.get("/jobs", headers={"Host": host}).status_code == 200, host
    for host in (f"x.{OWN_NAME}", "internal", "evilinternal", "internal.evil.example"):
        problem(named.get("/jobs", headers={"Host": host}), 421, "host_not_allowed")


@pytest.mark.parametrize("host", ["a b", "http://a", "a:80", "a/", "", "*.", "a.*", "-a"])
def test_a_setting_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="no name of a host"):
        Settings(allowed_hosts=(host,))


FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Origin": "http://evil.example"},
    "another port of this machine": {"Origin": "http://localhost:3000"},
    "a sandboxed frame": {"Origin": "null"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same site, another origin": {"Sec-Fetch-Site": "same-site"},
    "cross-site with an origin made to fit": {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    "no origin at all": {"Origin": ""},
    "not an origin": {"Origin": "http://["},
}
OWN: dict[str, dict[str, str]] = {
    "a program": {},
    "the page": {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    "the page, over plain HTTP from elsewhere": {"Origin": "http://10.2.3.4:8000", "Host": "10.2.3.4:8000"},
    "the page, where the usual port is written": {"Origin": "http://localhost", "Host": "localhost:80"},
    "the page, behind a proxy that ends TLS": {"Origin": "https://localhost", "Host": "localhost"},
    "the page, behind a proxy that rewrites Host": {"Origin": "https://a.example", "Sec-Fetch-Site": "same-origin"},
    "an address typed in": {"Sec-Fetch-Site": "none"},
}


def _unsafe() -> list[tuple[str, str]]:
    paths = json.loads(specification())["paths"]
    return [(m.upper(), path) for path, operations in paths.items() for m in operations if m not in ("get", "head")]


@pytest.mark.parametrize("sender", FOREIGN)
def test_a_foreign_page_changes_nothing_by_any_operation(standing: Service, sender: str) -> None:
    assert len(_unsafe()) >= 10
    for method, path in _unsafe():
        answer = standing.client.request(method, path, json={}, headers=FOREIGN[sender])
        problem(answer, 403, "foreign_origin")


@pytest.mark.parametrize("sender", OWN)
def test_the_own_page_and_programs_come_in(standing: Service, sender: str) -> None:
    answer = standing.client.post("/jobs?dry_run=true", json=standing.spec(), headers=OWN[sender])
    assert answer.status_code == 200, answer.text


def test_reading_is_not_refused_by_where_it_is_asked_from(standing: Service) -> None:
    # A link on another's page leads here; what it leads to, that page cannot read.
    answer = standing.client.get("/jobs", headers=FOREIGN["cross-site"])
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_changes_something_is_declared_as_json_with_a_body_or_without(standing: Service, declared: str) -> None:
    for method, path in _unsafe():
        if method != "DELETE":
            answer = standing.client.request(method, path, headers={"Content-Type": declared})
            told = problem(answer, 415, "unsupported_media_type")
            wanted = "application/octet-stream" if path.startswith("/uploads/") else "application/json"
            assert f"Content-Type: {wanted}" in told["detail"]


def test_a_method_that_an_address_has_not_is_refused_for_that(standing: Service) -> None:
    for method, path in (("POST", "/livez"), ("PUT", "/jobs"), ("PATCH", "/compare")):
        problem(standing.client.request(method, path, headers={"Content-Type": ""}), 405, "method_not_allowed")
    problem(standing.client.post("/nowhere", headers={"Content-Type": ""}), 404)


def test_a_webhook_cannot_be_pointed_at_a_service(standing: Service) -> None:
    agent = {"User-Agent": "Sufficiency-Webhooks/1.0"}
    problem(standing.client.post("/jobs", json={}, headers=agent), 403, "webhook_to_service")


def test_every_answer_tells_the_browser_to_run_nothing_and_frame_nothing(standing: Service) -> None:
    def broken(request: Request) -> None:
        raise RuntimeError

    standing.client.app.add_api_route("/broken-door", broken, include_in_schema=False)  # type: ignore[attr-defined]
    answers: list[Any] = [
        standing.client.get(path, follow_redirects=False)
        for path in ("/", "/ui/", "/ui/main.js", "/docs", "/openapi.json", "/livez", "/metrics", "/jobs", "/nowhere")
    ]
    answers.append(standing.client.get("/broken-door"))
    answers.append(standing.client.get("/jobs", headers={"Host": "evil.example"}))
    answers.append(standing.client.post("/jobs", headers={"Origin": "null"}))
    answers.append(standing.client.put("/jobs"))
    assert {answer.status_code for answer in answers} == {200, 307, 404, 500, 421, 403, 405}
    for answer in answers:
        assert GUARDS.keys() <= {name.title().replace("Xc", "XC") for name in answer.headers}, answer.url
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


def test_the_specification_says_what_the_door_refuses() -> None:
    for operations in json.loads(specification())["paths"].values():
        for method, operation in operations.items():
            assert "421" in operation["responses"]
            assert method == "get" or "403" in operation["responses"]
            assert ("415" in operation["responses"]) == (method in ("post", "patch", "put"))
