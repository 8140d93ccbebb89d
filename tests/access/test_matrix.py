"""Every operation, also those that the specification does not show, asked with every kind of key about every subject.

An operation that is added without a row in `matrix.py` fails here.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import func, select, update

from app.db.tables import ApiKey, Dataset, Project, WebhookDelivery
from app.main import create_app
from app.openapi import specification
from app.settings import Settings
from tests.access.conftest import Guarded, guard
from tests.access.matrix import ROWS, SPLIT, TABLE, Row, filled
from tests.support.servers import Servers, new_database
from tests.support.service import INFO, problem

SCOPES = ("read", "write", "admin")
NOBODY = ("none", "unknown", "expired", "revoked")
PROJECTS = ("default", "hidden")
OCTETS = {"Content-Type": "application/octet-stream"}
MARK = "swordfish"  # in all that is the other project's
MEASURED = {
    "measured": {
        "dataset": "elsewhere",
        "model": "mlp",
        "values": [
            {"run": run, "n": n, "metric": "Accuracy", "value": 1 - (1 + run / 9) / n**0.5}
            for run in range(2)
            for n in (20, 60, 200, 600)
        ],
    },
}


def operations() -> dict[str, tuple[str, str]]:
    """Return method and path of every operation: those of the specification, and what it does not show."""
    app = create_app(Settings())
    found = {name: (method, path) for method, path, name in app.state.door.operations}
    told = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in json.loads(specification())["paths"].items()
        for method, operation in methods.items()
    }
    return {name: (method, path.replace(":path}", "}")) for name, (method, path) in found.items()} | told


OPERATIONS = operations()


@dataclass
class Matrix:
    """Two projects with one of everything each, and keys of every kind."""

    guarded: Guarded
    keys: dict[str, str | None]
    service_keys: dict[str, str]
    subjects: dict[str, dict[str, str]]
    numbers: Iterator[int]

    def make(self, kind: str, project: str) -> str:
        """Make a new subject in a project."""
        ask, boss = self.guarded.ask, self.guarded.bootstrap
        mark = MARK if project == "hidden" else "plain"
        number = next(self.numbers)
        if kind == "job":
            made = ask(boss, "POST", "/jobs", project, json={**MEASURED, "labels": {"mark": mark}})
        elif kind == "dataset":
            name = f"{mark}-{number}"
            made = ask(boss, "POST", "/datasets", project, json={"name": name, "train": SPLIT, "test": SPLIT})
            with self.guarded.service.database.transaction() as session:
                session.execute(
                    update(Dataset)
                    .where(Dataset.id == UUID(made.json()["id"]))
                    .values(status="ready", fingerprint=f"sha256:{mark}", info=INFO, preview=b"\x89PNG")
                )
            return name
        elif kind in ("webhook", "delivery"):
            hook = {"url": f"https://hooks.example.org/{mark}/{number}", "events": ["job.failed"]}
            made = ask(boss, "POST", "/webhooks", project, json={**hook, "description": mark})
            if kind == "delivery":
                with self.guarded.service.database.transaction() as session:
                    delivery = WebhookDelivery(
                        webhook_id=UUID(made.json()["id"]), type="job.failed", body="{}", state="failed"
                    )
                    delivery.ended_at = func.now()
                    session.add(delivery)
                    session.flush()
                    return f"{made.json()['id']}/{delivery.id}"
        elif kind == "key":
            made = ask(boss, "POST", "/keys", project, json={"name": f"{mark}-{number}"})
        elif kind == "upload":
            name = f"{mark}-{number}.csv"
            made = self.guarded.ask(boss, "PUT", f"/uploads/{name}", project, content=TABLE, headers=OCTETS)
            assert made.status_code == 201, made.text
            return name
        elif kind == "member":
            subject = f"{mark}-{number}@example.org"
            made = ask(boss, "PUT", f"/members/{subject}", project, json={"role": "read"})
            assert made.status_code == 200
            return subject
        else:
            assert kind == "project"
            return self.guarded.project(f"p{number}")
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def never(self, kind: str) -> str:
        """Return a subject that never was."""
        return {
            "dataset": "nothing",
            "member": "nobody",
            "project": "nothing",
            "upload": "nothing.csv",
            "delivery": f"{uuid4()}/{uuid4()}",
        }.get(kind, str(uuid4()))

    def ask(self, name: str, key: str | None, subject: str = "") -> Response:
        """Ask an operation."""
        method, path = OPERATIONS[name]
        row = ROWS[name]
        first, _, second = subject.partition("/")
        names = {"own": subject, "new": f"new{next(self.numbers)}", "mine": self.subjects["default"]["mine"]}
        parts = {"kind": "svg", "name": "mlp", "path": "index.html", "delivery_id": second}
        if name == "get_plugin":
            parts["kind"] = "model"
        parts |= dict.fromkeys(("job_id", "webhook_id", "key_id"), first) | {"subject": first or names["new"]}
        if row.about in ("dataset", "project", "upload"):
            parts["name"] = first
        if row.content is not None:
            parts["name"] = f"{names['new']}.csv"
        address = path.format_map(parts)
        body = None if row.body is None else filled(row.body, names)
        more: dict[str, Any] = {} if body is None else {"json": body}
        if row.content is not None:
            more = {"content": row.content, "headers": OCTETS}
        return self.guarded.ask(key, method, address, params=filled(row.query, names), **more, follow_redirects=False)


@pytest.fixture(scope="module")
def matrix(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with new_database(servers) as url:
        yield from _made(url, servers.redis_url, tmp_path_factory.mktemp("matrix"))


def _made(url: str, redis_url: str, folder: Path) -> Iterator[Matrix]:
    files = folder / "uploads"
    files.mkdir()
    for guarded in guard(url, redis_url, folder, webhook_addresses="public", upload_dir=files):
        guarded.project("hidden")
        keys: dict[str, str | None] = {scope: guarded.key(scope)["key"] for scope in SCOPES}
        ended = {kind: guarded.key("admin") for kind in ("expired", "revoked")}
        keys |= {kind: key["key"] for kind, key in ended.items()} | {"none": None, "unknown": "suf_" + "a" * 43}
        guarded.ask(guarded.bootstrap, "POST", f"/keys/{ended['revoked']['id']}/revoke")
        with guarded.service.database.transaction() as session:
            expired = update(ApiKey).where(ApiKey.id == UUID(ended["expired"]["id"]))
            session.execute(expired.values(expires_at=func.now()))
        service_keys = {scope: guarded.key(scope, service=True)["key"] for scope in SCOPES}
        matrix = Matrix(guarded, keys, service_keys, {}, itertools.count())
        for project in PROJECTS:
            kinds = ("job", "dataset", "webhook", "delivery", "key", "member", "upload")
            matrix.subjects[project] = {kind: matrix.make(kind, project) for kind in kinds} | {"project": project}
        matrix.subjects["default"]["mine"] = matrix.make("job", "default")
        yield matrix


def test_every_operation_has_a_row() -> None:
    assert set(OPERATIONS) == set(ROWS), "say in matrix.py what a new operation takes, and what it is about"


def suffices(row: Row, scope: str) -> bool:
    """Return whether a key of a project with a scope may ask."""
    return row.need is None or (not row.service and SCOPES.index(scope) >= SCOPES.index(row.need))


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) & set(ROWS)))
def test_nobody_sees_or_does_more_than_the_key_allows(matrix: Matrix, name: str) -> None:
    row = ROWS[name]
    kind = row.about
    mine = matrix.subjects["default"].get(kind, "")
    places = {"own": mine}
    if kind:
        places |= {"other": matrix.subjects["hidden"][kind], "nothing": matrix.never(kind)}
    for who, subject in itertools.product(NOBODY, places.values()):
        answer = matrix.ask(name, matrix.keys[who], subject)
        if row.need is None:
            assert answer.status_code in row.public, (who, answer.text)
        else:
            problem(answer, 401)
    for scope in SCOPES if row.need else ():
        key = matrix.keys[scope]
        if not suffices(row, scope):
            for subject in places.values():
                refused = problem(matrix.ask(name, key, subject), 403)
                assert MARK not in refused["detail"]
            continue
        own = matrix.make(kind, "default") if kind and row.need != "read" else mine
        answer = matrix.ask(name, key, own)
        assert answer.status_code < 400 or _fits_the_state(answer), answer.text
        assert MARK not in answer.text, "it tells of another project"
        for place in ("other", "nothing") if kind else ():
            answer = matrix.ask(name, key, places[place])
            assert answer.status_code == row.missing, (place, answer.text)
            if answer.status_code == 422:
                assert [error["pointer"] for error in answer.json()["errors"]] == ["#/dataset"]
    if row.service:
        for scope in SCOPES:
            subject = matrix.make(kind, "default") if kind else ""
            answer = matrix.ask(name, matrix.service_keys[scope], subject)
            allowed = SCOPES.index(scope) >= SCOPES.index(row.need or "read")
            assert answer.status_code < 400 if allowed else answer.status_code == 403, (scope, answer.text)


def _fits_the_state(answer: Response) -> bool:
    """Return whether an operation was let through, and refused what the subject's state does not allow."""
    return answer.status_code == 409


