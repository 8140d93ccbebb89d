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
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

UUIDV7 = text("uuidv7()")
NOW = func.now()
# Whose everything is that was there before there were projects, and that nobody says otherwise of
DEFAULT_PROJECT_ID = UUID("00000000-0000-7000-8000-000000000001")


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
        dict[str, Any]: JSONB(none_as_null=True),  # "no error" is NULL, not JSON's null
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        list[float]: ARRAY(Double),
    }


class Owned:
    """What belongs to a project; `app.db.engine` bounds every statement on it by the project of who asks."""

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("project.id"), server_default=text(f"'{DEFAULT_PROJECT_ID}'::uuid")
    )


class Project(Base):
    """Who shares jobs, datasets and webhooks, apart from all others."""

    __tablename__ = "project"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")
    quotas: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # only those that limit something
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Member(Base):
    """A person in a project, and what the person may do there."""

    __tablename__ = "member"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)  # as the identity provider or the proxy names the person
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (CheckConstraint("role IN ('read','write','admin')", name="role"), Index(None, "subject"))


class ApiKey(Base):
    """A secret that lets a program ask; the secret itself is nowhere, only the hash by which it is known again."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))  # null: of all
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]  # the last characters, by which a person tells keys apart
    scope: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("scope IN ('read','write','admin')", name="scope"),
        Index(None, "project_id", "id"),
    )


class PageSession(Base):
    """Somebody who is signed in on the page, or is about to be; the cookie's secret is nowhere, only its hash."""

    __tablename__ = "page_session"

    hash: Mapped[str] = mapped_column(primary_key=True)
    key_hash: Mapped[str | None]  # of the key that was signed in with: what it may do is looked up anew
    person: Mapped[dict[str, Any] | None]  # whom the identity provider named, and what it said of projects
    pending: Mapped[dict[str, Any] | None]  # what is to be found in the provider's answer
    project: Mapped[str | None]  # which one the person looks at
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("num_nonnulls(key_hash, person, pending) = 1", name="kind"),
        Index(None, "expires_at"),
    )


