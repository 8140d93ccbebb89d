"""Brings a database to the schema that this version of the code needs."""

import logging
import time
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

LOCK_TURNS, LOCK_PAUSE_SECONDS = 40, 2.0

logger = logging.getLogger(__name__)


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
    """Apply every migration that the database lacks; several processes may do so at once.

    A table that somebody holds, such as a backup, is waited for in short turns, so that others get theirs in between.

    Raises
    ------
    OperationalError
        When a table is still held after all of them.
    """
    for turn in reversed(range(LOCK_TURNS)):
        try:
            command.upgrade(alembic_config(database_url), "head")
            return
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not turn:
                raise
            logger.warning("a table is held by somebody, such as a backup; trying again")
            time.sleep(LOCK_PAUSE_SECONDS)
