"""Which version of a job an answer is of: it changes with whatever an answer is made of, and never comes back."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Which transaction wrote the job's row last, in which every cell is counted and every move noted, and where the row
# lies, since a transaction may write it twice; and the same of its dataset's. The number of the last event is with it
# because PostgreSQL counts transactions to four thousand million and begins anew.
COLUMNS = "job.xmin::text || job.ctid::text, job.event_seq, dataset.xmin::text || dataset.ctid::text"
TABLES = "job LEFT JOIN dataset ON dataset.id = job.dataset_id"

Version = tuple[str, int, str | None]

_OF_ONE = text(f"SELECT {COLUMNS} FROM {TABLES} WHERE job.id = :id")


def version_of(session: Session, job_id: UUID) -> Version:
    """Return the version of a job that a transaction sees."""
    written, events, of_dataset = session.execute(_OF_ONE, {"id": job_id}).one()
    return written, events, of_dataset
