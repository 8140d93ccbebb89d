"""Let jobs be extended and pruned, and forbid what must never be

Code of before survives this: columns are added with defaults, one column loses its NOT NULL, and the new constraints
say what that code keeps anyway. They are NOT VALID here, which holds for every new row at once and reads no old one;
the next migration validates them without keeping anybody from writing.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.constraints import CHECKS

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("job", sa.Column("deaths", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("job", sa.Column("dataset_info", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("worker", sa.Column("versions", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_table(
        "extension",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_extension_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "idempotency_key", name=op.f("pk_extension")),
    )
    op.create_unique_constraint(op.f("uq_unit_id_job_id"), "unit", ["id", "job_id"])
    op.alter_column("cell", "unit_id", existing_type=sa.Uuid(), nullable=True)
    op.create_foreign_key(
        "fk_cell_unit",
        "cell",
        "unit",
        ["unit_id", "job_id"],
        ["id", "job_id"],
        ondelete="SET NULL (unit_id)",
        postgresql_not_valid=True,
    )
    # The old one would take the measurements along with their unit.
    op.drop_constraint(op.f("fk_cell_unit_id"), "cell", type_="foreignkey")
    for table, name, condition in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition, postgresql_not_valid=True)


def downgrade() -> None:
    for table, name, _ in reversed(CHECKS):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    # Fails where units have been pruned: code of before needs one for every cell.
    op.alter_column("cell", "unit_id", existing_type=sa.Uuid(), nullable=False)
    op.create_foreign_key(op.f("fk_cell_unit_id"), "cell", "unit", ["unit_id"], ["id"], ondelete="CASCADE")
    op.drop_constraint("fk_cell_unit", "cell", type_="foreignkey")
    op.drop_constraint(op.f("uq_unit_id_job_id"), "unit", type_="unique")
    op.drop_table("extension")
    op.drop_column("worker", "versions")
    op.drop_column("job", "dataset_info")
    op.drop_column("job", "deaths")
