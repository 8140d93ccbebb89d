"""Keep what a cell's learner settled by itself, and what a job's learner is made of"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Nullable: nobody looked when earlier jobs were measured.
    op.add_column("job", sa.Column("learner", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column("cell", sa.Column("details", postgresql.JSONB(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("cell", "details")
    op.drop_column("job", "learner")
