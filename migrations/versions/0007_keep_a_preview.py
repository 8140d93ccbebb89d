"""Keep a picture of a dataset's items"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Nullable: datasets that were verified before have none, and those that are no images never will.
    op.add_column("dataset", sa.Column("preview", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("dataset", "preview")
