"""What every answer from the curves says of itself, before it answers."""

from typing import TypedDict
from uuid import UUID

from sufficiency.answers.study import FittedStudy
from sufficiency.method.measurements import Reading
from sufficiency.schemas.words import Method


class Heading(TypedDict):
    """The fields of `Answer` that are of the study, and not of the question."""

    job_id: UUID
    method: Method
    method_version: int
    level: float
    n_observed: int
    provisional: bool


def heading(fitted: FittedStudy[Reading], level: float) -> Heading:
    """Return by which curves an answer is given, and how far what was measured reaches."""
    return {
        "job_id": fitted.study.id,
        "method": fitted.method,
        "method_version": fitted.method_version,
        "level": level,
        "n_observed": fitted.n_observed,
        "provisional": fitted.study.provisional,
    }
