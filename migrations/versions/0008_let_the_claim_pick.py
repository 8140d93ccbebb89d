"""Keep the order in which units are claimed, and find the next one by an index"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPEN_UNITS = sa.text("state IN ('queued','leased')")


def upgrade() -> None:
    # With a default, which the version before leaves it at: its jobs are in the order of their submission.
    op.add_column(
        "job", sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    )
    op.execute("UPDATE job SET queued_at = created_at WHERE state IN ('queued','running')")
    # Writers wait for these: a moment, there being few rows of either table beside those of cells and measurements.
    op.create_index(
        "ix_job_turn",
        "job",
        ["device", sa.text("priority DESC"), "queued_at", "id"],
        postgresql_where=sa.text("state IN ('queued','running')"),
    )
    op.create_index("ix_unit_turn", "unit", ["job_id", "state", "ordinal"], postgresql_where=OPEN_UNITS)
    op.create_index("ix_unit_holder", "unit", ["worker_id"], postgresql_where=sa.text("worker_id IS NOT NULL"))


def downgrade() -> None:
    for name, table in (("ix_unit_holder", "unit"), ("ix_unit_turn", "unit"), ("ix_job_turn", "job")):
        op.drop_index(name, table_name=table)
    op.drop_column("job", "queued_at")
