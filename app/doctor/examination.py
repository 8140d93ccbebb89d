"""The examination: every check, one after the other."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import WHEN_AWAY, Database, reason_of
from app.doctor import access, records, work
from app.doctor import database as of_database
from app.doctor.database import schema
from app.doctor.findings import Check, Finding
from app.doctor.machine import examine_machine
from app.doctor.servers import examine_api, examine_broker
from app.settings import Settings

CHECKS: dict[str, Check] = {**of_database.CHECKS, **work.CHECKS, **records.CHECKS, **access.CHECKS}


def examine(settings: Settings, disk: Path) -> list[Finding]:
    """Return what there is to say about the service that the settings lead to.

    Parameters
    ----------
    disk : Path
        Where on this machine there must be room.
    """
    findings = [*examine_machine(settings, disk)]
    database = Database(settings.database_url, pool_size=1)
    try:
        findings += _within(database, settings, "database", schema)
        if findings[-1].level == "ok":
            for name, check in CHECKS.items():
                findings += _within(database, settings, name, check)
    finally:
        database.dispose()
    return [*findings, *examine_broker(settings), *examine_api(settings), *access.examine_access(settings)]


def _within(database: Database, settings: Settings, name: str, check: Check) -> list[Finding]:
    try:
        with database.transaction() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(text("SET LOCAL statement_timeout = '60s'"))
            return list(check(session, settings))
    except SQLAlchemyError as error:
        return [
            Finding(
                name,
                "wrong",
                f"the database does not answer: {reason_of(error)}",
                f"{WHEN_AWAY} SUFFICIENCY_DATABASE_URL",
            )
        ]
