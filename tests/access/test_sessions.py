"""Signing in on the page: what the cookie is, what it is good for, and what a foreign page can do with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import Response
from sqlalchemy import func, select, text, update

from app.access.sessions import COOKIE, PENDING_COOKIE
from app.db.tables import PageSession
from tests.access.conftest import Guarded, guard
from tests.support.issuer import CLIENT, SECRET, TinyIssuer, tiny_issuer
from tests.support.service import problem, running

FOREIGN = {"foreign_page", "foreign_origin"}
OWN = {"Sufficiency-Page": "1", "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[TinyIssuer]:
    with tiny_issuer() as running:
        yield running


@pytest.fixture
def site(fresh_database: str, redis_url: str, tmp_path: Path, issuer: TinyIssuer) -> Iterator[Guarded]:
    """A service with an identity provider, which a browser asks: with cookies, without a key."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    provider = {
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT,
        "oidc_audience": "sufficiency",
        "oidc_client_secret_file": tmp_path / "secret",
        "oidc_subject_claim": "email",
    }
    for one in guard(fresh_database, redis_url, tmp_path, **provider):
        one.project("other")
        yield one


def browse(site: Guarded, method: str, address: str, **more: Any) -> Response:
    """Send what the page sends."""
    return site.ask(None, method, address, headers={**OWN, **more.pop("headers", {})}, follow_redirects=False, **more)


def signed_in(site: Guarded, key: str) -> Response:
    answer = browse(site, "POST", "/session", json={"key": key})
    assert answer.status_code == 201, answer.text
    return answer


def attributes(answer: Response, name: str) -> dict[str, str]:
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
    parts = [part.strip().partition("=") for part in cookie.split(";")]
    return {key.lower(): value for key, _, value in parts[1:]}


def test_a_key_is_signed_in_with_once(site: Guarded) -> None:
    assert browse(site, "GET", "/session").json() == {
        "open": False,
        "provider": True,
        "signed_in": False,
        "actor": None,
        "project": None,
    }
    problem(browse(site, "GET", "/jobs"), 401, "unauthenticated")
    key = site.key("write", name="ada")
    answer = signed_in(site, key["key"])
    assert attributes(answer, COOKIE) == {"httponly": "", "samesite": "strict", "path": "/", "max-age": "43200"}
    told = browse(site, "GET", "/session").json()
    assert (told["signed_in"], told["actor"], told["project"]) == (True, f"key ada ({key['hint']})", "default")
    assert browse(site, "POST", "/jobs", json=site.service.spec()).status_code == 201
    secret = site.service.client.cookies[COOKIE]
    with site.service.database.transaction() as session:
        rows = session.scalar(text("SELECT string_agg(to_jsonb(page_session)::text, '') FROM page_session"))
    assert secret not in rows
    assert key["key"] not in rows
    entry = site.ask(site.bootstrap, "GET", "/audit?everything=true&limit=2").json()["items"]
    assert [(one["actor"], one["action"]) for one in entry][-1] == (f"key ada ({key['hint']})", "sign_in")
    assert browse(site, "DELETE", "/session").status_code == 204
    assert COOKIE not in site.service.client.cookies
    problem(browse(site, "GET", "/jobs", headers={"Cookie": f"{COOKIE}={secret}"}), 401, "signed_out")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="a form"),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.org"}, id="a form, as browsers tell"
        ),
        pytest.param({**OWN, "Sec-Fetch-Site": "cross-site"}, id="a page with the header"),
        pytest.param({**OWN, "Sec-Fetch-Site": "same-site"}, id="a page of a neighbour"),
        pytest.param({"Sufficiency-Page": "1", "Origin": "null"}, id="a sandboxed page"),
        pytest.param(
            {"Sufficiency-Page": "1", "Origin": "https://evil.example.org"}, id="a page, where browsers tell less"
        ),
        pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, id="without the header"),
    ],
)
def test_a_cookie_changes_nothing_for_a_foreign_page(site: Guarded, headers: dict[str, str]) -> None:
    signed_in(site, site.key("admin")["key"])
    spec = site.service.spec()
    for method, address, body in [
        ("POST", "/jobs", spec),
        ("POST", "/keys", {"name": "x"}),
        ("DELETE", "/session", None),
    ]:
        more = {} if body is None else {"json": body}
        refused = site.ask(None, method, address, headers=headers, **more)
        assert problem(refused, 403)["code"] in FOREIGN, refused.text
    refused = site.ask(None, "POST", "/session", headers=headers, json={"key": site.bootstrap})
    assert problem(refused, 403)["code"] in FOREIGN
    assert site.ask(None, "GET", "/jobs", headers={}).json()["items"] == []


