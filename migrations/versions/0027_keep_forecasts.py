"""Keep what was said of sizes before they were measured"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "forecast",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("class_index", sa.BigInteger(), nullable=False),
        sa.Column("class_name", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("n_observed", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("lower", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("upper", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("method_version", sa.BigInteger(), nullable=False),
        sa.Column("measured", sa.Double(), nullable=True),
        sa.Column("runs", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("direction IN ('maximize','minimize')", name=op.f("ck_forecast_direction")),
        sa.CheckConstraint("n > n_observed AND n_observed >= 1 AND class_index >= -1", name=op.f("ck_forecast_sizes")),
        sa.CheckConstraint("num_nulls(measured, runs, scored_at) IN (0, 3)", name=op.f("ck_forecast_scored_whole")),
        sa.CheckConstraint("cardinality(lower) = 3 AND cardinality(upper) = 3", name=op.f("ck_forecast_intervals")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_forecast_job_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_forecast"),
    )
    op.create_index("ix_forecast_job_id", "forecast", ["job_id"])
    op.create_index("ix_forecast_metric_id", "forecast", ["metric", "id"])
    op.create_index(
        "ix_forecast_open",
        "forecast",
        ["job_id", "metric", "class_index", "n"],
        unique=True,
        postgresql_where=sa.text("measured IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("forecast")
