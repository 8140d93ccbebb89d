"""Give every job, dataset, webhook and forecast a project, and keep keys, members and an audit

What there is becomes the default project's, and so does what the version before writes. The names that were unique in
the whole database stay so until a second project is made (`app.access.projects`): the version before names these
constraints in its statements, and knows of one project only.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DEFAULT_PROJECT_ID = "00000000-0000-7000-8000-000000000001"
OWNED = {"job": "idempotency_key", "dataset": "name", "webhook": "url"}


def upgrade() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.execute(f"INSERT INTO project (id, name) VALUES ('{DEFAULT_PROJECT_ID}', 'default')")
    for table in ("job", "dataset", "webhook", "forecast"):
        op.add_column(
            table,
            sa.Column("project_id", sa.Uuid(), server_default=sa.text(f"'{DEFAULT_PROJECT_ID}'::uuid"), nullable=False),
        )
        # Writers wait for these: a moment, there being few rows of any of the four.
        op.create_foreign_key(op.f(f"fk_{table}_project_id"), table, "project", ["project_id"], ["id"])
    for table, unique in OWNED.items():
        op.create_unique_constraint(op.f(f"uq_{table}_project_id_{unique}"), table, ["project_id", unique])
    op.create_index(op.f("ix_job_project_id_id"), "job", ["project_id", "id"])
    op.create_table(
        "member",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('read','write','admin')", name=op.f("ck_member_role")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_member_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", "subject", name=op.f("pk_member")),
    )
    op.create_index(op.f("ix_member_subject"), "member", ["subject"])
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('read','write','admin')", name=op.f("ck_api_key_scope")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_api_key_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_key_hash")),
    )
    op.create_index(op.f("ix_api_key_project_id_id"), "api_key", ["project_id", "id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_project_id"), "audit", ["project", "id"])
    op.execute(
        "CREATE FUNCTION audit_stands() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_stands()"
    )


def downgrade() -> None:
    # Code that knows of no projects would show everybody all of them: only the default one's stays.
    for table in ("forecast", "job", "dataset", "webhook"):
        op.execute(f"DELETE FROM {table} WHERE project_id <> '{DEFAULT_PROJECT_ID}'")
    op.drop_table("audit")
    op.execute("DROP FUNCTION audit_stands()")
    op.drop_table("api_key")
    op.drop_table("member")
    op.drop_index(op.f("ix_job_project_id_id"), table_name="job")
    for table, unique in OWNED.items():
        op.drop_constraint(op.f(f"uq_{table}_project_id_{unique}"), table, type_="unique")
        op.drop_column(table, "project_id")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS uq_{table}_{unique}")
        op.create_unique_constraint(op.f(f"uq_{table}_{unique}"), table, [unique])
    op.drop_column("forecast", "project_id")
    op.drop_table("project")
