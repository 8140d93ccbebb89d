"""Keys: made, taken, rotated, revoked; and who is let in without one."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from app.access.credentials import BadKeyFile
from app.access.exposure import why_exposed
from app.access.keys import hash_of, new_secret
from app.commands import serve, standalone
from app.db.tables import ApiKey
from app.main import create_app
from app.settings import Settings
from sufficiency.exits import MISUSED, CommandError
from tests.access.conftest import Guarded
from tests.support.service import TestClient, problem

KEY = re.compile(r"suf_[A-Za-z0-9_-]{43}")


def test_a_key_is_kept_nowhere(shared: Guarded) -> None:
    key = shared.key("write", name="ci")
    assert KEY.fullmatch(key["key"])
    assert key["hint"] == f"…{key['key'][-4:]}"
    assert key["created_by"] == "the bootstrap key"
    with shared.service.database.transaction() as session:
        row = session.execute(text("SELECT to_jsonb(api_key)::text FROM api_key WHERE id = :id"), {"id": key["id"]})
        kept = row.scalar_one()
    assert hash_of(key["key"]) in kept
    assert key["key"] not in kept
    listed = shared.ask(shared.bootstrap, "GET", "/keys").text
    assert key["id"] in listed
    assert key["key"] not in listed
    assert hash_of(key["key"]) not in listed


def test_who_has_no_key_is_told_how_to_send_one(shared: Guarded) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer  "}):
        refused = shared.ask(None, "GET", "/jobs", headers=headers)
        assert "Authorization: Bearer" in problem(refused, 401, "unauthenticated")["detail"]
        assert refused.headers["www-authenticate"] == 'Bearer realm="sufficiency"'
    for key in (new_secret(), "suf_", "suf_é", "swordfish"):
        refused = shared.ask(None, "GET", "/jobs", headers={"Authorization": f"Bearer {key}".encode()})
        problem(refused, 401, "unauthenticated")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_nothing_of_a_request_is_read_for_whom_nobody_knows(shared: Guarded) -> None:
    for method, address in [("POST", "/jobs"), ("GET", "/jobs/none"), ("GET", "/nowhere"), ("PUT", "/jobs")]:
        problem(shared.ask(None, method, address, content=b"{"), 401, "unauthenticated")
    for address in ("/livez", "/readyz", "/version", "/openapi.json", "/", "/ui/", "/docs"):
        assert shared.ask(None, "GET", address).status_code == 200, address


def test_a_key_does_what_its_scope_says(shared: Guarded) -> None:
    read, write, admin = (shared.key(scope)["key"] for scope in ("read", "write", "admin"))
    spec = shared.service.spec()
    assert shared.ask(read, "GET", "/jobs").status_code == 200
    assert "takes scope write" in problem(shared.ask(read, "POST", "/jobs", json=spec), 403, "forbidden")["detail"]
    assert shared.ask(write, "POST", "/jobs", json=spec).status_code == 201
    problem(shared.ask(write, "GET", "/keys"), 403, "forbidden")
    assert shared.ask(admin, "GET", "/keys").status_code == 200
    for address in ("/metrics", "/audit?everything=true"):
        problem(shared.ask(admin, "GET", address), 403, "service_only")
    problem(shared.ask(admin, "POST", "/projects", json={"name": "mine"}), 403, "service_only")
    more = {"name": "more", "scope": "read", "service": True}
    problem(shared.ask(admin, "POST", "/keys", json=more), 403, "service_only")
    scraper = shared.key("read", service=True)["key"]
    assert "sufficiency_jobs" in shared.ask(scraper, "GET", "/metrics").text
    problem(shared.ask(scraper, "POST", "/keys", json=more), 403, "forbidden")


def test_what_a_caller_is_told_of_itself(shared: Guarded) -> None:
    key = shared.key("write", "other", name="ci")
    assert shared.ask(key["key"], "GET", "/caller").json() == {
        "actor": f"key ci ({key['hint']})",
        "project": "other",
        "scope": "write",
        "service": False,
        "projects": ["other"],
    }
    assert shared.ask(shared.bootstrap, "GET", "/caller", "other").json() == {
        "actor": "the bootstrap key",
        "project": "other",
        "scope": "admin",
        "service": True,
        "projects": None,
    }


def test_a_revoked_key_ends_at_once_and_stays_listed(shared: Guarded) -> None:
    key = shared.key()
    assert shared.ask(key["key"], "GET", "/jobs").status_code == 200
    revoked = shared.ask(shared.bootstrap, "POST", f"/keys/{key['id']}/revoke").json()
    assert revoked["revoked_at"]
    problem(shared.ask(key["key"], "GET", "/jobs"), 401, "key_revoked")
    assert shared.ask(shared.bootstrap, "POST", f"/keys/{key['id']}/revoke").json() == revoked
    problem(shared.ask(shared.bootstrap, "POST", f"/keys/{key['id']}/rotate"), 409, "key_revoked")
    other = shared.key("admin", "other")["key"]
    problem(shared.ask(other, "POST", f"/keys/{key['id']}/revoke"), 404, "key_not_found")


def test_a_rotated_key_is_taken_beside_the_new_one_for_a_while(shared: Guarded) -> None:
    old = shared.key("write", name="ci")
    new = shared.ask(shared.bootstrap, "POST", f"/keys/{old['id']}/rotate").json()
    assert (new["name"], new["scope"], new["project"]) == ("ci", "write", "default")
    assert new["id"] != old["id"]
    for key in (old, new):
        assert shared.ask(key["key"], "GET", "/jobs").status_code == 200
    newest = shared.ask(shared.bootstrap, "POST", f"/keys/{new['id']}/rotate?grace_hours=0").json()
    problem(shared.ask(new["key"], "GET", "/jobs"), 401, "key_expired")
    assert shared.ask(newest["key"], "GET", "/jobs").status_code == 200


def test_a_key_ends_when_it_said_it_would(shared: Guarded) -> None:
    key = shared.key(expires_in_days=0.5 / 86_400)
    with shared.service.database.transaction() as session:
        session.execute(update(ApiKey).where(ApiKey.id == key["id"]).values(expires_at=func.clock_timestamp()))
    problem(shared.ask(key["key"], "GET", "/jobs"), 401, "key_expired")


def test_its_use_is_written_down_once_a_minute(shared: Guarded) -> None:
    key = shared.key()

    def use() -> Any:
        shared.service.client.app.state.door.forget()  # type: ignore[attr-defined]
        assert shared.ask(key["key"], "GET", "/jobs").status_code == 200
        with shared.service.database.transaction() as session:
            return session.scalar(select(ApiKey.last_used_at).where(ApiKey.id == key["id"]))

    first = use()
    assert first is not None
    assert use() == first
    with shared.service.database.transaction() as session:
        long_ago = first - timedelta(minutes=2)
        session.execute(update(ApiKey).where(ApiKey.id == key["id"]).values(last_used_at=long_ago))
    assert use() > first


def test_what_was_done_stands(shared: Guarded) -> None:
    writer = shared.key("write", name="ci")
    job = shared.ask(writer["key"], "POST", "/jobs", json=shared.service.spec()).json()["id"]
    assert shared.ask(writer["key"], "POST", f"/jobs/{job}/cancel").status_code == 202
    assert shared.ask(writer["key"], "POST", "/jobs?dry_run=true", json=shared.service.spec()).status_code == 200
    problem(shared.ask(writer["key"], "POST", f"/jobs/{job}/cancel"), 409)
    page = shared.ask(shared.bootstrap, "GET", "/audit?limit=3").json()
    told = [(entry["actor"], entry["action"], entry["target"]) for entry in page["items"]]
    assert told == [
        (f"key ci ({writer['hint']})", "cancel_job", {"job": job}),
        (f"key ci ({writer['hint']})", "create_job", {"job": job}),
        ("the bootstrap key", "create_key", {"key": writer["id"]}),
    ], "what only looks, plans or is refused changes nothing"
    older = shared.ask(shared.bootstrap, "GET", f"/audit?limit=3&cursor={page['next_cursor']}").json()
    assert {entry["id"] for entry in older["items"]}.isdisjoint(entry["id"] for entry in page["items"])
    other = shared.key("admin", "other")
    told = shared.ask(other["key"], "GET", "/audit").json()["items"]
    assert {entry["project"] for entry in told} == {"other"}
    for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DBAPIError, match="only ever added to"), shared.service.database.transaction() as session:
            session.execute(text(statement))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.5", "lab-1"])
def test_without_keys_it_does_not_listen_where_others_reach_it(host: str) -> None:
    assert "asks nobody for a key" in str(why_exposed("open", host))
    assert why_exposed("keys", host) is None
    for own in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert why_exposed("open", own) is None


@pytest.mark.parametrize("command", [serve, standalone], ids=["serve", "standalone"])
def test_a_command_that_would_be_open_to_others_ends(command: Callable[..., None]) -> None:
    with pytest.raises(CommandError, match="asks nobody for a key") as ended:
        command(host="0.0.0.0")
    assert ended.value.code == MISUSED
    for words in ("SUFFICIENCY_ACCESS=keys", "SUFFICIENCY_BOOTSTRAP_KEY_FILE"):
        assert words in ended.value.do


def test_an_open_service_answers_no_address_that_others_reach(settings: Settings) -> None:
    afar = TestClient(create_app(settings), base_url="http://10.0.0.5:8000", raise_server_exceptions=False)
    with afar as client:
        assert "on loopback alone" in problem(client.get("/jobs"), 401, "open_to_loopback_only")["detail"]
        assert client.get("/livez").status_code == 200
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        assert client.get("/jobs").status_code == 200


def test_what_is_carried_out_counts_not_what_the_door_took_it_for(guarded: Guarded) -> None:
    app: Any = guarded.service.client.app
    key = guarded.key("write")["key"]
    app.add_api_route("/added", lambda: {"secret": 1}, methods=["GET"], name="metrics")
    problem(guarded.ask(key, "GET", "/added"), 403, "service_only")
    assert guarded.ask(guarded.bootstrap, "GET", "/added").json() == {"secret": 1}
    mounted = TestClient(app, root_path="/behind", raise_server_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    problem(mounted.get("/behind/metrics", headers=headers), 403, "service_only")
    problem(mounted.get("/metrics", headers=headers), 403, "service_only")
    assert mounted.get("/behind/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize("content", [None, "", "short", "suf_short", "x" * 50])
def test_a_file_without_a_key_is_refused(settings: Settings, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadKeyFile, match=str(file)):
        create_app(settings.model_copy(update={"access": "keys", "bootstrap_key_file": file}))
