"""Brings a database to the schema that this version of the code needs."""

from importlib.resources import files

from alembic import command
from alembic.config import Config


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the installed `migrations` package."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str) -> None:
    """Apply every migration that the database lacks; several processes may do so at once."""
    command.upgrade(alembic_config(database_url), "head")
