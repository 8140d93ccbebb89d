"""Keep what a project may have, and who is signed in on the page"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "project",
        sa.Column(
            "quotas", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default="{}", nullable=False
        ),
    )
    op.create_table(
        "page_session",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=True),
        sa.Column("person", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("pending", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(key_hash, person, pending) = 1", name=op.f("ck_page_session_kind")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_page_session")),
    )
    op.create_index(op.f("ix_page_session_expires_at"), "page_session", ["expires_at"])


def downgrade() -> None:
    op.drop_table("page_session")
    op.drop_column("project", "quotas")
