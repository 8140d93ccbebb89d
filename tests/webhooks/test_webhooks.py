"""Endpoints are told of what happens to jobs: signed, at least once, and in the open where it fails."""

import asyncio
import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from jsonschema import validate
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from app.db.engine import Database
from app.db.tables import Job, Webhook, WebhookDelivery
from app.jobs.lifecycle import lock_job, move
from app.webhooks.deliverer import PAUSES, Deliverer, Outcome, pause
from tests.support.service import Service, pointers, problem
from tests.webhooks.conftest import Receiver

SLOW = 120.0


def specification() -> dict[str, Any]:
    """Return the committed one."""
    document: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
    return document


def register(service: Service, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = service.client.post("/webhooks", json={"url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


def deliveries(service: Service, webhook: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    answer = service.client.get(f"/webhooks/{webhook['id']}/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def settled(service: Service, webhook: dict[str, Any], attempts: int = 1) -> dict[str, Any]:
    """Return the newest delivery once so many of its attempts are in the log."""
    waiting = threading.Event()
    for _ in range(int(SLOW / 0.02)):
        newest = deliveries(service, webhook)[0]
        if len(newest["log"]) >= attempts:
            return newest
        waiting.wait(0.02)
    raise AssertionError(newest)


def due_now(service: Service, **changes: Any) -> None:
    """Let what waits for its next attempt be due, as if time had passed."""
    with service.database.transaction() as session:
        session.execute(update(WebhookDelivery).values(next_attempt_at=func.now(), **changes))
    service.client.app.state.deliverer.wake()  # type: ignore[attr-defined]


def test_a_job_s_way_is_told_in_order_and_verifies(service: Service, receiver: Receiver) -> None:
    webhook = register(service, receiver, events=["job.queued", "job.running", "job.completed", "job.failed"])
    job = service.submit(labels={"team": "größe"})
    service.work(job["id"])
    received = receiver.wait_for(3)
    verifier = Verifier(webhook["secret"])
    bodies = [verifier.verify(body, headers) for headers, body in received]
    assert [body["type"] for body in bodies] == ["job.queued", "job.running", "job.completed"]
    assert {body["data"]["job_id"] for body in bodies} == {job["id"]}
    described = specification()["webhooks"]["job"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    for body in bodies:
        validate(body, {**described, "components": specification()["components"]})
    last = bodies[-1]["data"]
    assert (last["state"], last["cells_done"], last["labels"]) == ("completed", 8, {"team": "größe"})
    assert len({headers["webhook-id"] for headers, _ in received}) == 3
    assert {headers["content-type"] for headers, _ in received} == {"application/json"}
    with pytest.raises(WebhookVerificationError):
        verifier.verify(received[0][1] + b" ", received[0][0])
    newest = settled(service, webhook)
    assert (newest["state"], newest["attempts"], newest["next_attempt_at"]) == ("delivered", 1, None)
    assert newest["body"] == bodies[-1]
    assert newest["log"][0]["status"] == 204


def test_only_what_was_asked_for_is_told(service: Service, receivers: Callable[[], Receiver]) -> None:
    ends, starts = receivers(), receivers()
    by_default = register(service, ends)
    register(service, starts, events=["job.queued"])
    assert by_default["events"] == ["job.completed", "job.failed", "job.cancelled"]
    job = service.submit()
    starts.wait_for(1)
    error = service.fail(job["id"])
    ((_, body),) = ends.wait_for(1)
    assert json.loads(body)["data"]["error"] == error
    assert len(starts.received) == 1


def test_the_message_and_the_move_are_one(service: Service, receiver: Receiver, database: Database) -> None:
    webhook = register(service, receiver)
    job_id = UUID(service.submit()["id"])
    with pytest.raises(RuntimeError), database.transaction() as session:  # noqa: PT012
        job = lock_job(session, job_id)
        assert job is not None
        move(session, job, "cancelled")
        raise RuntimeError("the process ends here")
    assert deliveries(service, webhook) == []
    assert service.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert settled(service, webhook)["type"] == "job.cancelled"


def test_a_removed_endpoint_stops_no_job(service: Service, receiver: Receiver, database: Database) -> None:
    webhook = register(service, receiver)
    job_id = UUID(service.submit()["id"])
    moved: list[str] = []

    def cancel() -> None:
        with database.transaction() as session:
            job = lock_job(session, job_id)
            assert job is not None
            move(session, job, "cancelled")
        moved.append("cancelled")

    with database.transaction() as session:
        session.delete(session.get_one(Webhook, UUID(webhook["id"])))
        session.flush()
        thread = threading.Thread(target=cancel)
        thread.start()
        thread.join(0.3)  # it waits for the removal to be decided
        assert moved == []
    thread.join(SLOW)
    assert moved == ["cancelled"]
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(WebhookDelivery)) == 0
        assert session.get_one(Job, job_id).state == "cancelled"


def test_a_failure_is_tried_again_with_the_same_id_and_body(service: Service, receiver: Receiver) -> None:
    receiver.answers = [(503, {}, b"back soon"), (302, {"Location": "http://127.0.0.1:1/"}, b""), (200, {}, b"thanks")]
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    first = settled(service, webhook)
    assert (first["state"], first["log"][0]["error"]) == ("pending", "HTTP 503 Service Unavailable")
    assert first["log"][0]["response"] == "back soon"
    assert service.client.get(f"/webhooks/{webhook['id']}").json()["failing_since"]
    due_now(service)
    second = settled(service, webhook, 2)
    assert "redirects are not followed" in second["log"][1]["error"]
    due_now(service)
    third = settled(service, webhook, 3)
    assert (third["state"], third["log"][2]["response"]) == ("delivered", "thanks")
    received = receiver.wait_for(3)
    assert {headers["webhook-id"] for headers, _ in received} == {third["id"]}
    assert len({body for _, body in received}) == 1
    assert service.client.get(f"/webhooks/{webhook['id']}").json()["failing_since"] is None


def test_pauses_grow_have_jitter_and_heed_the_endpoint() -> None:
    for failures in range(1, len(PAUSES) + 1):
        drawn = {pause(failures) for _ in range(50)}
        assert len(drawn) > 1
        assert all(0.8 * PAUSES[failures - 1] <= one <= 1.2 * PAUSES[failures - 1] for one in drawn)
    assert sorted(PAUSES) == PAUSES
    assert pause(1, 120.0) == 120.0
    assert pause(2, 1.0) >= 0.8 * PAUSES[1]
    assert pause(1, 1e9) == 86_400


def test_an_endpoint_may_say_when(service: Service, receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "3600"}, b"")]
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    settled(service, webhook)
    with service.database.transaction() as session:
        wait = session.scalars(select(WebhookDelivery.next_attempt_at - func.now())).one()
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)


def test_after_the_last_attempt_a_delivery_has_failed_and_can_be_replayed(service: Service, receiver: Receiver) -> None:
    receiver.answers = [(500, {}, b"no"), (500, {}, b"no")]
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    settled(service, webhook)
    due_now(service, failures=len(PAUSES))
    failed = settled(service, webhook, 2)
    assert (failed["state"], failed["next_attempt_at"]) == ("failed", None)
    assert failed["ended_at"]
    assert deliveries(service, webhook, state="delivered") == []
    again = service.client.post(f"/webhooks/{webhook['id']}/deliveries/{failed['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert settled(service, webhook, 3)["state"] == "delivered"
    assert len({headers["webhook-id"] for headers, _ in receiver.wait_for(3)}) == 1
    one = service.client.get(f"/webhooks/{webhook['id']}/deliveries/{failed['id']}").json()
    assert [entry["status"] for entry in one["log"]] == [500, 500, 204]


def test_an_endpoint_that_only_fails_is_disabled_and_can_be_taken_up_again(
    service: Service, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b""), (500, {}, b"")]
    webhook = register(service, receiver)
    path = f"/webhooks/{webhook['id']}"
    service.client.post(f"{path}/test")
    settled(service, webhook)
    with service.database.transaction() as session:
        session.execute(update(Webhook).values(failing_since=func.now() - timedelta(days=6)))
    due_now(service)
    settled(service, webhook, 2)
    disabled = service.client.get(path).json()
    assert not disabled["enabled"]
    assert "5 days" in disabled["disabled_reason"]
    problem(service.client.post(f"{path}/test"), 409, "webhook_disabled")
    service.client.post(f"/jobs/{service.submit()['id']}/cancel")
    assert len(deliveries(service, webhook)) == 1  # a disabled endpoint is told nothing
    enabled = service.client.patch(path, json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["disabled_reason"], enabled["failing_since"]) == (True, None, None)
    assert settled(service, webhook, 3)["state"] == "delivered"


def test_gone_is_gone(service: Service, receiver: Receiver) -> None:
    receiver.answers = [(410, {}, b"")]
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    settled(service, webhook)
    assert "410" in service.client.get(f"/webhooks/{webhook['id']}").json()["disabled_reason"]


def test_a_slow_endpoint_holds_up_no_other_and_is_given_up(service: Service, receivers: Callable[[], Receiver]) -> None:
    slow, quick = receivers(), receivers()
    slow.hold.clear()
    late, prompt = register(service, slow), register(service, quick)
    service.client.post(f"/webhooks/{late['id']}/test")
    slow.wait_for(1)
    service.client.post(f"/webhooks/{prompt['id']}/test")
    assert settled(service, prompt)["state"] == "delivered"
    [given_up] = settled(service, late)["log"]
    assert given_up["error"] == "no answer within 5 s"
    # By when each was tried, not by what this test sees in between: on a busy machine five seconds are soon gone.
    assert settled(service, prompt)["log"][0]["at"] < given_up["at"]


def test_long_answers_are_cut_and_odd_ones_kept_as_text(service: Service, receiver: Receiver) -> None:
    receiver.answers = [(200, {}, b"\xff\x00" + "ü".encode() * 100_000)]
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    response = settled(service, webhook)["log"][0]["response"]
    assert response.startswith("\ufffd\ufffdüü")
    assert len(response) == 1000


def test_a_name_is_checked_where_it_leads(service: Service, receiver: Receiver) -> None:
    webhook = register(service, receiver)
    with service.database.transaction() as session:
        session.execute(update(Webhook).values(url="http://localhost:1/hook"))
    strict = Deliverer(
        service.database, service.settings.model_copy(update={"webhook_addresses": "private"}), period=0.01
    )
    service.client.app.state.deliverer.stop()  # type: ignore[attr-defined]
    service.client.post(f"/webhooks/{webhook['id']}/test")
    strict.turn()
    strict.stop()
    (delivery,) = deliveries(service, webhook)
    assert "localhost may not be called" in delivery["log"][0]["error"]
    assert receiver.received == []


def test_nobody_there_is_told_in_the_log(service: Service, receiver: Receiver, nobody: str) -> None:
    webhook = register(service, receiver)
    service.client.patch(f"/webhooks/{webhook['id']}", json={"url": f"{nobody}/x"})
    service.client.post(f"/webhooks/{webhook['id']}/test")
    entry = settled(service, webhook)["log"][0]
    assert entry["status"] is None
    assert "ConnectError" in entry["error"]


def test_a_process_that_lost_its_lease_is_not_heard(service: Service, receiver: Receiver) -> None:
    deliverer: Deliverer = service.client.app.state.deliverer  # type: ignore[attr-defined]
    deliverer.stop()
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    one = Deliverer(service.database, service.settings, period=0.01)
    (held,) = one._claim(5)
    assert one._claim(5) == []  # the endpoint is held
    with service.database.transaction() as session:
        session.execute(update(Webhook).values(lease_expires_at=func.now() - timedelta(seconds=1)))
    two = Deliverer(service.database, service.settings, period=0.01)
    two.turn()
    two.stop()
    one._record(held, Outcome(None, "too late"), 1.0)
    (delivery,) = deliveries(service, webhook)
    assert delivery["state"] == "delivered"
    assert [entry["attempt"] for entry in delivery["log"]] == [2]


def test_two_processes_deliver_each_message_once(service: Service, receiver: Receiver) -> None:
    deliverer: Deliverer = service.client.app.state.deliverer  # type: ignore[attr-defined]
    deliverer.stop()
    webhook = register(service, receiver)
    for _ in range(20):
        service.client.post(f"/webhooks/{webhook['id']}/test")
    both = [Deliverer(service.database, service.settings, period=0.01) for _ in range(2)]
    for one in both:
        one.start()
    ids = [headers["webhook-id"] for headers, _ in receiver.wait_for(20)]
    for one in both:
        one.stop()
    assert len(set(ids)) == len(ids) == 20
    assert ids == sorted(ids)  # in the order of writing


def test_secrets_are_shown_once_and_rotate(
    service: Service, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    created = service.client.post("/webhooks", json={"url": receiver.url})
    webhook = created.json()
    path = created.headers["location"]
    assert created.headers["cache-control"] == "no-store"
    rotated = service.client.post(f"{path}/rotate-secret").json()
    assert rotated["secret"] != webhook["secret"]
    service.client.post(f"{path}/test")
    ((headers, body),) = receiver.wait_for(1)
    for secret in (webhook["secret"], rotated["secret"]):
        assert Verifier(secret).verify(body, headers)["type"] == "webhook.test"
    with service.database.transaction() as session:
        session.execute(update(Webhook).values(previous_secret_until=func.now()))
    service.client.post(f"{path}/test")
    headers, body = receiver.wait_for(2)[1]
    assert Verifier(rotated["secret"]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook["secret"]).verify(body, headers)
    problem(service.client.post("/webhooks", json={"url": receiver.url, "secret": webhook["secret"]}), 409)
    shown = [service.client.get(address).text for address in ("/webhooks", path, f"{path}/deliveries", "/metrics")]
    shown.append(service.client.patch(path, json={"description": "x"}).text)
    for secret in (webhook["secret"], rotated["secret"]):
        assert not any(secret in text for text in [*shown, caplog.text])


def test_an_error_of_the_database_is_logged_without_secrets(
    service: Service, caplog: pytest.LogCaptureFixture, receiver: Receiver
) -> None:
    secret = "whsec_" + "c2VjcmV0" * 4
    with service.database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE webhook ADD CONSTRAINT no CHECK (description <> 'no')")
    refused = service.client.post("/webhooks", json={"url": receiver.url, "secret": secret, "description": "no"})
    problem(refused, 409)
    assert "constraint" in caplog.text
    assert secret not in caplog.text


def test_a_secret_of_one_s_own_signs(service: Service, receiver: Receiver) -> None:
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert register(service, receiver, secret=secret)["secret"] == secret
    service.client.post(f"/webhooks/{service.client.get('/webhooks').json()['items'][0]['id']}/test")
    ((headers, body),) = receiver.wait_for(1)
    assert Verifier(secret).verify(body, headers)


def test_bad_input_is_refused_with_what_would_be_right(service: Service, receiver: Receiver) -> None:
    post = service.client.post
    webhook = register(service, receiver)
    path = f"/webhooks/{webhook['id']}"
    exists = problem(post("/webhooks", json={"url": receiver.url}), 409, "webhook_exists")
    assert webhook["id"] in exists["detail"]
    for body, where in [
        ({}, "#/url"),
        ({"url": "ftp://x/"}, "#/url"),
        ({"url": "http://169.254.169.254/latest"}, "#/url"),
        ({"url": "http://x/", "events": []}, "#/events"),
        ({"url": "http://x/", "events": ["job.started"]}, "#/events/0"),
        ({"url": "http://x/", "secret": "whsec_short"}, "#/secret"),
        ({"url": "http://x/", "description": "x" * 501}, "#/description"),
        ({"url": "http://x/\0"}, "#/url"),
        ({"url": "http://x/", "color": "red"}, "#/color"),
    ]:
        assert pointers(problem(post("/webhooks", json=body), 422)) == [where]
    for body in ({"url": None}, {"enabled": None}, {"events": ["x"]}, {"url": "gopher://x"}, {"secret": "x"}):
        problem(service.client.patch(path, json=body), 422)
    other = service.client.post("/webhooks", json={"url": "http://hooks.invalid/"}).json()
    problem(service.client.patch(f"/webhooks/{other['id']}", json={"url": receiver.url}), 409, "webhook_exists")
    nothing = uuid4()
    for method, address in [
        ("GET", f"/webhooks/{nothing}"),
        ("DELETE", f"/webhooks/{nothing}"),
        ("POST", f"/webhooks/{nothing}/test"),
        ("POST", f"/webhooks/{nothing}/rotate-secret"),
        ("GET", f"/webhooks/{nothing}/deliveries"),
        ("GET", f"{path}/deliveries/{nothing}"),
        ("POST", f"{path}/deliveries/{nothing}/replay"),
    ]:
        problem(service.client.request(method, address), 404)
    problem(service.client.get("/webhooks/x"), 422)
    problem(service.client.get(f"{path}/deliveries?cursor=x"), 422)


def test_lists_are_paged_and_removal_takes_the_log(service: Service, receiver: Receiver) -> None:
    webhook = register(service, receiver)
    path = f"/webhooks/{webhook['id']}"
    for _ in range(3):
        service.client.post(f"{path}/test")
    receiver.wait_for(3)
    first = service.client.get(f"{path}/deliveries", params={"limit": 2}).json()
    rest = service.client.get(f"{path}/deliveries", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    ids = [one["id"] for one in [*first["items"], *rest["items"]]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), rest["next_cursor"]) == (3, None)
    for number in range(2):
        service.client.post("/webhooks", json={"url": f"http://hooks.invalid/{number}"})
    page = service.client.get("/webhooks", params={"limit": 2}).json()
    assert service.client.get("/webhooks", params={"limit": 2, "cursor": page["next_cursor"]}).json()["items"]
    assert service.client.delete(path).status_code == 204
    problem(service.client.get(path), 404)
    with service.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(WebhookDelivery)) == 0


def test_old_deliveries_leave_the_log(service: Service, receiver: Receiver) -> None:
    webhook = register(service, receiver)
    for _ in range(2):
        service.client.post(f"/webhooks/{webhook['id']}/test")
        settled(service, webhook)
    with service.database.transaction() as session:
        oldest = select(func.min(WebhookDelivery.id.cast(WebhookDelivery.type.type))).scalar_subquery()
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id.cast(WebhookDelivery.type.type) == oldest)
            .values(ended_at=func.now() - timedelta(days=31))
        )
        session.execute(update(Webhook).values(previous_secret="old", previous_secret_until=func.now()))
    one = Deliverer(service.database, service.settings, period=0.01)
    one.turn()
    one.stop()
    assert len(deliveries(service, webhook)) == 1
    with service.database.transaction() as session:
        assert session.scalars(select(Webhook.previous_secret)).one() is None


