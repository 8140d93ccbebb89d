"""Processes of the version before go on with the new tables: a rolling upgrade has both for a while.

`data/tables_of_0013.json` is what that version's code knows of the tables: it names these columns and no others.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.dialects import postgresql

KNOWN: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "data" / "tables_of_0013.json").read_text())[
    "tables"
]
IDS = {name: UUID(int=number) for number, name in enumerate(KNOWN, 1)}
# A row of each, as that version writes it: what it leaves to defaults is not here.
ROWS: dict[str, dict[str, Any]] = {
    "dataset": {"id": IDS["dataset"], "name": "d", "train": Jsonb({"loader": "digits"}), "test": Jsonb({})},
    "outbox": {"task": "run_unit", "subject": IDS["unit"], "queue": "cpu", "priority": 0},
    "plugin": {
        "kind": "model",
        "name": "mlp",
        "version": "1",
        "summary": "A model.",
        "params_schema": Jsonb({}),
        "capabilities": Jsonb({}),
        "devices": ["cpu"],
    },
    "webhook": {
        "id": IDS["webhook"],
        "url": "http://127.0.0.1:9/",
        "events": ["job.completed"],
        "description": "",
        "secret": "whsec_" + "c2VjcmV0" * 4,
    },
    "worker": {
        "id": IDS["worker"],
        "hostname": "h",
        "pid": 1,
        "devices": ["cpu"],
        "slots": 1,
        "plugins": ["model:mlp"],
    },
    "job": {
        "id": IDS["job"],
        "spec": Jsonb({"runs": 1}),
        "dataset_id": IDS["dataset"],
        "dataset_fingerprint": "f",
        "plugin_versions": Jsonb({}),
        "metrics": Jsonb({}),
        "device": "cpu",
        "labels": Jsonb({}),
        "priority": 0,
        "steps": [10],
        "cells_total": 1,
        "work_total": 10,
        "idempotency_key": "key",
        "body_hash": "hash",
    },
    "webhook_delivery": {
        "id": IDS["webhook_delivery"],
        "webhook_id": IDS["webhook"],
        "type": "job.completed",
        "job_id": IDS["job"],
        "body": "{}",
    },
    "curve": {
        "job_id": IDS["job"],
        "metric": "Accuracy",
        "class_index": -1,
        "method": "power_law",
        "method_version": 1,
        "fit": Jsonb({}),
    },
    "event": {"job_id": IDS["job"], "seq": 1, "type": "state", "data": Jsonb({"state": "queued"})},
    "extension": {"job_id": IDS["job"], "idempotency_key": "key", "body_hash": "hash"},
    "unit": {"id": IDS["unit"], "job_id": IDS["job"], "ordinal": 0},
    "cell": {"job_id": IDS["job"], "run": 0, "step": 0, "n": 10, "unit_id": IDS["unit"]},
    "measurement": {
        "job_id": IDS["job"],
        "run": 0,
        "step": 0,
        "metric": "Accuracy",
        "class_index": -1,
        "value": 0.5,
    },
}
# What it changes in them: a claim, a cell that is measured, a unit that is done, a job that has ended.
CHANGES = (
    "UPDATE job SET state = 'running', started_at = now(), event_seq = event_seq + 1",
    "UPDATE unit SET state = 'leased', attempt = attempt + 1, worker_id = %(worker)s, lease_expires_at = now()",
    "UPDATE worker SET heartbeat_at = now(), busy = 1",
    "UPDATE cell SET n_unique = 10, seconds = 1.0, device = 'cpu', attempt = 1, finished_at = now()",
    "UPDATE unit SET state = 'done', worker_id = NULL, lease_expires_at = NULL",
    "UPDATE job SET state = 'completed', finished_at = now(), cells_done = 1, work_done = 10",
    "UPDATE dataset SET status = 'ready', fingerprint = 'f', info = '{}', verified_at = now()",
    "UPDATE webhook_delivery SET state = 'delivered', ended_at = now(), attempt = 1",
)


@pytest.fixture
def connection(fresh_database: str) -> Iterator[psycopg.Connection[Any]]:
    url = make_url(fresh_database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        yield connection


def test_every_column_that_it_knows_is_there_and_what_is_new_may_be_left_out(fresh_database: str) -> None:
    engine = create_engine(fresh_database)
    try:
        look = inspect(engine)
        for table, columns in KNOWN.items():
            found = {column["name"]: column for column in look.get_columns(table)}
            types = {name: str(found[name]["type"].compile(postgresql.dialect())) for name in columns}
            assert types == columns, table
            for name in found.keys() - columns.keys():
                one = found[name]
                left_out = one["nullable"] or one["default"] or one.get("identity") or one.get("computed")
                assert left_out, f"{table}.{name}: that version leaves it out, and it has no default"
    finally:
        engine.dispose()


def test_what_it_writes_is_taken_and_what_it_reads_is_there(connection: psycopg.Connection[Any]) -> None:
    assert ROWS.keys() == KNOWN.keys()
    for table, row in ROWS.items():
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), row)
    for change in CHANGES:
        connection.execute(change.encode(), IDS)
    connection.commit()  # with what is checked at the end alone
    for table, columns in KNOWN.items():
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table}".encode()).fetchall()
        assert len(rows) == 1, table
    for table in reversed(KNOWN):
        connection.execute(f"DELETE FROM {table}".encode())
    connection.commit()
