"""Brings a database to the schema that this version of the code needs."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the installed `migrations` package."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["database_url"] = database_url
    return config


def newest_revision() -> str:
    """Return the revision of the schema that this version of the code needs."""
    head = ScriptDirectory(str(files("migrations"))).get_current_head()
    assert head is not None
    return head


def upgrade(database_url: str) -> None:
    """Apply every migration that the database lacks; several processes may do so at once."""
    command.upgrade(alembic_config(database_url), "head")