class Audit(Base):
    """Who did what to what, and when. A trigger keeps it from being changed; it refers to nothing that may go."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    project: Mapped[str | None]  # by name: that of one that is gone stands still
    actor: Mapped[str]
    action: Mapped[str]  # name of the operation
    target: Mapped[dict[str, Any]]

    __table_args__ = (Index(None, "project", "id"),)


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
    busy: Mapped[int] = mapped_column(server_default="0")  # slots in use when it was last heard
    asked: Mapped[int] = mapped_column(server_default="0")  # of them, those that read a dataset or ask a schedule
    plugins: Mapped[list[str]]  # "kind:name"
    versions: Mapped[dict[str, Any] | None]  # "kind:name" -> version; null of a worker too old to tell
    plugin_errors: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (
        CheckConstraint("slots >= 1 AND busy >= 0", name="slots"),
        Index(None, "heartbeat_at"),
    )


class Dataset(Owned, Base):
    """A registered pair of splits; `info` is what a worker found when it last read them and they were whole."""

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
    preview: Mapped[bytes | None] = mapped_column(deferred=True)  # a PNG of some items; lists do not read it
    version: Mapped[int] = mapped_column(server_default="1")
    continues_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset.id"), unique=True)  # the version before

    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        CheckConstraint("version >= 1 AND (version = 1) = (continues_id IS NULL)", name="version"),
        CheckConstraint("status IN ('verifying','ready','invalid')", name="status"),
        CheckConstraint("(status = 'ready') = (fingerprint IS NOT NULL)", name="ready_has_fingerprint"),
        CheckConstraint("status <> 'ready' OR jsonb_typeof(info) = 'object'", name="ready_has_info"),
        CheckConstraint("status <> 'invalid' OR jsonb_typeof(error) = 'object'", name="invalid_explained"),
    )


class Upload(Owned, Base):
    """A file that was sent, in the folder of its id; see `app.catalog.upload_files`."""

    __tablename__ = "upload"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        CheckConstraint("kind IN ('npz','parquet','table')", name="kind"),
        CheckConstraint("bytes >= 0", name="bytes"),
    )


class Job(Owned, Base):
    """One study."""

    __tablename__ = "job"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    state: Mapped[str] = mapped_column(server_default="queued")
    spec: Mapped[dict[str, Any]]  # as run: every default filled in
    dataset_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset.id"))  # null: it was measured elsewhere
    dataset_fingerprint: Mapped[str]
    dataset_info: Mapped[dict[str, Any] | None]  # of the data that it measured, once the dataset is of other data
    plugin_versions: Mapped[dict[str, Any]]  # "kind:name" -> version: what all its cells are measured with
    metrics: Mapped[dict[str, Any]]  # metric -> direction and bounds: declared by the evaluation, overridden by the job
    # Sizes by step number: those that the job was extended by come last. Null until a schedule plugin has named them.
    steps: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    device: Mapped[str]  # the queue that serves it: cpu or cuda
    labels: Mapped[dict[str, Any]]
    name: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    priority: Mapped[int]
    cells_total: Mapped[int] = mapped_column(server_default="0")
    cells_done: Mapped[int] = mapped_column(server_default="0")
    cells_not_measurable: Mapped[int] = mapped_column(server_default="0")  # ended without a value, beside those done
    work_total: Mapped[int] = mapped_column(server_default="0")  # training items over all cells: what progress is of
    work_done: Mapped[int] = mapped_column(server_default="0")
    event_seq: Mapped[int] = mapped_column(server_default="0")
    deaths: Mapped[int] = mapped_column(server_default="0")  # of trainers and workers, since a cell was last recorded
    shapes: Mapped[dict[str, Any] | None]  # metric -> number of classes, -1 where it is one number: in all cells
    error: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    engine: Mapped[dict[str, Any] | None]  # how its cells are gone through, as the first has told; null: one by one
    learner: Mapped[dict[str, Any] | None]  # what its model is made of, as the catalog or its first cell told
    # Kept at completion, so that reading a job does not read all that it measured; null: tell from the measurements
    value_warnings: Mapped[list[dict[str, Any]] | None]
    readings: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    result: Mapped[dict[str, Any] | None]  # its primary metric and verdict, for lists; empty: there is none
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    body_hash: Mapped[str | None]
    plan_sent_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    # When its units came into the queue, the last time: the order among jobs whose turns are equal
    queued_at: Mapped[datetime] = mapped_column(server_default=NOW)
    turn: Mapped[float] = mapped_column(server_default="0")  # slot-seconds that it has had, as `app.units.turns` counts
    slot_seconds: Mapped[float] = mapped_column(server_default="0")  # that its units are counted with
    design: Mapped[dict[str, Any] | None]  # of an adaptive job: how far it has gone, and why it stopped
    # By what its cells are known again, as a trainer told; "" where they are not, null until one was asked
    identity: Mapped[str | None]
    # Of its cells, those that another job had measured: how many, their training items, what they had taken there
    cells_reused: Mapped[int] = mapped_column(server_default="0")
    work_reused: Mapped[int] = mapped_column(server_default="0")
    seconds_saved: Mapped[float] = mapped_column(server_default="0")
    # How many runs have measured each step; null: to be counted
    measured: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("project_id", "idempotency_key"),
        CheckConstraint("state IN ('queued','running','completed','failed','cancelling','cancelled')", name="state"),
        CheckConstraint("device IN ('cpu','cuda')", name="device"),
        CheckConstraint("cells_done BETWEEN 0 AND cells_total", name="cells_done"),
        CheckConstraint("(state IN ('completed','failed','cancelled')) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failure_explained"),
        CheckConstraint("(state = 'failed') = COALESCE(jsonb_typeof(error) = 'object', false)", name="error_of_failed"),
        CheckConstraint("work_done BETWEEN 0 AND work_total", name="work_done"),
        CheckConstraint("steps IS NOT NULL OR cells_total = 0", name="cells_of_steps"),
        CheckConstraint("cells_not_measurable >= 0", name="cells_not_measurable"),
        CheckConstraint(
            "state <> 'completed' OR (cells_done + cells_not_measurable >= cells_total AND cells_done > 0)",
            name="completed",
        ),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        CheckConstraint("(idempotency_key IS NULL) = (body_hash IS NULL)", name="idempotency"),
        CheckConstraint("event_seq >= 0 AND deaths >= 0", name="counts"),
        CheckConstraint("slot_seconds >= 0", name="slot_seconds"),
        CheckConstraint("cells_reused >= 0 AND work_reused >= 0 AND seconds_saved >= 0", name="reused"),
        Index(None, "state", "id"),
        Index(None, "project_id", "id"),
        Index(None, "labels", postgresql_using="gin"),
        Index(None, "dataset_id"),
        # For who asks whose turn it is
        Index(
            "ix_job_turn",
            *("project_id", "device", text("priority DESC"), "turn", "queued_at", "id"),
            postgresql_where=text("state IN ('queued','running')"),
        ),
        # For lists by a name that few jobs have
        Index("ix_job_model", text("((spec -> 'model') ->> 'name')"), "id"),
        Index("ix_job_dataset", text("(spec ->> 'dataset')"), "id"),
        # For lists in another order, and for a part of a word; the functions are of migration 0035
        Index("ix_job_title", "project_id", text("job_title(name, spec)"), "id"),
        Index("ix_job_finished", "project_id", "finished_at", "id", postgresql_where=text("finished_at IS NOT NULL")),
        Index(
            "ix_job_value",
            "project_id",
            text("job_value(result)"),
            "id",
            postgresql_where=text("job_value(result) IS NOT NULL"),
        ),
        Index("ix_job_grams", text("grams(job_words(id, name, spec), 1)"), postgresql_using="gin"),
        Index("ix_job_untold", "id", postgresql_where=text("state = 'completed' AND result IS NULL")),
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
    work: Mapped[int] = mapped_column(server_default="0")  # training items over its cells
    claimed_at: Mapped[datetime | None]
    charged: Mapped[float | None]  # slot-seconds that its job was charged at the claim, until the unit is let go

    __table_args__ = (
        UniqueConstraint("job_id", "ordinal"),
        UniqueConstraint("id", "job_id"),  # so that a cell can refer to a unit of its own job
        CheckConstraint("state IN ('queued','leased','done','failed','cancelled')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_expires_at IS NOT NULL)", name="lease"),
        CheckConstraint("worker_id IS NULL OR state = 'leased'", name="holder"),
        CheckConstraint("attempt >= 0 AND failures >= 0 AND ordinal >= 0", name="counts"),
        CheckConstraint("work >= 0", name="work"),
        CheckConstraint("state <> 'leased' OR attempt >= 1", name="claimed"),
        Index("ix_unit_open", "state", "lease_expires_at", postgresql_where=text("state IN ('queued','leased')")),
        Index("ix_unit_turn", "job_id", "state", "ordinal", postgresql_where=text("state IN ('queued','leased')")),
        Index("ix_unit_holder", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
    )


class Share(Base):
    """What a project has had of the slots of a device; see `app.units.turns`."""

    __tablename__ = "share"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    device: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[float] = mapped_column(server_default="1")
    turn: Mapped[float] = mapped_column(server_default="0")  # slot-seconds that it has had, by its weight
    start: Mapped[float] = mapped_column(server_default="0")  # its turn when it last took a slot
    clocks: Mapped[list[float]] = mapped_column(  # by priority: the turn of the job that last took a slot
        ARRAY(Double), server_default=text("array_fill(0::double precision, ARRAY[10])")
    )

    __table_args__ = (
        CheckConstraint("device IN ('cpu','cuda')", name="device"),
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("array_length(clocks, 1) = 10", name="clocks"),
    )


class Cell(Base):
    """One (run, step): the grain of resuming and of results. `finished_at` is null until it is measured.

    One that is not has an `error` once it is given up as not measurable; until then it is open. A measured cell
    outlives its unit, which `prune` drops.
    """

    __tablename__ = "cell"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
    unit_id: Mapped[UUID | None]
    n_unique: Mapped[int | None]
    seconds: Mapped[float | None]
    device: Mapped[str | None]
    attempt: Mapped[int | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]
    details: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)  # what its learner settled by itself
    # By what the same measurement of another job of the project is known; null of one that is nobody else's
    key: Mapped[str | None]
    reused_from: Mapped[UUID | None]  # the job that measured it, which may be gone

    __table_args__ = (
        ForeignKeyConstraint(
            ["unit_id", "job_id"], ["unit.id", "unit.job_id"], ondelete="SET NULL (unit_id)", name="fk_cell_unit"
        ),
        CheckConstraint("n >= 1 AND run >= 0 AND step >= 0", name="sizes"),
        CheckConstraint(
            "num_nulls(finished_at, attempt, seconds, device, n_unique) IN (0, 5)",
            name="finished_whole",
        ),
        CheckConstraint("n_unique BETWEEN 1 AND n", name="n_unique"),
        CheckConstraint("seconds >= 0 AND attempt >= 1", name="finished_values"),
        Index(None, "unit_id"),
        Index("ix_cell_key", "key", postgresql_where=text("key IS NOT NULL")),
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


class ItemMarks(Base):
    """Which items of the test split a metric of a cell counts as right, a bit an item: see `method.items`."""

    __tablename__ = "item_marks"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    items: Mapped[int]
    bits: Mapped[bytes]

    __table_args__ = (
        ForeignKeyConstraint(
            ["job_id", "run", "step"], ["cell.job_id", "cell.run", "cell.step"], ondelete="CASCADE", name="fk_cell"
        ),
        CheckConstraint("items >= 1 AND octet_length(bits) = (items + 7) / 8", name="bits"),
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
    backtest: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (CheckConstraint("class_index >= -1 AND method_version >= 1", name="values"),)


class EarlierCurve(Base):
    """What `Curve` held until a job was fitted anew by another version of the method, to be compared."""

    __tablename__ = "earlier_curve"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    method_version: Mapped[int] = mapped_column(primary_key=True)
    fit: Mapped[dict[str, Any]]
    backtest: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("class_index >= -1 AND method_version >= 1", name="values"),)


class Forecast(Owned, Base):
    """What a job's curve said of a size that it was about to measure, and what came. It outlives its job."""

    __tablename__ = "forecast"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    study_id: Mapped[UUID]  # the job's, also when it is gone
    dataset: Mapped[str]
    model: Mapped[str]
    metric: Mapped[str]
    class_index: Mapped[int]
    class_name: Mapped[str | None]
    direction: Mapped[str]
    n: Mapped[int]
    n_observed: Mapped[int]
    value: Mapped[float]
    lower: Mapped[list[float]]  # of the intervals of 50, 80 and 95 %
    upper: Mapped[list[float]]
    method_version: Mapped[int]
    measured: Mapped[float | None]
    runs: Mapped[int | None]
    made_at: Mapped[datetime] = mapped_column(server_default=NOW)
    scored_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("direction IN ('maximize','minimize')", name="direction"),
        CheckConstraint("n > n_observed AND n_observed >= 1 AND class_index >= -1", name="sizes"),
        CheckConstraint("num_nulls(measured, runs, scored_at) IN (0, 3)", name="scored_whole"),
        CheckConstraint("cardinality(lower) = 3 AND cardinality(upper) = 3", name="intervals"),
        Index(
            "ix_forecast_open",
            *("job_id", "metric", "class_index", "n"),
            unique=True,
            postgresql_where=text("measured IS NULL"),
        ),
        Index(None, "job_id"),
        Index(None, "metric", "id"),
    )


