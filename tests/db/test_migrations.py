"""A database with the rows of before comes to the schema of now, while others write to it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from app.db.migrate import alembic_config, newest_revision, upgrade
from tests.support.servers import Servers, run_sql, url_of

OLD_ROWS = """
INSERT INTO dataset (name, train, test, status, fingerprint, info, error)
VALUES ('d', '{}', '{}', 'ready', 'f', '{"train": {"size": 10}}', 'null');
INSERT INTO job (spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps, device, labels, priority,
                 state, cells_total, cells_done, work_total, work_done, finished_at, error)
SELECT '{}', id, 'f', '{}', '{}', '{10}', 'cpu', '{}', 0, s.state, 1, s.done, 10, 10 * s.done, s.at, s.error
FROM dataset, (VALUES ('completed', 1, now(), 'null'::jsonb), ('failed', 0, now(), '{"code": "x"}'::jsonb),
                      ('queued', 0, NULL, NULL), ('cancelled', 0, now(), 'null'::jsonb)) AS s (state, done, at, error);
INSERT INTO unit (job_id, ordinal, state, error)
SELECT id, 0, CASE state WHEN 'completed' THEN 'done' ELSE state END, 'null' FROM job;
INSERT INTO cell (job_id, run, step, n, unit_id) SELECT job_id, 0, 0, 10, id FROM unit;
UPDATE cell SET finished_at = now(), attempt = 1, seconds = 0.5, device = 'cpu', n_unique = 10
FROM job WHERE job.id = cell.job_id AND job.state = 'completed';
INSERT INTO measurement SELECT job_id, 0, 0, 'A', -1, 0.5 FROM cell WHERE finished_at IS NOT NULL;
INSERT INTO worker (hostname, pid, devices, slots, plugins) VALUES ('h', 1, '{cpu}', 1, '{}')
"""


@pytest.fixture
def old(servers: Servers) -> Iterator[tuple[str, Connection]]:
    """A database of revision 0002 with rows in it, as the code of then left them; and a connection to it."""
    name = f"test_{uuid4().hex}"
    run_sql(servers, f"CREATE DATABASE {name}")
    run_sql(servers, f"ALTER DATABASE {name} SET lock_timeout = '5s'")  # who must wait for a lock fails
    url = url_of(servers, name)
    command.upgrade(alembic_config(url), "0002")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in OLD_ROWS.split(";\n"):
            connection.execute(text(statement))
    with engine.connect() as connection:
        yield url, connection
    engine.dispose()
    run_sql(servers, f"DROP DATABASE {name} WITH (FORCE)")


def test_old_rows_stay_as_they_are(old: tuple[str, Connection]) -> None:
    url, connection = old
    before = connection.execute(text("SELECT state, error, cells_done FROM job ORDER BY id")).all()
    measured = connection.execute(text("SELECT * FROM measurement")).all()
    connection.rollback()
    upgrade(url)
    assert connection.execute(text("SELECT state, error, cells_done FROM job ORDER BY id")).all() == before
    assert connection.execute(text("SELECT * FROM measurement")).all() == measured
    assert connection.execute(text("SELECT deaths FROM job")).scalars().all() == [0] * 4
    assert connection.execute(text("SELECT versions FROM worker")).scalar() is None


def test_constraints_hold_before_they_are_validated_and_validating_keeps_nobody_from_writing(
    old: tuple[str, Connection],
) -> None:
    url, connection = old
    command.upgrade(alembic_config(url), "0003")
    with pytest.raises(IntegrityError):
        connection.execute(text("UPDATE job SET work_done = work_total + 1"))
    connection.rollback()
    for table in ("job", "unit", "cell", "measurement", "event", "curve", "dataset", "worker", "outbox"):
        connection.execute(text(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE"))  # as anybody who writes
    connection.execute(text("UPDATE job SET deaths = 1 WHERE state = 'queued'"))
    command.upgrade(alembic_config(url), "0004")
    connection.commit()
    assert connection.execute(text("SELECT sum(deaths) FROM job")).scalar() == 1
    assert connection.execute(text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")).scalar() == 0


def test_a_table_that_somebody_reads_for_long_is_waited_for_in_turns(old: tuple[str, Connection]) -> None:
    url, connection = old
    connection.execute(text("LOCK TABLE job IN ACCESS SHARE MODE"))  # as a backup
    with ThreadPoolExecutor(1) as pool:
        migrating = pool.submit(upgrade, url)
        other = create_engine(url, isolation_level="AUTOCOMMIT")
        with other.connect() as asking:
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'job'::regclass")
            while not asking.execute(waits).scalar():
                pass
            # Behind the one that waits, and yet answered: its turn ends first.
            assert asking.execute(text("SELECT count(*) FROM job")).scalar() == 4
        other.dispose()
        connection.rollback()
        migrating.result(60)
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest_revision()


def test_rows_that_break_a_constraint_are_told_and_nothing_is_lost(old: tuple[str, Connection]) -> None:
    url, connection = old
    connection.execute(text("UPDATE job SET work_done = work_total + 1 WHERE state = 'queued'"))
    connection.commit()
    with pytest.raises(IntegrityError, match="ck_job_work_done"):
        upgrade(url)
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0003"
    connection.execute(text("UPDATE job SET work_done = 0 WHERE state = 'queued'"))
    connection.commit()
    upgrade(url)
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest_revision()
