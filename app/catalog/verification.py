"""A dataset is read by a worker before jobs may be on it: asked for, claimed, and what came of it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from app.catalog.workers import LiveWorkers
from app.db.tables import Dataset, Job
from app.queue.celery import QUESTIONS
from app.queue.outbox import enqueue

# Reading needs no GPU: every worker can do it.
DEVICE = "cpu"


@dataclass(frozen=True)
class DatasetClaim:
    """A dataset to read and verify."""

    dataset_id: UUID
    train: dict[str, Any]
    test: dict[str, Any]


def ask_to_verify(session: Session, dataset: Dataset) -> None:
    """Have a worker read a dataset whose status says that it is to be verified."""
    dataset.sent_at = func.now()
    enqueue(session, "verify_dataset", dataset.id, QUESTIONS)


def claim_dataset(session: Session, dataset_id: UUID, most_tries: int = 10) -> DatasetClaim | None:
    """Return a dataset that waits to be verified. Two workers may verify the same one: they find the same.

    One that `most_tries` have begun to read, of whom none has said what it found, is invalid.
    """
    dataset = session.get(Dataset, dataset_id, with_for_update=True)
    if dataset is None or dataset.status != "verifying":
        return None
    if dataset.attempts >= most_tries:
        detail = (
            f"Workers began to read it {dataset.attempts} times, and none has said what it found: their logs tell why "
            "they ended. Then have it verified again."
        )
        error = {"code": "attempts_exhausted", "detail": detail, "where": {"phase": "dataset"}}
        dataset_invalid(session, dataset_id, error)
        return None
    dataset.attempts += 1
    dataset.sent_at = func.now()
    return DatasetClaim(dataset.id, dataset.train, dataset.test)


def keep_verifying(session: Session, dataset_ids: Collection[UUID]) -> set[UUID]:
    """Say that these datasets are being read, so that nobody asks for it again; return those that are to be read."""
    return set(
        session.scalars(
            update(Dataset)
            .where(Dataset.id.in_(dataset_ids), Dataset.status == "verifying")
            .values(sent_at=func.now())
            .returning(Dataset.id)
        )
    )


def dataset_ready(
    session: Session, dataset_id: UUID, info: dict[str, Any], fingerprint: str, preview: bytes | None = None
) -> None:
    """Record what a worker found in a dataset that is whole; jobs on what was there before keep that for themselves.

    `preview` is a PNG of some of its items.
    """
    # Jobs before the dataset, as everywhere.
    dataset = session.get(Dataset, dataset_id)
    if dataset is not None and dataset.status == "verifying" and dataset.info is not None:
        session.execute(
            update(Job)
            .where(Job.dataset_id == dataset_id, Job.dataset_fingerprint != fingerprint, Job.dataset_info.is_(None))
            .values(dataset_info=dataset.info)
        )
    session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.status == "verifying")
        .values(
            status="ready",
            info=info,
            fingerprint=fingerprint,
            preview=preview,
            verified_at=func.now(),
            error=None,
        )
    )


def dataset_invalid(session: Session, dataset_id: UUID, error: dict[str, Any]) -> None:
    """Record why a dataset cannot be used."""
    session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.status == "verifying")
        .values(status="invalid", error=error, verified_at=func.now())
    )


def why_verifying(dataset: Dataset, live: LiveWorkers) -> str:
    """Return what a dataset that is to be verified waits for."""
    needed = loaders(dataset)
    return live.why_waiting(needed, DEVICE) or "waiting for a worker to read it"


def loaders(dataset: Dataset) -> list[str]:
    """Return the plugins that read a dataset, as "kind:name"."""
    frozen = (dataset.train.get("features") or {}).get("model")
    models = {f"model:{frozen}"} if frozen else set()
    added = {f"dataset:{lot['loader']}" for lot in dataset.train.get("appended", ())}
    return sorted({f"dataset:{dataset.train['loader']}", f"dataset:{dataset.test['loader']}", *added, *models})
