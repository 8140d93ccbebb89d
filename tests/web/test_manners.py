"""HTTP manners: problems for all that is wrong with a request or a server, the specification, health."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from openapi_spec_validator import validate
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import sufficiency
from app.db.migrate import newest_revision
from app.db.tables import Job
from app.main import create_app
from app.openapi import specification
from app.settings import Settings
from sufficiency.method.methods import METHOD_VERSIONS
from tests.support.service import Service, TestClient, pointers, problem, running

JSON = {"content-type": "application/json"}


def test_unknown_addresses_and_methods_are_problems(standing: Service) -> None:
    service = standing
    problem(service.client.get("/nowhere"), 404, "not_found")
    refused = service.client.put("/jobs")
    assert "not possible" in problem(refused, 405, "method_not_allowed")["detail"]
    assert {method.strip() for method in refused.headers["allow"].split(",")} <= {"GET", "POST"}
    assert problem(service.client.get("/nowhere?x=1"), 404)["instance"] == "/nowhere"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b'{"a": "\xff"}', 400),
        (b'{"seed": ' + b"9" * 5000 + b"}", 400),
        (b'{"seed": NaN}', 422),
        (b'{"model": {"name": "mlp", "params": {"width": Infinity}}}', 422),
        (b'{"model": {"name": "mlp", "params": {"width": 1e999}}}', 422),
        (b'{"labels": {"a": "\\ud800"}}', 422),
        (b'{"labels": {"\\udfff": "a"}}', 422),
        (b'{"labels": {"a": "\\u0000"}}', 422),
        (b'{"model": ' + b"[" * 100 + b"]" * 100 + b"}", 422),
        (b"[" * 9000 + b"]" * 9000, 400),
        (b'{"a":' * 1500 + b"1" + b"}" * 1500, 400),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_cannot_be_read_is_refused(standing: Service, body: bytes, status: int) -> None:
    for address in ("/jobs", "/datasets"):
        problem(standing.client.post(address, content=body, headers=JSON), status)


def test_odd_values_deep_in_parameters_are_pointed_at(service: Service) -> None:
    for value, where in [("a\0", ""), ([1, {"b": "\0"}], "/1/b"), (2**63, ""), ({"x\0": 1}, "")]:
        body = service.spec(model={"name": "mlp", "params": {"width": value}})
        assert pointers(problem(service.client.post("/jobs", json=body), 422)) == [f"#/model/params/width{where}"]
    dataset = {"name": "n", "train": {"loader": "npz", "params": {"path": "\0"}}, "test": {"loader": "npz"}}
    assert pointers(problem(service.client.post("/datasets", json=dataset), 422)) == ["#/train/params/path"]


def test_nul_in_an_address_is_refused(standing: Service) -> None:
    problem(standing.client.get("/datasets/a%00b"), 422)
    problem(standing.client.delete("/datasets/%00"), 422)
    problem(standing.client.get("/plugins/model/a%00"), 422)
    problem(standing.client.get("/jobs?x=%00"), 422)


def test_only_json_is_taken(service: Service) -> None:
    body = json.dumps(service.spec()).encode()
    for declared in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        problem(
            service.client.post("/jobs", content=body, headers={"content-type": declared}),
            415,
            "unsupported_media_type",
        )
    as_json = service.client.post("/jobs", content=body, headers={"content-type": "application/json; charset=utf-8"})
    assert as_json.status_code == 201


def test_a_body_too_large_is_refused_declared_or_not(service: Service) -> None:
    limit = service.settings.max_body_bytes
    large = b"[" + b" " * limit + b"]"
    problem(service.client.post("/jobs", content=large, headers=JSON), 413, "body_too_large")

    def in_pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    problem(service.client.post("/jobs", content=in_pieces(), headers=JSON), 413, "body_too_large")
    fits = json.dumps(service.spec()).encode()
    fits += b" " * (limit - len(fits))
    assert service.client.post("/jobs", content=fits, headers=JSON).status_code == 201


def test_a_mistake_of_ours_is_a_problem_without_its_insides(service: Service) -> None:
    def broken(request: Request) -> None:
        raise RuntimeError("the password is swordfish")

    service.client.app.add_api_route("/broken", broken)  # type: ignore[attr-defined]
    assert "swordfish" not in str(problem(service.client.get("/broken"), 500, "internal_error"))


def test_no_answer_leaves_before_the_commit(service: Service) -> None:
    def fail(session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("the connection is gone"))

    event.listen(Session, "before_commit", fail)
    try:
        refused = service.client.post("/jobs", json=service.spec())
    finally:
        event.remove(Session, "before_commit", fail)
    problem(refused, 503, "database_unavailable")
    assert refused.headers["retry-after"].isdigit()
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_without_a_database_all_is_503_and_the_process_lives(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"postgresql+psycopg://nobody@/nothing?host={tmp_path}",
        redis_url=f"redis+socket://{tmp_path}/redis.sock",
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert client.get("/livez").json() == {"status": "ok"}
        not_ready = problem(client.get("/readyz"), 503, "not_ready")
        assert "database" in not_ready["detail"]
        away = client.get("/jobs")
        problem(away, 503, "database_unavailable")
        assert away.headers["retry-after"].isdigit()
        assert "sufficiency_database_up 0.0" in client.get("/metrics").text


def test_without_a_broker_it_is_ready_and_says_what_is_missing(fresh_database: str) -> None:
    with running(fresh_database, "redis://127.0.0.1:1/0", sweep_seconds=0.05) as service:
        until = time.monotonic() + 60
        while (ready := service.client.get("/readyz")).json()["status"] == "ok":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert ready.status_code == 200
        [missing] = ready.json()["missing"]
        assert missing["what"] == "broker"
        assert "Redis cannot be reached" in missing["detail"]
        service.submit()
        numbers = service.client.get("/metrics").text
        assert "sufficiency_broker_up 0.0" in numbers
        assert "sufficiency_database_up 1.0" in numbers


def test_health_and_numbers(service: Service) -> None:
    assert service.client.get("/livez").json() == {"status": "ok"}
    assert service.client.get("/readyz").json() == {"status": "ok", "missing": []}
    job_id = service.submit()["id"]
    service.worker()
    service.client.get(f"/jobs/{job_id}")
    answer = service.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        "sufficiency_database_up 1.0",
        "sufficiency_broker_up 1.0",
        'sufficiency_jobs{state="queued"} 1.0',
        "sufficiency_workers 1.0",
        "sufficiency_slots 2.0",
        'sufficiency_http_requests_total{method="POST",route="/jobs",status="201"} 1.0',
        'sufficiency_http_requests_total{method="GET",route="/jobs/{job_id}",status="200"} 1.0',
    ):
        assert line in answer.text, line


def test_the_version_is_the_one_that_the_command_line_prints(standing: Service) -> None:
    assert standing.client.get("/version").json() == {
        "version": sufficiency.__version__,
        "api": "1",
        "methods": METHOD_VERSIONS,
        "schema_revision": newest_revision(),
    }


def test_bad_fields_are_told_in_the_service_s_words(standing: Service) -> None:
    spec = {"modle": {}, "model": [], "training": {"name": "a", "parms": {}}, "runs": 0, "schedule": 5, "labels": []}
    told = problem(standing.client.post("/jobs", json=spec | {"protocol": "x"}), 422)["errors"]
    assert {error["pointer"]: error["detail"] for error in told} == {
        "#/modle": "there is no such field; nearest: model",
        "#/model": "must be an object, not a list",
        "#/training/parms": "there is no such field; nearest: params",
        "#/evaluation": "is required",
        "#/dataset": "is required",
        "#/runs": "must be at least 1, not 0",
        "#/schedule": "must be a list, or an object, not 5",
        "#/labels": "must be an object, not a list",
        "#/protocol": "must be 'independent' or 'dataeval', not 'x'",
    }
    spec = {"schedule": {"nam": "halves"}, "metrics": {"A": {"bounds": [1, 0]}, "B": {"dirction": 1}}}
    told = {e["pointer"]: e["detail"] for e in problem(standing.client.post("/jobs", json=spec), 422)["errors"]}
    assert told["#/schedule/nam"] == "there is no such field; nearest: name"
    assert told["#/metrics/A"] == "the lower bound must be below the upper bound"
    assert told["#/metrics/B/dirction"] == "there is no such field; nearest: direction"
    [named] = problem(standing.client.post("/datasets", json={"name": "a b"}), 422)["errors"]
    assert named["detail"].startswith("must be of letters, digits, `.`, `_` and `-`")
    assert problem(standing.client.post("/jobs", content=b"", headers=JSON), 422)["detail"] == "#: a body is required"
    told = problem(standing.client.get("/jobs/none/project?n=0&level=2"), 422)["errors"]
    assert [error["detail"] for error in told if error["pointer"] != "job_id"] == [
        "must be at least 1, not 0",
        "must be at most 0.999999, not 2",
    ]


def test_the_specification_is_the_committed_one() -> None:
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert committed.read_text() == specification(), "run: python -m app.openapi > docs/openapi.json"


def test_every_operation_is_named_explained_and_exemplified() -> None:
    document = json.loads(specification())
    validate(document)
    schemas = document["components"]["schemas"]

    def has_example(content: dict[str, Any]) -> bool:
        schema = content.get("schema", {})
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
        refs = [schema.get("properties", {}).get("items", {}).get("items", {}), *schema.get("anyOf", [])]
        inner = [has_example({"schema": ref}) for ref in refs if "$ref" in ref]
        return bool({"example", "examples"} & (content.keys() | schema.keys())) or any(inner)

    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["operationId"].isidentifier()
            assert operation["tags"], path
            assert operation["description"], path
            problems = [
                s for s, r in operation["responses"].items() if "application/problem+json" in r.get("content", {})
            ]
            assert problems, path
            if "{job_id}" in path:
                assert {"404", "422", "503"} <= set(problems), path
            good = [r for s, r in operation["responses"].items() if s.startswith("2")]
            content = [c for r in good for c in r.get("content", {}).values()]
            assert method == "delete" or any(has_example(c) for c in content), (path, method)
    assert len(names) == len(set(names))
    assert {"create_job", "get_job", "list_jobs", "project", "inv_project", "follow_job"} <= set(names)


def test_the_docs_need_nothing_from_elsewhere_and_nothing_inline(standing: Service) -> None:
    service = standing
    page = service.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert {"ui/docs.css", "ui/docs.js", "openapi.json"} <= set(links)
    for link in links:
        assert service.client.get(f"/{link}").status_code == 200, link
    assert "<style" not in page.text
    assert service.client.get("/openapi.json").json() == json.loads(specification())
