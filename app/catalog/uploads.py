"""Which files were sent: whose they are, how large, and what is read from them."""

import logging
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalog import upload_files
from app.db.engine import Database
from app.db.owning import made
from app.db.tables import Dataset, Upload
from app.errors import Conflict, Invalid, NotFound

logger = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
# A file comes to its place a moment before it is known.
LONGEST_MOMENT = timedelta(hours=1)


def find_uploads(session: Session, *, after: str | None, limit: int) -> list[Upload]:
    """Return the files by name."""
    statement = select(Upload).order_by(Upload.name).limit(limit)
    return list(session.scalars(statement.where(Upload.name > after) if after is not None else statement))


def find_upload(session: Session, name: str) -> Upload | None:
    """Return the file of that name, or None."""
    return session.scalar(select(Upload).where(Upload.name == name))


def taken(name: str) -> Conflict:
    """Return the problem of a name that another file has."""
    return Conflict(
        f"There is a file {name!r} already, with other content. Choose another name, or delete it first: what reads it "
        "would else read something else.",
        code="upload_exists",
    )


def insert_upload(session: Session, upload_id: UUID, name: str, kind: str, size: int, sha256: str) -> Upload:
    """Make a file known that has come to its place.

    Raises
    ------
    Conflict
        When another one of that name was known first.
    """
    values = {"id": upload_id, "name": name, "kind": kind, "bytes": size, "sha256": sha256}
    upload: Upload | None = session.scalar(insert(Upload).values(**values).on_conflict_do_nothing().returning(Upload))
    if upload is None:
        raise taken(name)
    made(session, "upload", name)
    return upload


def delete_upload(session: Session, name: str) -> UUID:
    """Forget a file that no dataset is read from, and return its id.

    Raises
    ------
    NotFound, Conflict
    """
    upload = session.scalar(select(Upload).where(Upload.name == name).with_for_update())
    if upload is None:
        raise NotFound(f"There is no file {name!r}; GET /uploads lists them.", code="upload_not_found")
    mark = str(upload.id)
    reads_it = or_(*(func.strpos(cast(split, Text), mark) > 0 for split in (Dataset.train, Dataset.test)))
    reader = session.scalar(select(Dataset.name).where(reads_it).order_by(Dataset.name).limit(1))
    if reader is not None:
        raise Conflict(f"Dataset {reader!r} is read from {name!r}: delete it first.", code="upload_in_use")
    session.delete(upload)
    session.flush()
    return upload.id


def require_own(session: Session, folder: Path | None, asked: BaseModel) -> None:
    """Refuse to read a file that another project has sent, as one that is not there.

    Raises
    ------
    Invalid
    """
    if folder is None:
        return
    named = {UUID(text) for text in _ID.findall(asked.model_dump_json())}
    there = {one for one in named if (folder / str(one)).is_dir()}
    own = set(session.scalars(select(Upload.id).where(Upload.id.in_(there)))) if there else set()
    if others := sorted(map(str, there - own)):
        raise Invalid(f"{others[0]!r} is no file that was sent to this project; GET /uploads lists them.")


def tidy(database: Database, folder: Path) -> int:
    """Remove what is left of files that never came in whole, or that are no longer known; return how many."""
    there = upload_files.left_behind(folder)
    if not there:
        return 0
    with database.transaction() as session:
        known = set(session.scalars(select(Upload.id).where(Upload.id.in_(there))))
        # By the database's clock, and the moment in the id: a version 7 UUID begins with its milliseconds.
        now = session.scalar(select(func.extract("epoch", func.clock_timestamp())))
    oldest = (float(now or 0.0) - LONGEST_MOMENT.total_seconds()) * 1000
    gone = [one for one in there if one not in known and one.int >> 80 < oldest]
    for one in gone:
        upload_files.forget(folder, one)
    if gone:
        logger.info("removed %d files that nobody knows", len(gone))
    return len(gone)
