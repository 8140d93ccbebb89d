"""Give questions about datasets and schedules a queue of their own"""

from collections.abc import Sequence

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # The outbox holds what is not sent yet: little, and soon gone.
    op.drop_constraint(op.f("ck_outbox_queue"), "outbox", type_="check")
    op.create_check_constraint(op.f("ck_outbox_queue"), "outbox", "queue IN ('cpu','cuda','questions')")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_outbox_queue"), "outbox", type_="check")
    op.execute("UPDATE outbox SET queue = 'cpu' WHERE queue = 'questions'")
    op.create_check_constraint(op.f("ck_outbox_queue"), "outbox", "queue IN ('cpu','cuda')")
