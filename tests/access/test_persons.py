"""Persons: whom an identity provider's tokens, or a proxy, name; and what they may do by that."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from app.access.errors import BadIssuer, IssuerAway, Unauthenticated
from app.access.issuer import KEYS_KEPT_SECONDS, LOOKED_AGAIN_AFTER_SECONDS, Issuer
from app.access.persons import claimed
from tests.access.conftest import Guarded, guard
from tests.support.issuer import TinyIssuer, tiny_issuer
from tests.support.servers import Servers, new_database
from tests.support.service import problem

NAMED = "X-Forwarded-User"


@pytest.fixture(scope="module")
def issuer() -> Iterator[TinyIssuer]:
    with tiny_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def trusting(servers: Servers, issuer: TinyIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A service that takes the provider's tokens."""
    with new_database(servers) as url:
        for one in guard(url, servers.redis_url, tmp_path_factory.mktemp("oidc"), oidc_issuer=issuer.url):
            one.project("radiology")
            yield one


def whoami(guarded: Guarded, token: str, project: str | None = None) -> dict[str, Any]:
    answer = guarded.ask(token, "GET", "/caller", project)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_claims_say_what_a_person_may_do(trusting: Guarded, issuer: TinyIssuer) -> None:
    reads = issuer.token(sub="r", sufficiency_projects=["radiology:read"])
    assert whoami(trusting, reads) == {
        "actor": "person r",
        "project": "radiology",
        "scope": "read",
        "service": False,
        "projects": ["radiology"],
    }
    new = {"name": "mine", "scope": "read"}
    problem(trusting.ask(reads, "POST", "/keys", json=new), 403, "forbidden")
    problem(trusting.ask(reads, "GET", "/jobs", "default"), 404, "project_not_found")
    both = issuer.token(sub="b", sufficiency_projects=["radiology:admin", "default:write", "nowhere:admin", "x", 7])
    assert whoami(trusting, both)["projects"] == ["default", "radiology"]
    assert whoami(trusting, both, "radiology")["scope"] == "admin"
    key = trusting.ask(both, "POST", "/keys", "radiology", json=new).json()
    assert (key["created_by"], key["project"]) == ("person b", "radiology")
    assert whoami(trusting, issuer.token(sub="s", sufficiency_projects="*:admin"))["service"] is True
    nothing = problem(trusting.ask(issuer.token(sub="n"), "GET", "/jobs"), 422, "project_unnamed")
    assert "yours: none" in nothing["detail"]


def test_members_may_do_what_the_project_says(trusting: Guarded, issuer: TinyIssuer) -> None:
    token = issuer.token(sub="auth0|ada")
    put = trusting.ask(trusting.bootstrap, "PUT", "/members/auth0|ada", "radiology", json={"role": "write"})
    assert put.status_code == 200
    assert whoami(trusting, token)["scope"] == "write"
    trusting.ask(trusting.bootstrap, "DELETE", "/members/auth0|ada", "radiology")
    problem(trusting.ask(token, "GET", "/jobs"), 422, "project_unnamed")


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": int(time.time()) - 3600}, id="of before"),
        pytest.param({"nbf": int(time.time()) + 3600}, id="of later"),
        pytest.param({"iss": "https://elsewhere.example.org"}, id="of another provider"),
        pytest.param({"aud": "another"}, id="for another service"),
        pytest.param({"aud": None}, id="for nobody"),
        pytest.param({"exp": None}, id="without end"),
        pytest.param({"sub": None}, id="of nobody"),
        pytest.param({"sub": ""}, id="of an empty name"),
    ],
)
def test_a_token_that_is_not_for_us_and_now_is_refused(
    trusting: Guarded, issuer: TinyIssuer, claims: dict[str, Any]
) -> None:
    token = issuer.token(sufficiency_projects=["*:admin"], **claims)
    refused = trusting.ask(token, "GET", "/jobs")
    assert problem(refused, 401)["code"] in {"unauthenticated", "key_expired"}
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_a_token_that_somebody_else_signed_is_refused(trusting: Guarded, issuer: TinyIssuer) -> None:
    good = issuer.token(sufficiency_projects=["*:admin"])
    head, body, signature = good.split(".")
    with tiny_issuer() as other:
        forged = other.token(iss=issuer.url, key="first", sufficiency_projects=["*:admin"])
    claims = jwt.decode(good, options={"verify_signature": False})
    shared = jwt.encode(claims, "a secret that both of them know, it is long", "HS256", headers={"kid": "first"})
    none = jwt.encode(claims, None, "none", headers={"kid": "first"})
    unknown = issuer.token(sub="x").replace(head, jwt.encode({}, "x" * 40, "HS256").split(".")[0])
    longer = "a." * 2 + "b" * 20_000
    for token in (
        forged,
        shared,
        none,
        unknown,
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        longer,
        "..",
    ):
        problem(trusting.ask(token, "GET", "/jobs"), 401, "unauthenticated")
    assert trusting.ask(good, "GET", "/jobs").status_code == 200


