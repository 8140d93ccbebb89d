"""Alembic's entry: connects to the database that it was told, one migrator at a time."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from app.db.tables import Base
from app.settings import get_settings

LOCK_WAIT_SECONDS = 3
MIGRATION_LOCK = 0x5F_FF_1C_1E_4C_16

url = context.config.attributes.get("database_url") or get_settings().database_url
# Without a pool the connection ends with the block, also when a migration fails: the lock is its session's.
engine = create_engine(url, poolclass=NullPool)
with engine.connect() as connection:
    # Two replicas that start together must not both create the tables.
    connection.execute(text("SELECT pg_advisory_lock(:key)").bindparams(key=MIGRATION_LOCK))
    # Behind a lock that waits for a long reader, such as a backup, everybody else would wait too: rather try again.
    connection.execute(text(f"SET lock_timeout = '{LOCK_WAIT_SECONDS}s'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,  # so that none keeps its locks while the next one works
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
