"""Keep with a job by which engine its cells are gone through."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("job", sa.Column("engine", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("job", "engine")
