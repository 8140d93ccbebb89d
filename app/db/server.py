"""Which PostgreSQL the tables need: for those too who start one and know nothing of tables."""

POSTGRES_MAJOR = 18  # the tables use uuidv7()
