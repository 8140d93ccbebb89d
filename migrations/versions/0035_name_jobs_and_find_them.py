"""Give jobs names, notes and a result, let lists find them by a part of a word, and keep files that are sent"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Plain functions, and no extension: a database that is not ours may have none to give.
FUNCTIONS = (
    (
        "job_title(name text, spec jsonb) RETURNS text",
        "SELECT lower(coalesce(nullif(name, ''), (spec #>> '{model,name}') || ' on ' || (spec ->> 'dataset'), ''))",
    ),
    (
        "job_words(id uuid, name text, spec jsonb) RETURNS text",
        "SELECT lower(concat_ws(E'\\n', id::text, name, spec #>> '{model,name}', spec ->> 'dataset'))",
    ),
    (
        "job_value(result jsonb) RETURNS double precision",
        "SELECT (result ->> 'value')::double precision",
    ),
    # Every run of up to three characters, from `shortest` on: what holds a part of a word holds all runs of the part.
    (
        "grams(words text, shortest integer) RETURNS text[]",
        "SELECT coalesce(array_agg(DISTINCT substr(words, at, size)), '{}') FROM generate_series(shortest, 3) AS size, "
        "LATERAL generate_series(1, length(words) + 1 - size) AS at",
    ),
)


def upgrade() -> None:
    op.add_column("job", sa.Column("name", sa.Text(), server_default="", nullable=False))
    op.add_column("job", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("job", sa.Column("result", postgresql.JSONB(none_as_null=True), nullable=True))
    for signature, body in FUNCTIONS:
        op.execute(f"CREATE FUNCTION {signature} LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ {body} $$")
    op.create_index("ix_job_title", "job", ["project_id", sa.text("job_title(name, spec)"), "id"])
    op.create_index(
        "ix_job_finished",
        "job",
        ["project_id", "finished_at", "id"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_job_value",
        "job",
        ["project_id", sa.text("job_value(result)"), "id"],
        postgresql_where=sa.text("job_value(result) IS NOT NULL"),
    )
    op.create_index("ix_job_grams", "job", [sa.text("grams(job_words(id, name, spec), 1)")], postgresql_using="gin")
    op.create_index("ix_job_untold", "job", ["id"], postgresql_where=sa.text("state = 'completed' AND result IS NULL"))

    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "project_id",
            sa.Uuid(),
            server_default=sa.text("'00000000-0000-7000-8000-000000000001'::uuid"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('npz','parquet','table')", name=op.f("ck_upload_kind")),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_upload_bytes")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_upload_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_upload_project_id_name")),
    )


def downgrade() -> None:
    op.drop_table("upload")
    for index in ("ix_job_untold", "ix_job_grams", "ix_job_value", "ix_job_finished", "ix_job_title"):
        op.drop_index(index, table_name="job")
    for signature, _ in reversed(FUNCTIONS):
        name, _, arguments = signature.partition(" RETURNS ")[0].partition("(")
        kinds = ", ".join(one.split()[1] for one in arguments.rstrip(")").split(", "))
        op.execute(f"DROP FUNCTION {name}({kinds})")
    for column in ("result", "note", "name"):
        op.drop_column("job", column)
