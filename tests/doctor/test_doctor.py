"""The doctor finds a healthy service healthy, and names each thing that is wrong with it, and the remedy."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import text

from app.access.keys import new_secret
from app.catalog.workers import register_worker
from app.db.engine import Database
from app.db.migrate import newest_revision
from app.doctor.examination import CHECKS, examine
from app.doctor.findings import Finding
from app.settings import Settings, get_settings
from app.units.lease import claim_of, fail_unit
from tests.support.command_line import Outcome
from tests.support.issuer import tiny_issuer
from tests.support.jobs import add_job, take, units, work_through
from tests.support.script import Script
from tests.support.servers import Servers, new_database

READY = (200, {}, json.dumps({"status": "ok"}))
OFFERED = ["model:mlp", "training:sgd-classifier", "evaluation:classification", "dataset:digits"]


@dataclass
class Patient:
    """A service with a completed job, one that failed, one under way and one that waits."""

    database: Database
    settings: Settings
    script: Script
    worker_id: UUID
    running: UUID

    def findings(self, **settings: Any) -> list[Finding]:
        self.script.answers = [READY]
        return examine(self.settings.model_copy(update=settings), Path("/"))

    def sql(self, *statements: str) -> None:
        with self.database.transaction() as session:
            # As a fault would have it: without the constraints that forbid it.
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                session.execute(text(statement))


@pytest.fixture(scope="module")
def template(servers: Servers) -> Iterator[Patient]:
    with new_database(servers) as url:
        database = Database(url)
        with database.transaction() as session:
            worker_id = register_worker(
                session, hostname="h", pid=1, devices=["cpu"], slots=3, plugins=OFFERED, plugin_errors=[]
            )
        whole, failed, running, _ = (add_job(database, priority=p) for p in range(4))
        for _ in units(database, whole):
            claimed = take(database, whole, worker_id)
            assert claimed is not None
            work_through(database, claimed)
        with database.transaction() as session:
            claim = claim_of(session, failed, worker_id, 60)
            assert claim is not None
            fail_unit(session, claim.unit_id, claim.attempt, {"code": "plugin_raised", "detail": "It raised."})
            session.execute(text("DELETE FROM outbox"))
        assert take(database, running, worker_id, 600) is not None
        yield Patient(database, Settings(database_url=url, redis_url=servers.redis_url), Script(""), worker_id, running)
        database.dispose()


@pytest.fixture
def patient(template: Patient, script: Script) -> Patient:
    template.script = script
    template.settings = template.settings.model_copy(update={"url": script.url})
    # However long the tests before took, its worker has just been heard, and what it asks for has just been sent.
    template.sql(
        "UPDATE worker SET heartbeat_at = now()",
        "UPDATE unit SET sent_at = now() WHERE sent_at IS NOT NULL",
        "UPDATE dataset SET sent_at = now()",
    )
    return template


def wrong(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings if finding.level == "wrong"}


def test_a_healthy_service_is_found_healthy(patient: Patient) -> None:
    findings = patient.findings()
    assert [finding for finding in findings if finding.level != "ok"] == []
    always = {"settings", "disk", "database", "redis", "api", "access", *CHECKS}
    assert always - {"jobs", "keys"} <= {finding.check for finding in findings}
    assert all(finding.detail for finding in findings)
    assert not any(finding.remedy for finding in findings)


# What a fault leaves behind, what undoes it, the check that must find it, and what it must say.
LONG_AGO = "now() - interval '1 hour'"
FAULTS = [
    (f"UPDATE worker SET heartbeat_at = {LONG_AGO}", "UPDATE worker SET heartbeat_at = now()", "workers", "no worker"),
    (
        """UPDATE worker SET plugin_errors = '[{"plugin": "model:x", "error": "ImportError: no y"}]'""",
        "UPDATE worker SET plugin_errors = '[]'",
        "plugins",
        "h:1 cannot offer model:x: ImportError: no y",
    ),
    (
        "UPDATE worker SET plugins = array_remove(plugins, 'model:mlp')",
        "UPDATE worker SET plugins = plugins || ARRAY['model:mlp']",
        "open_jobs",
        "jobs that cannot be worked on, because no live worker offers plugin model:mlp: 2 (",
    ),
    (
        f"UPDATE unit SET lease_expires_at = {LONG_AGO} WHERE state = 'leased'",
        "UPDATE unit SET lease_expires_at = now() + interval '1 hour' WHERE state = 'leased'",
        "leases",
        "units whose lease expired more than 16 s ago, and that nobody has taken back: 1 (",
    ),
    (
        f"UPDATE unit SET sent_at = NULL, not_before = {LONG_AGO} WHERE state = 'queued' AND ordinal = 5",
        "UPDATE unit SET sent_at = now(), not_before = NULL",
        "units",
        "queued units that have not been sent to workers for more than 30 s: 2 (",
    ),
    (
        f"INSERT INTO outbox (task, subject, queue, priority, created_at) "
        f"SELECT 'run_unit', id, 'cpu', 0, {LONG_AGO} FROM job",
        "DELETE FROM outbox",
        "outbox",
        "4 messages wait for the broker, the oldest for 36",
    ),
    (
        "UPDATE job SET cells_total = cells_total + 1 WHERE state = 'running'",
        "UPDATE job SET cells_total = cells_total - 1 WHERE state = 'running'",
        "counters",
        "jobs whose counters disagree with their cells: 1 (",
    ),
    (
        "UPDATE measurement SET step = step + 100 WHERE run = 0 AND step = 0",
        "UPDATE measurement SET step = step - 100 WHERE step = 100",
        "cells",
        "jobs in which measured cells have no measurements: 1 (",
    ),
    (
        "INSERT INTO measurement SELECT id, 1, 0, 'A', -1, 0.5 FROM job WHERE state = 'running'",
        "DELETE FROM measurement WHERE metric = 'A'",
        "open_cells",
        "jobs in which open cells have measurements: 1 (",
    ),
    (
        "CREATE TABLE kept AS SELECT * FROM cell WHERE finished_at IS NULL; UPDATE cell SET unit_id = NULL "
        "WHERE finished_at IS NULL AND run = 0 AND step = 0",
        "UPDATE cell c SET unit_id = k.unit_id FROM kept k WHERE (k.job_id, k.run, k.step) = (c.job_id, c.run, c.step)"
        "; DROP TABLE kept",
        "cell_units",
        "jobs in which open cells have no unit: 3 (",
    ),
    (
        "UPDATE unit SET state = 'cancelled', lease_expires_at = NULL, worker_id = NULL FROM job "
        "WHERE job.id = unit.job_id AND job.state = 'queued'",
        "UPDATE unit SET state = 'queued' FROM job WHERE job.id = unit.job_id AND job.state = 'queued'",
        "job_units",
        "open jobs of which no unit is open: 1 (",
    ),
    (
        "UPDATE unit SET state = 'queued' FROM job WHERE job.id = unit.job_id AND job.state = 'failed'",
        "UPDATE unit SET state = 'failed' FROM job WHERE job.id = unit.job_id AND job.state = 'failed'",
        "ended_jobs",
        "ended jobs of which units are open: 1 (",
    ),
    (
        "UPDATE job SET state = 'cancelling' WHERE state = 'queued'",
        "UPDATE job SET state = 'queued' WHERE state = 'cancelling'",
        "cancelling",
        "jobs that are cancelling though nobody holds a unit: 1 (",
    ),
    (
        "UPDATE event SET seq = seq + 1000 WHERE seq = 3",
        "UPDATE event SET seq = seq - 1000 WHERE seq > 1000",
        "events",
        "jobs whose events have a gap or lack the last",
    ),
    (
        "UPDATE dataset SET status = 'verifying', fingerprint = NULL, attempts = 7, sent_at = now()",
        "UPDATE dataset SET status = 'ready', fingerprint = 'f', attempts = 0",
        "datasets",
        "dataset d has been read 7 times without an end",
    ),
    (
        f"UPDATE dataset SET status = 'verifying', fingerprint = NULL, sent_at = {LONG_AGO}",
        "UPDATE dataset SET status = 'ready', fingerprint = 'f', sent_at = now()",
        "datasets",
        "dataset d waits to be verified, and has not been sent to workers for 30 s",
    ),
    (
        """UPDATE dataset SET status = 'verifying', fingerprint = NULL, train = '{"loader": "npz", "params": {}}'""",
        "UPDATE dataset SET status = 'ready', fingerprint = 'f', train = test",
        "datasets",
        "dataset d cannot be verified: no live worker offers plugin dataset:npz",
    ),
    (
        "ALTER TABLE worker DROP CONSTRAINT ck_worker_slots; "
        "ALTER TABLE worker ADD CONSTRAINT ck_worker_slots CHECK (slots >= 1 AND busy >= 0) NOT VALID",
        "ALTER TABLE worker VALIDATE CONSTRAINT ck_worker_slots",
        "constraints",
        "so that rows of before may break them: 1 (ck_worker_slots)",
    ),
    (
        "UPDATE alembic_version SET version_num = '0002'",
        f"UPDATE alembic_version SET version_num = '{newest_revision()}'",
        "database",
        f"its schema is 0002, and this version's is {newest_revision()}",
    ),
    (
        "UPDATE alembic_version SET version_num = '9999'",
        f"UPDATE alembic_version SET version_num = '{newest_revision()}'",
        "database",
        "its schema is 9999",
    ),
]


@pytest.mark.parametrize(("fault", "cure", "check", "told"), FAULTS, ids=[f"{f[2]}-{i}" for i, f in enumerate(FAULTS)])
def test_what_is_wrong_is_named_with_its_remedy(patient: Patient, fault: str, cure: str, check: str, told: str) -> None:
    patient.sql(*fault.split("; "))
    try:
        found = wrong(patient.findings())
    finally:
        patient.sql(*cure.split("; "))
    assert check in found
    assert told in found[check].detail
    assert found[check].remedy
    assert wrong(patient.findings()) == {}


def test_jobs_that_wait_beside_free_slots(patient: Patient) -> None:
    patient.sql(
        f"UPDATE event SET at = {LONG_AGO}",
        "UPDATE unit SET state = 'queued', lease_expires_at = NULL, worker_id = NULL WHERE state = 'leased'",
    )
    try:
        found = wrong(patient.findings())["open_jobs"]
        assert "jobs queued for more than 30 s beside slots that are all free: 1 (" in found.detail
        assert "restart the workers" in found.remedy
    finally:
        patient.sql(
            "UPDATE event SET at = now()",
            "UPDATE unit SET state = 'leased', lease_expires_at = now() + interval '1 hour' WHERE attempt = 1 AND "
            "state = 'queued'",
        )


def test_a_silent_worker_among_others_is_only_noted(patient: Patient) -> None:
    with patient.database.transaction() as session:
        register_worker(session, hostname="gone", pid=2, devices=["cpu"], slots=1, plugins=[], plugin_errors=[])
    patient.sql(f"UPDATE worker SET heartbeat_at = {LONG_AGO} WHERE hostname = 'gone'")
    notes = [finding for finding in patient.findings() if finding.level != "ok"]
    patient.sql("DELETE FROM worker WHERE hostname = 'gone'")
    assert [note.level for note in notes] == ["note"]
    assert "gone:2 has been silent for 3" in notes[0].detail


def test_settings_data_and_disk(patient: Patient, tmp_path: Path) -> None:
    found = wrong(patient.findings(heartbeat_seconds=20.0, data_roots=(tmp_path, tmp_path / "none")))
    assert set(found) == {"settings", "data_roots"}
    assert "renewed every 20 s" in found["settings"].detail
    assert "none is not a directory" in found["data_roots"].detail
    patient.script.answers = [READY]
    assert set(wrong(examine(patient.settings, tmp_path / "none"))) == {"disk"}


def test_redis_that_forgets(patient: Patient) -> None:
    redis = Redis(unix_socket_path=patient.settings.redis_url.removeprefix("redis+socket://").replace("%2F", "/"))
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("maxmemory", 10**9)
    try:
        found = wrong(patient.findings())
    finally:
        redis.config_set("maxmemory", 0)
        redis.config_set("maxmemory-policy", "noeviction")
        redis.close()
    assert set(found) == {"redis"}
    assert "allkeys-lru" in found["redis"].detail
    assert "noeviction" in found["redis"].remedy


def test_nobody_there(patient: Patient, nobody: str) -> None:
    port = nobody.rpartition(":")[2]
    found = wrong(
        patient.findings(
            database_url=f"postgresql+psycopg://me:secret@127.0.0.1:{port}/none",
            redis_url=f"redis://:secret@127.0.0.1:{port}/0",
            url=nobody,
        )
    )
    assert set(found) == {"database", "redis", "api"}
    assert all(finding.remedy for finding in found.values())
    assert "secret" not in str(found)


def test_an_api_that_is_not_ready(patient: Patient) -> None:
    patient.script.answers = [(503, {}, json.dumps({"detail": "The broker cannot be reached: Timeout."}))]
    found = wrong(examine(patient.settings, Path("/")))
    assert set(found) == {"api"}
    assert "The broker cannot be reached" in found["api"].detail


def test_who_is_let_in(patient: Patient, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(new_secret())
    file.chmod(0o600)
    refused = (401, {}, "{}")

    def told(*answers: tuple[int, dict[str, str], str], **settings: Any) -> dict[str, Finding]:
        patient.script.answers = [READY, *answers]
        return {one.check: one for one in examine(patient.settings.model_copy(update=settings), Path("/"))}

    exposed = told(host="0.0.0.0")["access"]
    assert (exposed.level, "asks nobody for a key" in exposed.detail) == ("wrong", True)
    assert "SUFFICIENCY_ACCESS=keys" in exposed.remedy

    well = told(refused, access="keys", bootstrap_key_file=file, host="0.0.0.0")
    assert {well[check].level for check in ("access", "bootstrap_key", "door", "keys")} == {"ok"}
    file.chmod(0o644)
    seen = told(refused, access="keys", bootstrap_key_file=file)["bootstrap_key"]
    assert (seen.level, "mode 644" in seen.detail, "chmod 600" in seen.remedy) == ("note", True, True)
    file.write_text("secret")
    none = told(refused, access="keys", bootstrap_key_file=file)["bootstrap_key"]
    assert none.level == "wrong"
    assert "secret" not in none.detail.replace("secret file", "")

    locked = told((200, {}, "{}"), access="keys")
    assert {locked["keys"].level, locked["door"].level} == {"wrong"}
    assert "nobody can make a project" in locked["keys"].detail
    assert "lets in who sends no key" in locked["door"].detail
    patient.sql(
        "INSERT INTO api_key (name, hash, hint, scope, created_by, expires_at) "
        "VALUES ('ops', 'h', '…', 'admin', 'me', now() + interval '1 day')"
    )
    try:
        ending = told(refused, access="keys")["keys"]
        assert (ending.level, "within a week: 1 (ops)" in ending.detail) == ("note", True)
    finally:
        patient.sql("DELETE FROM api_key")

    trusted = told(refused, access="proxy", bootstrap_key_file=file, proxy_addresses="10.0.0.0/8,0.0.0.0/0")["access"]
    assert (trusted.level, "that is everybody" in trusted.detail) == ("wrong", True)
    assert told(refused, access="proxy")["access"].level == "ok"


def test_an_identity_provider_that_does_not_answer(patient: Patient, nobody: str) -> None:
    def told(url: str) -> Finding:
        patient.script.answers = [READY, (401, {}, "{}")]
        settings = patient.settings.model_copy(update={"access": "keys", "oidc_issuer": url})
        return next(one for one in examine(settings, Path("/")) if one.check == "issuer")

    with tiny_issuer() as provider:
        assert (told(provider.url).level, "signs with 1 key" in told(provider.url).detail) == ("ok", True)
        provider.away = True
        assert told(provider.url).level == "wrong"
    assert told(nobody).level == "wrong"
    untrusted = told("http://id.example.org")
    assert (untrusted.level, "not an address of https" in untrusted.detail) == ("wrong", True)


def test_the_command(
    patient: Patient, sufficiency: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SUFFICIENCY_DATABASE_URL", patient.settings.database_url)
    monkeypatch.setenv("SUFFICIENCY_REDIS_URL", patient.settings.redis_url)
    get_settings.cache_clear()
    patient.script.answers = [READY]
    well = sufficiency("doctor", "--url", patient.script.url)
    assert (well.code, well.out.splitlines()[-1]) == (0, "Nothing is wrong.")
    patient.script.answers = [(503, {}, "")]
    ill = sufficiency("doctor", "--url", patient.script.url)
    assert ill.code == 1
    assert "WRONG  api: " in ill.out
    assert "       do: see the other findings" in ill.out
    assert ill.out.splitlines()[-1] == "1 thing is wrong."
    patient.script.answers = [(503, {}, "")]
    told = json.loads(sufficiency("doctor", "--json", "--url", patient.script.url).out)
    assert told["wrong"] == 1
    assert {"check", "level", "detail", "remedy"} == set(told["findings"][0])
    nothing = sufficiency("doctor", "--data-dir", str(tmp_path))
    assert nothing.code == 1
    assert "no standalone runs in" in nothing.err
    get_settings.cache_clear()
