"""Keep by what a cell is known again, and from which job one was taken over."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("job", sa.Column("identity", sa.Text(), nullable=True))
    for name, kind in (
        ("cells_reused", sa.BigInteger()),
        ("work_reused", sa.BigInteger()),
        ("seconds_saved", sa.Double()),
    ):
        op.add_column("job", sa.Column(name, kind, server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_job_reused"), "job", "cells_reused >= 0 AND work_reused >= 0 AND seconds_saved >= 0"
    )
    op.add_column("cell", sa.Column("key", sa.Text(), nullable=True))
    op.add_column("cell", sa.Column("reused_from", sa.Uuid(), nullable=True))
    op.create_index("ix_cell_key", "cell", ["key"], postgresql_where=sa.text("key IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_cell_key", table_name="cell")
    for column in ("reused_from", "key"):
        op.drop_column("cell", column)
    op.drop_constraint(op.f("ck_job_reused"), "job", type_="check")
    for column in ("seconds_saved", "work_reused", "cells_reused", "identity"):
        op.drop_column("job", column)
