"""Let a cell end as not measurable, with its error, and a job complete with the rest"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COMPLETED = "state <> 'completed' OR (cells_done + cells_not_measurable >= cells_total AND cells_done > 0)"
COMPLETED_BEFORE = "state <> 'completed' OR (cells_done = cells_total AND cells_total > 0)"


def upgrade() -> None:
    # A column without a default, or with a constant one, rewrites no table.
    op.add_column("cell", sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("job", sa.Column("cells_not_measurable", sa.BigInteger(), server_default="0", nullable=False))
    # Reads the jobs, of which there are few beside cells and measurements. The version before measures, and counts, a
    # cell that this one has given up; therefore "at least".
    op.create_check_constraint(op.f("ck_job_cells_not_measurable"), "job", "cells_not_measurable >= 0")
    op.drop_constraint(op.f("ck_job_completed"), "job", type_="check")
    op.create_check_constraint(op.f("ck_job_completed"), "job", COMPLETED)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_job_completed"), "job", type_="check")
    op.drop_constraint(op.f("ck_job_cells_not_measurable"), "job", type_="check")
    # What could not be measured is to be tried again by code that does not know of it.
    op.execute(
        "UPDATE job SET state = 'failed', error = (SELECT cell.error FROM cell WHERE cell.job_id = job.id "
        "AND cell.error IS NOT NULL AND cell.finished_at IS NULL ORDER BY run, step LIMIT 1) "
        "WHERE state = 'completed' AND cells_not_measurable > 0"
    )
    op.execute(
        "UPDATE unit SET state = 'failed' WHERE state = 'done' AND id IN "
        "(SELECT unit_id FROM cell WHERE error IS NOT NULL AND finished_at IS NULL)"
    )
    op.execute(
        "UPDATE job SET work_done = work_done - (SELECT coalesce(sum(n), 0) FROM cell WHERE cell.job_id = job.id "
        "AND cell.error IS NOT NULL AND cell.finished_at IS NULL) WHERE cells_not_measurable > 0"
    )
    op.create_check_constraint(op.f("ck_job_completed"), "job", COMPLETED_BEFORE)
    op.drop_column("job", "cells_not_measurable")
    op.drop_column("cell", "error")
