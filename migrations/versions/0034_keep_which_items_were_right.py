"""Keep which items of the test split a cell's model was right about."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "item_marks",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("items >= 1 AND octet_length(bits) = (items + 7) / 8", name=op.f("ck_item_marks_bits")),
        sa.ForeignKeyConstraint(
            ["job_id", "run", "step"], ["cell.job_id", "cell.run", "cell.step"], name="fk_cell", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "run", "step", "metric", name="pk_item_marks"),
    )


def downgrade() -> None:
    op.drop_table("item_marks")
