"""Keep what an earlier version of the method made of a job that was fitted anew."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "earlier_curve",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("class_index", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("method_version", sa.BigInteger(), nullable=False),
        sa.Column("fit", postgresql.JSONB(), nullable=False),
        sa.Column("backtest", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("class_index >= -1 AND method_version >= 1", name=op.f("ck_earlier_curve_values")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_earlier_curve_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "metric", "class_index", "method", "method_version", name="pk_earlier_curve"),
    )


def downgrade() -> None:
    op.drop_table("earlier_curve")