def test_what_another_project_has_is_as_it_was(matrix: Matrix) -> None:
    """After all that was asked of it by those whose it is not."""
    ask, boss = matrix.guarded.ask, matrix.guarded.bootstrap
    hidden = matrix.subjects["hidden"]
    job = ask(boss, "GET", f"/jobs/{hidden['job']}", "hidden").json()
    assert (job["state"], job["labels"]) == ("completed", {"mark": MARK})
    assert ask(boss, "GET", f"/datasets/{hidden['dataset']}", "hidden").json()["status"] == "ready"
    assert ask(boss, "GET", f"/webhooks/{hidden['webhook']}", "hidden").json()["description"] == MARK
    delivery = hidden["delivery"].replace("/", "/deliveries/")
    assert ask(boss, "GET", f"/webhooks/{delivery}", "hidden").json()["state"] == "failed"
    keys = {key["id"]: key["revoked_at"] for key in ask(boss, "GET", "/keys", "hidden").json()["items"]}
    assert keys[hidden["key"]] is None
    assert [one["subject"] for one in ask(boss, "GET", "/members", "hidden").json()["items"]] == [hidden["member"]]
    with matrix.guarded.service.database.transaction() as session:
        assert set(PROJECTS) <= set(session.scalars(select(Project.name)))


def test_a_list_has_a_caller_s_own_and_all_of_it(matrix: Matrix) -> None:
    """The rows say that nothing of others is told; this, that what is one's own is."""
    boss, ask = matrix.guarded.bootstrap, matrix.guarded.ask
    for project in PROJECTS:
        subjects = matrix.subjects[project]
        for address, kind in [("/jobs", "job"), ("/datasets", "dataset"), ("/webhooks", "webhook"), ("/keys", "key")]:
            told: Any = ask(boss, "GET", address, project).text
            assert subjects[kind] in told, (address, project)