def test_keys_are_kept_and_looked_up_again_within_bounds() -> None:
    now = [0.0]
    with tiny_issuer() as tiny:
        issuer = Issuer(tiny.url, "sufficiency", clock=lambda: now[0])

        def looked() -> int:
            return tiny.asked.count("/jwks")

        for _ in range(3):
            assert issuer.claims(tiny.token())["sub"] == "ada"
        assert looked() == 1
        tiny.new_key("second", "ES256")
        with pytest.raises(Unauthenticated, match="nobody knows the key"):
            issuer.claims(tiny.token())
        now[0] += LOOKED_AGAIN_AFTER_SECONDS + 1
        assert issuer.claims(tiny.token())["sub"] == "ada"
        assert looked() == 2
        made_up = jwt.encode({"sub": "x"}, tiny._keys["second"][1], "ES256", headers={"kid": "made-up"})
        for _ in range(50):
            with pytest.raises(Unauthenticated):
                issuer.claims(made_up)
        assert looked() == 2
        tiny.away = True
        now[0] += KEYS_KEPT_SECONDS + 1
        assert issuer.claims(tiny.token())["sub"] == "ada", "what it knew is good while the provider is away"
        with pytest.raises(IssuerAway):
            Issuer(tiny.url, "sufficiency").claims(tiny.token())


def test_an_issuer_that_anybody_could_play_is_refused() -> None:
    for url in ("http://idp.example.org", "ftp://127.0.0.1", "idp.example.org", ""):
        with pytest.raises(BadIssuer):
            Issuer(url, "sufficiency")


def test_what_a_claim_says_is_read_as_far_as_it_can_be() -> None:
    told = {"p": ["a:write", "a:read", "b:admin", "*:read", "c", "d:owner", ":read", 5, None, "e:f:write"]}
    assert claimed(told, "p") == {"a": "write", "b": "admin", "*": "read", "e:f": "write"}
    assert claimed({"p": "a:read"}, "p") == {"a": "read"}
    assert claimed({}, "p") == claimed({"p": {"a": "read"}}, "p") == {}


@pytest.fixture
def proxied(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    """A service behind a proxy, which is where the test client says it comes from."""
    yield from guard(fresh_database, redis_url, tmp_path, access="proxy", proxy_role="write")


def test_whom_the_proxy_names_is_a_person(proxied: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    transport: Any = proxied.service.client._transport
    monkeypatch.setattr(transport, "client", ("127.0.0.1", 5000))
    proxied.project("radiology")
    ada = {NAMED: "ada@example.org"}
    told = proxied.ask(None, "GET", "/caller", headers=ada).json()
    assert (told["actor"], told["project"], told["scope"]) == ("person ada@example.org", "default", "write")
    assert proxied.ask(None, "POST", "/jobs", json=proxied.service.spec(), headers=ada).status_code == 201
    problem(proxied.ask(None, "GET", "/keys", headers=ada), 403, "forbidden")
    elsewhere = {**ada, "Sufficiency-Project": "radiology"}
    problem(proxied.ask(None, "GET", "/jobs", headers=elsewhere), 404, "project_not_found")
    proxied.ask(proxied.bootstrap, "PUT", "/members/ada@example.org", "radiology", json={"role": "admin"})
    assert proxied.ask(None, "GET", "/keys", headers=elsewhere).status_code == 200
    for unnamed in ({}, {NAMED: ""}, {NAMED: "x" * 600}):
        problem(proxied.ask(None, "GET", "/jobs", headers=unnamed), 401, "unauthenticated")
    assert proxied.ask(proxied.bootstrap, "GET", "/jobs").status_code == 200, "keys are taken beside it"


def test_nobody_but_the_proxy_names_persons(proxied: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    transport: Any = proxied.service.client._transport
    for peer in ("10.0.0.9", "::ffff:127.0.0.1", "testclient"):
        monkeypatch.setattr(transport, "client", (peer, 5000))
        refused = proxied.ask(None, "GET", "/jobs", headers={NAMED: "ada@example.org"})
        assert "is not the proxy" in problem(refused, 401, "unauthenticated")["detail"]
