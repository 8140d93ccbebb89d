"""Let a job be without a dataset: its values were measured elsewhere"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.alter_column("job", "dataset_id", nullable=True)  # the catalog alone changes: no row is read


def downgrade() -> None:
    # Code that does not know of such jobs cannot show them; what was handed in can be handed in again.
    op.execute("DELETE FROM job WHERE dataset_id IS NULL")
    op.alter_column("job", "dataset_id", nullable=False)
