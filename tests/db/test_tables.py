"""The database itself refuses what must never be."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.db.engine import Database
from app.db.tables import Webhook
from app.units.lease import CellResult, claim_of, finish_unit, record_cell
from sufficiency.schemas.work import ItemMarks
from tests.support.jobs import add_job, add_worker
from tests.support.servers import Servers, new_database

# Each is refused by the constraint that is named.
FORBIDDEN = [
    (
        "upload_kind",
        "INSERT INTO upload (id, project_id, name, kind, bytes, sha256) "
        "SELECT uuidv7(), id, 'a.pkl', 'pickle', 1, '' FROM project LIMIT 1",
    ),
    (
        "upload_bytes",
        "INSERT INTO upload (id, project_id, name, kind, bytes, sha256) "
        "SELECT uuidv7(), id, 'a.npz', 'npz', -1, '' FROM project LIMIT 1",
    ),
    ("job_work_done", "UPDATE job SET work_done = work_total + 1"),
    ("job_cells_done", "UPDATE job SET cells_done = cells_total + 1"),
    ("job_cells_of_steps", "UPDATE job SET steps = NULL"),
    ("job_completed", "UPDATE job SET state = 'completed', finished_at = now(), cells_done = 1"),
    ("job_cells_not_measurable", "UPDATE job SET cells_not_measurable = -1"),
    (
        "job_completed",
        "UPDATE job SET state = 'completed', finished_at = now(), cells_done = 0, cells_not_measurable = 6",
    ),
    ("job_finished", "UPDATE job SET finished_at = now()"),
    ("job_finished", "UPDATE job SET state = 'cancelled'"),
    ("job_error_of_failed", "UPDATE job SET error = '{}'"),
    ("job_error_of_failed", "UPDATE job SET state = 'failed', finished_at = now(), error = 'null'"),
    ("job_error_of_failed", "UPDATE job SET state = 'failed', finished_at = now()"),
    ("job_state", "UPDATE job SET state = 'asleep' WHERE finished_at IS NULL"),
    ("job_priority", "UPDATE job SET priority = 10"),
    ("job_idempotency", "UPDATE job SET idempotency_key = 'k'"),
    ("job_counts", "UPDATE job SET deaths = -1"),
    ("job_device", "UPDATE job SET device = 'tpu'"),
    ("job_slot_seconds", "UPDATE job SET slot_seconds = -1"),
    ("job_reused", "UPDATE job SET work_reused = -1"),
    ("unit_work", "UPDATE unit SET work = -1"),
    ("share_weight", "UPDATE share SET weight = 0"),
    ("share_clocks", "UPDATE share SET clocks = '{1}'"),
    ("share_device", "UPDATE share SET device = 'tpu'"),
    ("job_dataset_id", "DELETE FROM dataset"),
    ("unit_lease", "UPDATE unit SET state = 'leased', attempt = 1"),
    ("unit_lease", "UPDATE unit SET lease_expires_at = now() WHERE state = 'queued'"),
    ("unit_holder", "UPDATE unit SET worker_id = (SELECT id FROM worker LIMIT 1) WHERE state = 'queued'"),
    ("unit_claimed", "UPDATE unit SET state = 'leased', lease_expires_at = now(), attempt = 0 WHERE state = 'queued'"),
    ("unit_counts", "UPDATE unit SET failures = -1"),
    ("unit_job_id_ordinal", "INSERT INTO unit (job_id, ordinal) SELECT job_id, ordinal FROM unit LIMIT 1"),
    ("cell_unit", "UPDATE cell SET unit_id = (SELECT u.id FROM unit u WHERE u.job_id <> cell.job_id LIMIT 1)"),
    ("cell_sizes", "UPDATE cell SET n = 0"),
    ("cell_n_unique", "UPDATE cell SET n_unique = n + 1 WHERE finished_at IS NOT NULL"),
    ("cell_finished_whole", "UPDATE cell SET finished_at = now() WHERE finished_at IS NULL"),
    ("cell_finished_whole", "UPDATE cell SET finished_at = NULL WHERE finished_at IS NOT NULL"),
    ("cell_finished_values", "UPDATE cell SET seconds = -1 WHERE finished_at IS NOT NULL"),
    (
        "cell",
        "INSERT INTO cell (job_id, run, step, n, unit_id) SELECT job_id, run, step, n, unit_id FROM cell LIMIT 1",
    ),
    ("measurement", "INSERT INTO measurement SELECT * FROM measurement LIMIT 1"),
    ("measurement_finite", "UPDATE measurement SET value = 'NaN'"),
    ("dataset_version", "UPDATE dataset SET version = 2"),
    ("forecast_direction", "UPDATE forecast SET direction = 'sideways'"),
    ("forecast_sizes", "UPDATE forecast SET n = n_observed"),
    ("forecast_scored_whole", "UPDATE forecast SET measured = 0.9"),
    ("forecast_intervals", "UPDATE forecast SET lower = '{0.1}'"),
    ("job_log_counts", "UPDATE job_log SET total = -1"),
    ("earlier_curve_values", "UPDATE earlier_curve SET method_version = 0"),
    ("item_marks_bits", "UPDATE item_marks SET items = items + 8"),
    ("item_marks", "INSERT INTO item_marks SELECT * FROM item_marks LIMIT 1"),
    ("fk_cell", "INSERT INTO item_marks SELECT job_id, run, 99, metric, items, bits FROM item_marks LIMIT 1"),
    ("measurement_class_index", "UPDATE measurement SET class_index = -2"),
    ("fk_cell", "INSERT INTO measurement SELECT job_id, run, 99, metric, class_index, value FROM measurement LIMIT 1"),
    ("event", "INSERT INTO event SELECT * FROM event LIMIT 1"),
    ("event_seq", "UPDATE event SET seq = -seq"),
    ("curve_values", "UPDATE curve SET method_version = 0"),
    (
        "earlier_curve_values",
        "INSERT INTO earlier_curve SELECT job_id, metric, class_index, method, 0, fit, '{}', created_at FROM curve",
    ),
    ("dataset_ready_has_fingerprint", "UPDATE dataset SET fingerprint = NULL"),
    ("dataset_ready_has_info", "UPDATE dataset SET info = 'null'"),
    ("dataset_invalid_explained", "UPDATE dataset SET status = 'invalid', fingerprint = NULL, error = 'null'"),
    ("worker_slots", "UPDATE worker SET slots = 0"),
    ("webhook_disabled", "UPDATE webhook SET disabled_at = now()"),
    ("webhook_previous_secret", "UPDATE webhook SET previous_secret = 's'"),
    ("webhook_delivery_state", "UPDATE webhook_delivery SET state = 'lost', ended_at = now()"),
    ("webhook_delivery_ended", "UPDATE webhook_delivery SET ended_at = now()"),
    ("member_role", "INSERT INTO member (project_id, subject, role) SELECT id, 'ada', 'owner' FROM project"),
    ("api_key_scope", "INSERT INTO api_key (name, hash, hint, scope, created_by) VALUES ('a', 'b', 'c', 'all', 'd')"),
    ("page_session_kind", "INSERT INTO page_session (hash, expires_at) VALUES ('a', now())"),
    ("outbox_task", "UPDATE outbox SET task = 'rm'"),
    ("outbox_queue", "UPDATE outbox SET queue = 'tpu'"),
    ("outbox_priority", "UPDATE outbox SET priority = -1"),
]


@pytest.fixture(scope="module")
def populated(servers: Servers) -> Iterator[Database]:
    """A completed job, a job under way and a queued one, with all that belongs to them."""
    with new_database(servers) as url:
        database = Database(url)
        worker = add_worker(database)
        with database.transaction() as session:
            # Every move of a job from here on is a message to it.
            session.add(
                Webhook(
                    url="https://example.org/hook", events=["job.running", "job.completed"], description="", secret="s"
                )
            )
        whole, begun, _ = add_job(database), add_job(database), add_job(database)
        for job, units in ((whole, 6), (begun, 1)):
            for _ in range(units):
                with database.transaction() as session:
                    claim = claim_of(session, job, worker, 60)
                    assert claim is not None
                    for cell in claim.cells:
                        value = 1 - cell.n**-0.5
                        record_cell(
                            session,
                            claim.unit_id,
                            1,
                            CellResult(
                                *(cell.run, cell.step, cell.n, 0.1, "cpu", [("A", -1, value)]),
                                correct={"A": ItemMarks(3, "oA==")},
                            ),
                        )
                    finish_unit(session, claim.unit_id, 1)
        with database.transaction() as session:
            session.execute(
                text(
                    "INSERT INTO forecast (project_id, job_id, study_id, dataset, model, metric, class_index, "
                    " direction, n, n_observed, value, lower, upper, method_version)"
                    " SELECT project_id, id, id, 'd', 'mlp', 'A', -1,"
                    " 'maximize', 80, 40, 0.9, '{0.8,0.7,0.6}', '{0.9,0.95,1}', 2 FROM job WHERE id = :job"
                ),
                {"job": whole},
            )
            session.execute(
                text("INSERT INTO job_log (job_id, seq, attempt, text, total) VALUES (:job, 1, 1, 'hello', 5)"),
                {"job": whole},
            )
            session.execute(
                text(
                    "INSERT INTO earlier_curve (job_id, metric, class_index, method, method_version, fit, backtest,"
                    " created_at) VALUES (:job, 'A', -1, 'calibrated', 1, '{}', '{}', now())"
                ),
                {"job": whole},
            )
        yield database
        database.dispose()


def _units(database: Database, job_id: UUID) -> list[UUID]:
    with database.transaction() as session:
        rows = session.execute(text("SELECT id FROM unit WHERE job_id = :job ORDER BY ordinal"), {"job": job_id})
        return [row.id for row in rows]


@pytest.mark.parametrize(("constraint", "statement"), FORBIDDEN, ids=[statement for _, statement in FORBIDDEN])
def test_what_must_never_be_is_refused(populated: Database, constraint: str, statement: str) -> None:
    with pytest.raises(IntegrityError) as refused, populated.transaction() as session:
        session.execute(text(statement))
    assert refused.value.orig is not None
    name = refused.value.orig.diag.constraint_name or ""
    assert constraint in name


def test_every_constraint_is_validated_and_each_check_of_ours_is_tried(populated: Database) -> None:
    with populated.transaction() as session:
        rows = session.execute(
            text("SELECT conname, contype, convalidated FROM pg_constraint WHERE conname LIKE 'ck%'")
        )
        checks = {row.conname: row.convalidated for row in rows}
    assert all(checks.values())
    tried = {f"ck_{name}" for name, _ in FORBIDDEN}
    # Lists of words; and what a later constraint says more strictly.
    others = {"ck_plugin_kind", "ck_unit_state", "ck_dataset_status", "ck_job_failure_explained"}
    assert set(checks) - others <= tried


def test_a_measured_cell_outlives_its_unit(populated: Database) -> None:
    with populated.transaction() as session:
        before = session.scalar(text("SELECT count(*) FROM measurement"))
        session.execute(text("DELETE FROM unit WHERE state = 'done'"))
        assert session.scalar(text("SELECT count(*) FROM measurement")) == before
        session.rollback()


def test_a_job_s_end_takes_all_that_is_its_own(populated: Database) -> None:
    with populated.transaction() as session:
        session.execute(text("DELETE FROM job"))
        for table in ("unit", "cell", "measurement", "item_marks", "event", "curve", "extension"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
        session.rollback()