def test_https_is_verified_by_the_name_of_the_host(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    names: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            names.append(self.headers["Host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    monkeypatch.setattr(server, "handle_error", lambda *_: None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        logs = []
        for host, trusted in (("localhost", False), ("localhost", True), ("127.0.0.1", True)):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            answer = service.client.post("/webhooks", json={"url": f"https://{host}:{port}/{trusted}"})
            webhook = answer.json()
            service.client.post(f"/webhooks/{webhook['id']}/test")
            logs.append(settled(service, webhook)["log"][0])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "certificate verify failed" in logs[0]["error"]
    assert (logs[1]["status"], logs[1]["error"]) == (204, None)
    assert "certificate" in logs[2]["error"]  # it is for the name, not the address
    assert names == [f"localhost:{port}"]


def test_the_database_may_go_away_under_a_delivery(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliverer: Deliverer = service.client.app.state.deliverer  # type: ignore[attr-defined]
    record, failures = deliverer._record, []

    def away(*arguments: Any) -> None:
        if not failures:
            failures.append("once")
            raise OperationalError("UPDATE", {}, Exception("the connection is gone"))
        record(*arguments)

    monkeypatch.setattr(deliverer, "_record", away)
    webhook = register(service, receiver)
    service.client.post(f"/webhooks/{webhook['id']}/test")
    receiver.wait_for(1)
    with service.database.transaction() as session:  # as if the lease had run out
        session.execute(update(Webhook).values(lease_expires_at=func.now()))
    delivery = settled(service, webhook)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)
    first, second = receiver.wait_for(2)
    assert first[0]["webhook-id"] == second[0]["webhook-id"]


def test_the_connection_goes_to_the_address_that_was_checked(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def resolve(loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        # The first is never called, and nobody listens at the second.
        addresses = ["169.254.169.254", "127.0.0.9", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    port = receiver.url.split(":")[2].split("/")[0]
    created = service.client.post("/webhooks", json={"url": f"http://hooks.example.org:{port}/x?y=1"})
    service.client.post(f"/webhooks/{created.json()['id']}/test")
    ((headers, _),) = receiver.wait_for(1)
    assert headers["host"] == f"hooks.example.org:{port}"
    assert asked == ["hooks.example.org"]
    assert settled(service, created.json())["state"] == "delivered"
