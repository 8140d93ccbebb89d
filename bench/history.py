"""A history of jobs for the benchmarks: some done through the service's own functions, many more copied from those."""

import random
from collections.abc import Callable
from uuid import UUID

import psycopg
from sqlalchemy import func, select

from app.catalog.verification import loaders
from app.catalog.workers import beat, forget_worker, register_worker
from app.db.engine import Database
from app.db.tables import Dataset, Job, Unit
from app.jobs.ending import cancel
from app.units.lease import CellResult, claim_of, fail_unit, finish_unit, record_cell

# Seconds between the copies' submissions: 10,000 jobs are some four months.
SPACING = 1000
# So many of the newest copies have all of their rows; the older ones are only listed, and have the job's alone.
WHOLE = 10_000
# A service that is up takes back what is leased for longer than any worker would: its clock was set back since.
LEASE_SECONDS = 60.0

# A job's rows, parents first. `copy` names the jobs to copy and their new ids, `unit_copy` their units'; whatever has a
# time is as much older as its job is.
_COPY = (
    """
    CREATE TEMP TABLE copy AS
    SELECT job.id AS old_id, k, make_interval(secs => (%(count)s - k) * %(spacing)s) AS age,
           uuidv7(-make_interval(secs => (%(count)s - k) * %(spacing)s)) AS new_id, k >= %(listed)s AS is_whole
    FROM generate_series(0, %(count)s - 1) AS k
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS jobs FROM job) AS job
      ON job.place = k %% job.jobs
    """,
    "CREATE TEMP TABLE unit_copy AS SELECT unit.id AS old_id, copy.new_id AS job_id, uuidv7(-age) AS new_id "
    "FROM unit JOIN copy ON copy.old_id = unit.job_id AND copy.is_whole",
    "CREATE INDEX ON unit_copy (old_id, job_id)",
)


# What no two jobs share, and lists are by: a name, and the result's value
_OF_ITS_OWN = {
    "name": "'batch ' || copy.k",
    "result": "jsonb_set(t.result, '{value}', to_jsonb((t.result ->> 'value')::float8 - copy.k * 1e-7))",
}


def finish_job(database: Database, job_id: UUID, *, seed: int, ending: str = "completed") -> None:
    """Do the work of a queued job as a worker would, on power laws with noise; or let it fail, or cancel it, half-way.

    Parameters
    ----------
    ending : {"completed", "failed", "cancelled"}
    """
    draw = random.Random(seed)
    exponent, ceiling = draw.uniform(0.2, 0.8), draw.uniform(0.0, 0.1)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        needed = [*job.plugin_versions, *loaders(session.get_one(Dataset, job.dataset_id))]
        worker_id = register_worker(
            session, hostname="bench", pid=seed, devices=["cpu"], slots=1, plugins=needed, plugin_errors=[]
        )
        units = session.scalar(select(func.count()).select_from(Unit).where(Unit.job_id == job_id)) or 0
        metrics = sorted(job.metrics)
    last = units if ending == "completed" else units // 2
    for place in range(last):
        with database.transaction() as session:
            claimed = claim_of(session, job_id, worker_id, LEASE_SECONDS)
        assert claimed is not None
        unit_id = claimed.unit_id
        if ending == "failed" and place == last - 1:
            error = {"code": "plugin_raised", "detail": "The training raised.", "where": {"run": 0}}
            with database.transaction() as session:
                fail_unit(session, unit_id, claimed.attempt, error)
            break
        for cell in claimed.cells:
            values = [
                (metric, -1, 1.0 - ceiling - 1.5 * cell.n**-exponent - 0.01 * rank + draw.gauss(0.0, 0.01))
                for rank, metric in enumerate(metrics)
            ]
            clipped = [(metric, index, min(max(value, 0.0), 1.0)) for metric, index, value in values]
            result = CellResult(cell.run, cell.step, n_unique=cell.n, seconds=0.5, device="cpu", values=list(clipped))
            with database.transaction() as session:
                beat(session, worker_id, 1)  # a service that is up takes the units of who is silent
                assert record_cell(session, unit_id, claimed.attempt, result)
        with database.transaction() as session:
            finish_unit(session, unit_id, claimed.attempt)
    if ending == "cancelled":
        with database.transaction() as session:
            cancel(session, job_id)
    with database.transaction() as session:
        forget_worker(session, worker_id)


def copy_jobs(url: str, count: int, say: Callable[[str], None] = print) -> None:
    """Fill a database up with copies of all its jobs, until `count` more are there, and let PostgreSQL look at it.

    Each has a name of its own, and a result that is a little off.

    Parameters
    ----------
    url : str
        For psycopg, of a user who may leave foreign keys unchecked: the rows are whole, being copies of whole ones.
    """
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in _COPY:
            connection.execute(statement, {"count": count, "spacing": SPACING, "listed": max(count - WHOLE, 0)})
        for table in ("job", "unit", "cell", "measurement", "curve", "event"):
            say(f"  copying {table}s")
            connection.execute(_copy_statement(connection, table).encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _copy_statement(connection: psycopg.Connection, table: str) -> str:
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = %s AND table_schema = 'public' AND is_generated = 'NEVER' ORDER BY ordinal_position",
        [table],
    ).fetchall()
    values = {name: f"t.{name} - age" if kind.startswith("timestamp") else f"t.{name}" for name, kind in columns}
    key = "id" if table == "job" else "job_id"
    source = f"{table} AS t JOIN copy ON copy.old_id = t.{key}" + ("" if table == "job" else " AND copy.is_whole")
    values[key] = "copy.new_id"
    if table == "job":
        values |= _OF_ITS_OWN
    if table in ("unit", "cell"):
        own = "id" if table == "unit" else "unit_id"
        source += f" JOIN unit_copy AS u ON u.old_id = t.{own} AND u.job_id = copy.new_id"
        values[own] = "u.new_id"
    if "idempotency_key" in values:
        values["idempotency_key"] = "NULL"
    names, copies = ", ".join(values), ", ".join(values.values())
    # In the order in which the service would have written them.
    return f"INSERT INTO {table} ({names}) SELECT {copies} FROM {source} ORDER BY copy.k"
