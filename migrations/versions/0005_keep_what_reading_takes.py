"""Keep with a completed job what reading it takes, send the outbox by urgency, find jobs by model and dataset"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Nullable: what completed before, or under the version before, is read from its measurements.
    for name in ("value_warnings", "readings"):
        op.add_column("job", sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    # Writers wait for these: a moment, there being few rows of either table beside those of cells and measurements.
    op.create_index("ix_job_model", "job", [sa.text("((spec -> 'model') ->> 'name')"), "id"])
    op.create_index("ix_job_dataset", "job", [sa.text("(spec ->> 'dataset')"), "id"])
    op.create_index("ix_outbox_urgency", "outbox", ["queue", sa.text("priority DESC"), "id"])


def downgrade() -> None:
    op.drop_index("ix_outbox_urgency", table_name="outbox")
    op.drop_index("ix_job_dataset", table_name="job")
    op.drop_index("ix_job_model", table_name="job")
    for name in ("readings", "value_warnings"):
        op.drop_column("job", name)
