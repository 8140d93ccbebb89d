"""Count the slots of a worker that read a dataset or ask a schedule"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("worker", sa.Column("asked", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("worker", "asked")
