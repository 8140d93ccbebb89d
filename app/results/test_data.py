"""Whether jobs were evaluated on the same items: what differs between them may else be their test splits'."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job


def other_test_data(session: Session, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return a warning for each job that was evaluated on other items than the first, or on nobody knows which.

    All versions of a dataset have one test split.
    """
    ids = {job.dataset_id for job in jobs if job.dataset_id is not None}
    found = session.scalars(select(Dataset).where(Dataset.id.in_(ids)))
    tests: dict[UUID | None, dict[str, Any]] = {dataset.id: dataset.test for dataset in found}
    first = jobs[0]
    return [
        {"code": "other_test_data", "job_id": str(job.id), "detail": detail}
        for job in jobs[1:]
        if (detail := _difference(first, job, tests)) is not None
    ]


def _difference(first: Job, job: Job, tests: dict[UUID | None, dict[str, Any]]) -> str | None:
    if first.dataset_id is None or job.dataset_id is None:
        return (
            f"Of {job.spec['dataset']} and {first.spec['dataset']} one was measured elsewhere: whether on the same "
            "test items is not known. If not, a difference between the jobs may be one between their test splits."
        )
    if first.dataset_fingerprint == job.dataset_fingerprint or tests.get(first.dataset_id) == tests.get(job.dataset_id):
        return None
    return (
        f"The jobs were evaluated on different test data: one on {first.spec['dataset']}'s, the other on "
        f"{job.spec['dataset']}'s. What differs between them may be the test splits, and not the models."
    )
