"""The tables. PostgreSQL is the truth; what must never happen is forbidden here rather than hoped for elsewhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

UUIDV7 = text("uuidv7()")
NOW = func.now()


class Base(DeclarativeBase):
    """Common column types, and constraint names that a migration can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        str: Text,
        int: BigInteger,
        float: Double,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }


class Plugin(Base):
    """A plugin as a worker last advertised it."""

    __tablename__ = "plugin"

    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    summary: Mapped[str]
    params_schema: Mapped[dict[str, Any]]
    capabilities: Mapped[dict[str, Any]]
    devices: Mapped[list[str]]
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (
        CheckConstraint("kind IN ('model','training','evaluation','reset','dataset','schedule')", name="kind"),
    )


class Worker(Base):
    """A worker process: what it offers and when it was last heard."""

    __tablename__ = "worker"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    hostname: Mapped[str]
    pid: Mapped[int]
    devices: Mapped[list[str]]
    slots: Mapped[int]
    busy: Mapped[int] = mapped_column(server_default="0")
    plugins: Mapped[list[str]]  # "kind:name"
    plugin_errors: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (Index(None, "heartbeat_at"),)


class Dataset(Base):
    """A registered pair of splits; `info` is what a worker found when it read them."""

    __tablename__ = "dataset"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    name: Mapped[str] = mapped_column(unique=True)
    train: Mapped[dict[str, Any]]
    test: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="verifying")
    error: Mapped[dict[str, Any] | None]
    info: Mapped[dict[str, Any] | None]
    fingerprint: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    sent_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    verified_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('verifying','ready','invalid')", name="status"),
        CheckConstraint("(status = 'ready') = (fingerprint IS NOT NULL)", name="ready_has_fingerprint"),
    )


class Job(Base):
    """One study."""

    __tablename__ = "job"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    state: Mapped[str] = mapped_column(server_default="queued")
    spec: Mapped[dict[str, Any]]  # as run: every default filled in
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    dataset_fingerprint: Mapped[str]
    plugin_versions: Mapped[dict[str, Any]]  # "kind:name" -> version, as of submission
    metrics: Mapped[dict[str, Any]]  # metric -> direction and bounds: declared by the evaluation, overridden by the job
    steps: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))  # null until a schedule plugin has named them
    device: Mapped[str]  # the queue that serves it: cpu or cuda
    labels: Mapped[dict[str, Any]]
    priority: Mapped[int]
    cells_total: Mapped[int] = mapped_column(server_default="0")
    cells_done: Mapped[int] = mapped_column(server_default="0")
    work_total: Mapped[int] = mapped_column(server_default="0")  # training items over all cells: what progress is of
    work_done: Mapped[int] = mapped_column(server_default="0")
    event_seq: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    # Kept at completion, so that reading a job does not read all that it measured; null: tell from the measurements
    value_warnings: Mapped[list[dict[str, Any]] | None]
    readings: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    body_hash: Mapped[str | None]
    plan_sent_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    dataset: Mapped[Dataset] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint("state IN ('queued','running','completed','failed','cancelling','cancelled')", name="state"),
        CheckConstraint("device IN ('cpu','cuda')", name="device"),
        CheckConstraint("cells_done BETWEEN 0 AND cells_total", name="cells_done"),
        CheckConstraint("(state IN ('completed','failed','cancelled')) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failure_explained"),
        Index(None, "state", "id"),
        Index(None, "labels", postgresql_using="gin"),
        Index(None, "dataset_id"),
        # For lists by a name that few jobs have
        Index("ix_job_model", text("((spec -> 'model') ->> 'name')"), "id"),
        Index("ix_job_dataset", text("(spec ->> 'dataset')"), "id"),
    )


class Unit(Base):
    """Cells that one worker slot executes together; `attempt` fences its writers."""

    __tablename__ = "unit"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempt: Mapped[int] = mapped_column(server_default="0")  # counts claims; in every write of a worker
    failures: Mapped[int] = mapped_column(server_default="0")  # claims that ended in a death
    worker_id: Mapped[UUID | None] = mapped_column(ForeignKey("worker.id", ondelete="SET NULL"))
    lease_expires_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    sent_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    error: Mapped[dict[str, Any] | None]

    __table_args__ = (
        UniqueConstraint("job_id", "ordinal"),
        CheckConstraint("state IN ('queued','leased','done','failed','cancelled')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_expires_at IS NOT NULL)", name="lease"),
        Index("ix_unit_open", "state", "lease_expires_at", postgresql_where=text("state IN ('queued','leased')")),
    )


class Cell(Base):
    """One (run, step): the grain of resuming and of results. `finished_at` is null until it is measured."""

    __tablename__ = "cell"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
    unit_id: Mapped[UUID] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"))
    n_unique: Mapped[int | None]
    seconds: Mapped[float | None]
    device: Mapped[str | None]
    attempt: Mapped[int | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("n >= 1 AND run >= 0 AND step >= 0", name="sizes"),
        Index(None, "unit_id"),
    )


class Measurement(Base):
    """One value of a cell. Scalars have class_index -1; a null value is one that the evaluation gave as NaN."""

    __tablename__ = "measurement"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["job_id", "run", "step"], ["cell.job_id", "cell.run", "cell.step"], ondelete="CASCADE", name="fk_cell"
        ),
        CheckConstraint("class_index >= -1", name="class_index"),
        CheckConstraint("value NOT IN ('NaN', 'Infinity', '-Infinity')", name="finite"),
    )


class Curve(Base):
    """The fit of one metric (of one class), kept so that an answer does not change under its reader."""

    __tablename__ = "curve"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    method_version: Mapped[int]
    fit: Mapped[dict[str, Any]]
    backtest: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Event(Base):
    """What happened to a job, numbered without gaps under the job's row lock."""

    __tablename__ = "event"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class Outbox(Base):
    """A message that must reach the broker: written with the change that asks for it, deleted when sent."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task: Mapped[str]
    subject: Mapped[UUID]
    queue: Mapped[str]
    priority: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (Index("ix_outbox_urgency", "queue", text("priority DESC"), "id"),)