def test_a_session_ends_with_its_key_and_with_its_time(site: Guarded) -> None:
    key = site.key("read")
    signed_in(site, key["key"])
    assert browse(site, "GET", "/jobs").status_code == 200
    site.ask(site.bootstrap, "POST", f"/keys/{key['id']}/revoke", headers={"Cookie": ""})
    problem(browse(site, "GET", "/jobs"), 401, "key_revoked")
    signed_in(site, site.bootstrap)
    with site.service.database.transaction() as session:
        session.execute(update(PageSession).values(expires_at=func.now()))
    site.service.client.app.state.door.forget()  # type: ignore[attr-defined]
    problem(browse(site, "GET", "/jobs"), 401, "signed_out")
    signed_in(site, site.bootstrap)
    with site.service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(PageSession)) == 1, "those that are over are dropped"
    for wrong in ("suf_" + "c" * 43, "", "x" * 600):
        answer = browse(site, "POST", "/session", json={"key": wrong})
        assert answer.status_code in (401, 422), answer.text


def test_the_page_is_about_the_project_that_was_chosen(site: Guarded) -> None:
    signed_in(site, site.bootstrap)
    assert browse(site, "POST", "/jobs", json=site.service.spec()).status_code == 201
    assert browse(site, "PUT", "/session/project", json={"project": "other"}).json()["project"] == "other"
    assert browse(site, "GET", "/session").json()["project"] == "other"
    assert browse(site, "GET", "/jobs").json()["items"] == []
    problem(browse(site, "PUT", "/session/project", json={"project": "nowhere"}), 404, "project_not_found")
    browse(site, "DELETE", "/session")
    problem(browse(site, "PUT", "/session/project", json={"project": "other"}), 401, "unauthenticated")
    signed_in(site, site.key("read", "other")["key"])
    problem(browse(site, "PUT", "/session/project", json={"project": "default"}), 404, "project_not_found")


def test_an_identity_provider_signs_a_person_in(site: Guarded, issuer: TinyIssuer) -> None:
    issuer.person = {"sub": "8f3a", "email": "ada@example.org", "sufficiency_projects": ["other:admin"]}
    away = browse(site, "GET", "/session/provider")
    assert away.status_code == 303
    asked = {name: values[0] for name, values in parse_qs(urlsplit(away.headers["location"]).query).items()}
    assert asked["redirect_uri"] == "http://localhost/session/callback"
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    assert attributes(away, PENDING_COOKIE) == {"httponly": "", "samesite": "lax", "path": "/", "max-age": "600"}
    back = urlsplit(issuer.sign_in(away.headers["location"]))
    # As a browser comes from the provider's site: a navigation, with none of the page's headers.
    home = site.ask(None, "GET", f"{back.path}?{back.query}", follow_redirects=False)
    assert (home.status_code, home.headers["location"]) == (303, "http://localhost/ui/")
    assert attributes(home, COOKIE)["samesite"] == "strict"
    told = browse(site, "GET", "/session").json()
    assert (told["actor"], told["project"]) == ("person ada@example.org", "other")
    key = browse(site, "POST", "/keys", json={"name": "mine", "scope": "write"}).json()
    assert (key["created_by"], key["project"]) == ("person ada@example.org", "other")
    again = site.ask(None, "GET", f"{back.path}?{back.query}", follow_redirects=False)
    problem(again, 401, "unauthenticated")


@pytest.mark.parametrize("wrong", ["state", "code", "nonce", "verifier", "no cookie"])
def test_an_answer_to_another_question_signs_nobody_in(site: Guarded, issuer: TinyIssuer, wrong: str) -> None:
    issuer.person = {"sub": "8f3a", "email": "ada@example.org", "sufficiency_projects": ["other:admin"]}
    away = browse(site, "GET", "/session/provider")
    back = urlsplit(issuer.sign_in(away.headers["location"]))
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    if wrong in query:
        query[wrong] = "another"
    elif wrong == "no cookie":
        site.service.client.cookies.clear()
    else:
        with site.service.database.transaction() as session:
            [row] = session.scalars(select(PageSession)).all()
            row.pending = {**(row.pending or {}), wrong: "another"}
    refused = site.ask(None, "GET", back.path, params=query, follow_redirects=False)
    problem(refused, 401, "unauthenticated")
    assert browse(site, "GET", "/session").json()["signed_in"] is False


def test_cookies_are_for_https_alone_where_browsers_come_by_it(site: Guarded) -> None:
    answer = browse(site, "POST", "/session", json={"key": site.bootstrap}, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in attributes(answer, COOKIE)


def test_an_open_service_needs_nobody_to_sign_in(fresh_database: str, redis_url: str) -> None:
    with running(fresh_database, redis_url) as service:
        told = service.client.get("/session").json()
        assert (told["open"], told["provider"]) == (True, False)
        problem(service.client.get("/session/provider"), 404, "no_provider")
