"""Validate the constraints of 0003

A transaction of its own: validating reads every row, and must not do so under the lock that adding took.
"""

from collections.abc import Sequence

from alembic import op

from migrations.constraints import CHECKS

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE cell VALIDATE CONSTRAINT fk_cell_unit")
    for table, name, _ in CHECKS:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def downgrade() -> None:
    pass  # a validated constraint serves code of before as well
