"""The client and the command line where the service asks for keys."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.keys import new_secret
from app.main import create_app
from app.settings import Settings
from sufficiency import ApiError, Client
from sufficiency.client.errors import BadKey
from tests.support.script import Script
from tests.support.servers import Servers, new_database

OK = (200, {}, json.dumps({"items": [], "next_cursor": None}))


def test_who_asks_goes_with_every_request(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICIENCY_API_KEY", "suf_of_the_environment\n")
    script.answers = [OK, OK, OK]
    with Client(script.url) as client:
        client.workers()
    with Client(script.url, key="suf_mine", project="radiology") as client:
        client.keys()
    monkeypatch.delenv("SUFFICIENCY_API_KEY")
    with Client(script.url) as client:
        client.workers()
    sent = [(headers.get("Authorization"), headers.get("Sufficiency-Project")) for _, headers in script.asked]
    assert sent == [("Bearer suf_of_the_environment", None), ("Bearer suf_mine", "radiology"), (None, None)]
    for wrong in ({"key": "suf_ü"}, {"key": "suf_a\nb"}, {"project": "ü"}):
        with pytest.raises(BadKey):
            Client(script.url, **wrong)


def test_what_came_too_soon_is_sent_again_and_what_is_too_much_is_not(script: Script, patience: list[float]) -> None:
    soon = (
        429,
        {"Retry-After": "7"},
        json.dumps({"code": "too_many_requests", "title": "Too many", "detail": "Wait."}),
    )
    much = (429, {}, json.dumps({"code": "quota_exceeded", "title": "Too much", "detail": "Delete some."}))
    script.answers = [soon, (201, {}, json.dumps({"id": "x", "name": "n"})), much]
    with Client(script.url) as client:
        assert client.add_project("n")["name"] == "n"
        assert patience == [7.0]
        with pytest.raises(ApiError, match="Delete some"):
            client.add_project("m")
    assert patience == [7.0]


@pytest.fixture
def guarded(servers: Servers, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Makes clients of a service that asks for keys, which they reach without a socket."""
    from tests.support.service import TestClient

    (tmp_path / "key").write_text(new_secret())
    with new_database(servers) as url:
        settings = Settings(
            database_url=url,
            redis_url=servers.redis_url,
            access="keys",
            bootstrap_key_file=tmp_path / "key",
            sweep_seconds=3600,
        )
        with TestClient(create_app(settings)) as inside:

            def answer(request: httpx.Request) -> httpx.Response:
                headers = {name: value for name, value in request.headers.items() if name != "content-length"}
                told = inside.request(request.method, str(request.url), content=request.content, headers=headers)
                return httpx.Response(told.status_code, headers=dict(told.headers), content=told.content)

            def make(key: str | None = None, **more: Any) -> Client:
                key = (tmp_path / "key").read_text() if key is None else key
                return Client("http://localhost", key=key, transport=httpx.MockTransport(answer), **more)

            yield make


def test_keys_projects_members_and_the_audit(guarded: Callable[..., Client]) -> None:
    with guarded() as boss, guarded(project="lab") as in_lab:
        assert boss.caller().view.service is True
        assert boss.add_project("lab", "A lab").view.name == "lab"
        detail = boss.change_project("lab", quotas={"open_jobs": 3, "cells": 500})
        assert (detail.view.quotas.open_jobs, detail.view.usage.cells) == (3, 0)
        assert boss.change_project("lab", quotas={"cells": None}).view.quotas.cells is None
        assert boss.project_detail("lab")["quotas"]["open_jobs"] == 3
        assert (detail.view.weight, boss.change_project("lab", weight=2.5).view.weight) == (1.0, 2.5)
        assert boss.project_detail("lab")["quotas"]["open_jobs"] == 3, "what is left out stays"
        assert [one["name"] for one in boss.projects()] == ["default", "lab"]
        key = in_lab.add_key("ci", "write", expires_in_days=5)
        assert key.view.key.startswith("suf_")
        newer = in_lab.rotate_key(key["id"], grace_hours=0)
        with guarded(newer["key"]) as ci:
            assert ci.caller().view.project == "lab"
            assert list(ci.jobs()) == []
            with pytest.raises(ApiError, match="takes scope admin"):
                ci.keys()
        assert in_lab.revoke_key(newer["id"]).view.revoked_at is not None
        listed = in_lab.keys()
        assert [key["revoked_at"] is None for key in listed] == [True, False]
        with guarded(newer["key"]) as ci, pytest.raises(ApiError) as refused:
            ci.caller()
        assert (refused.value.status, refused.value.code) == (401, "key_revoked")
        assert in_lab.put_member("https://id.example.org/ada", "write").view.role == "write"
        assert [one["subject"] for one in in_lab.members()] == ["https://id.example.org/ada"]
        in_lab.remove_member("https://id.example.org/ada")
        assert in_lab.members() == []
        told = [one.view.action for one in in_lab.audit(limit=3)]
        assert told == ["remove_member", "put_member", "revoke_key"]
        assert {one["project"] for one in boss.audit(everything=True)} == {None, "lab"}
        boss.remove_project("lab")
        assert [one["name"] for one in boss.projects()] == ["default"]
