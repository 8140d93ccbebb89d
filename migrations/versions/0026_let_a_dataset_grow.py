"""Let a dataset grow: a version continues the one before"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A constant default: no row is written.
    op.add_column("dataset", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("dataset", sa.Column("continues_id", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_dataset_continues_id", "dataset", "dataset", ["continues_id"], ["id"])
    op.create_unique_constraint("uq_dataset_continues_id", "dataset", ["continues_id"])
    op.create_check_constraint("version", "dataset", "version >= 1 AND (version = 1) = (continues_id IS NULL)")


def downgrade() -> None:
    # Code that does not know of versions reads each as a dataset of its own, without what it appends: they go, with
    # the jobs on them, which can be measured again.
    op.execute("DELETE FROM job WHERE dataset_id IN (SELECT id FROM dataset WHERE version > 1)")
    op.execute("DELETE FROM dataset WHERE version > 1")
    op.drop_constraint("ck_dataset_version", "dataset")
    op.drop_constraint("uq_dataset_continues_id", "dataset")
    op.drop_constraint("fk_dataset_continues_id", "dataset")
    op.drop_column("dataset", "continues_id")
    op.drop_column("dataset", "version")