class Event(Base):
    """What happened to a job, numbered without gaps under the job's row lock."""

    __tablename__ = "event"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (CheckConstraint("seq >= 1", name="seq"),)


class JobLog(Base):
    """Lines that plugins wrote while they worked for a job; the newest are kept, up to a size."""

    __tablename__ = "job_log"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    run: Mapped[int | None]
    step: Mapped[int | None]
    text: Mapped[str]
    total: Mapped[int]  # bytes of all texts so far, those that were dropped and this one among them
    at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (CheckConstraint("seq >= 1 AND total >= 0", name="counts"),)


class Extension(Base):
    """A request to extend a job, under the key with which its client may repeat it."""

    __tablename__ = "extension"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Outbox(Base):
    """A message that must reach the broker: written with the change that asks for it, deleted when sent."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task: Mapped[str]
    subject: Mapped[UUID]
    queue: Mapped[str]
    priority: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (
        CheckConstraint("task IN ('run_unit','verify_dataset','plan_job')", name="task"),
        CheckConstraint("queue IN ('cpu','cuda','questions')", name="queue"),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        Index("ix_outbox_urgency", "queue", text("priority DESC"), "id"),
    )


class Webhook(Owned, Base):
    """An endpoint that is told of job events. One process at a time calls it, under a lease."""

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    url: Mapped[str] = mapped_column(unique=True)
    events: Mapped[list[str]]
    description: Mapped[str]
    secret: Mapped[str]  # signs, so it is kept as it is; no answer but the one that made it shows it
    previous_secret: Mapped[str | None]  # signs too for a while after a rotation
    previous_secret_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]  # the first failure since the last success
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    __table_args__ = (
        UniqueConstraint("project_id", "url"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
        CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret"),
    )


class WebhookDelivery(Base):
    """One message to one endpoint, written with the change that it tells of. `attempt` fences its writers."""

    __tablename__ = "webhook_delivery"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=UUIDV7)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    type: Mapped[str]
    job_id: Mapped[UUID | None]  # of a job that may be deleted by now
    body: Mapped[str]  # text: every attempt sends the same bytes
    state: Mapped[str] = mapped_column(server_default="pending")
    attempt: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")  # since it was written or replayed
    # Not NOW, when the transaction began: messages of one job are ordered by who had the job's lock.
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    log: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")  # the latest attempts
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('pending','delivered','failed')", name="state"),
        CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name="ended"),
        Index(None, "webhook_id", "id"),
        Index("ix_webhook_delivery_due", "webhook_id", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    )
