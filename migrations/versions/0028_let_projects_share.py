"""Keep what jobs and projects have had of the slots, and what a unit is of"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0028"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPEN_JOBS = sa.text("state IN ('queued','running')")


def upgrade() -> None:
    op.create_table(
        "share",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), server_default="1", nullable=False),
        sa.Column("turn", sa.Double(), server_default="0", nullable=False),
        sa.Column("start", sa.Double(), server_default="0", nullable=False),
        sa.Column(
            "clocks",
            postgresql.ARRAY(sa.Double()),
            server_default=sa.text("array_fill(0::double precision, ARRAY[10])"),
            nullable=False,
        ),
        sa.CheckConstraint("device IN ('cpu','cuda')", name=op.f("ck_share_device")),
        sa.CheckConstraint("weight > 0", name=op.f("ck_share_weight")),
        sa.CheckConstraint("array_length(clocks, 1) = 10", name=op.f("ck_share_clocks")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_share_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", "device", name=op.f("pk_share")),
    )
    # Also of those that have no jobs yet: the version before submits without a look at it.
    op.execute("INSERT INTO share (project_id, device) SELECT id, unnest(ARRAY['cpu', 'cuda']) FROM project")
    op.add_column("job", sa.Column("turn", sa.Double(), server_default="0", nullable=False))
    op.add_column("job", sa.Column("slot_seconds", sa.Double(), server_default="0", nullable=False))
    op.add_column("job", sa.Column("measured", postgresql.ARRAY(sa.BigInteger()), nullable=True))
    op.create_check_constraint(op.f("ck_job_slot_seconds"), "job", "slot_seconds >= 0")
    op.add_column("unit", sa.Column("work", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("unit", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("unit", sa.Column("charged", sa.Double(), nullable=True))
    op.create_check_constraint(op.f("ck_unit_work"), "unit", "work >= 0")
    op.execute(
        "UPDATE unit SET work = made.work FROM (SELECT unit_id, sum(n) AS work FROM cell GROUP BY unit_id) AS made "
        "WHERE made.unit_id = unit.id AND unit.state IN ('queued','leased')"
    )
    op.drop_index("ix_job_turn", table_name="job")
    op.create_index(
        "ix_job_turn",
        "job",
        ["project_id", "device", sa.text("priority DESC"), "turn", "queued_at", "id"],
        postgresql_where=OPEN_JOBS,
    )


def downgrade() -> None:
    op.drop_index("ix_job_turn", table_name="job")
    op.create_index(
        "ix_job_turn",
        "job",
        ["device", sa.text("priority DESC"), "queued_at", "id"],
        postgresql_where=OPEN_JOBS,
    )
    op.drop_constraint(op.f("ck_unit_work"), "unit", type_="check")
    for column in ("charged", "claimed_at", "work"):
        op.drop_column("unit", column)
    op.drop_constraint(op.f("ck_job_slot_seconds"), "job", type_="check")
    for column in ("measured", "slot_seconds", "turn"):
        op.drop_column("job", column)
    op.drop_table("share")
