"""The kinks of a job that are its learner's and not the data's: told when it is planned, minded when it is fitted."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job
from sufficiency.method.kinks.learner import Data, learner_of, with_params
from sufficiency.method.kinks.rules import Met, met_by


def known_learner(capabilities: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a model plugin's catalog entry tells of the learner that these parameters make; None for nothing."""
    known = capabilities.get("learner")
    if not isinstance(known, dict):
        return None
    return {**known, "components": with_params(known.get("components") or [], params)}


def dataset_info(session: Session, job: Job) -> dict[str, Any]:
    """Return what is in the data that a job measured."""
    if job.dataset_info or job.dataset_id is None:
        return job.dataset_info or {}
    dataset = session.get(Dataset, job.dataset_id)
    return (dataset.info if dataset is not None else None) or {}


def met_on(spec: Mapping[str, Any], known: Mapping[str, Any] | None, info: Mapping[str, Any]) -> list[Met]:
    """Return what of the table a job meets at whatever size, on a dataset."""
    return met_by(learner_of(spec, known), Data.of(info))


def note_kinks(session: Session, job: Job) -> None:
    """Keep with a job whose steps are known the warnings of thresholds between them."""
    # Here, and not above: it brings NumPy, which a worker that waits for work need not hold.
    from sufficiency.method.kinks.between import CODE, warnings_between

    met = met_on(job.spec, job.learner, dataset_info(session, job))
    others = [warning for warning in job.warnings or [] if warning.get("code") != CODE]
    job.warnings = [*others, *warnings_between(met, job.steps or [])]
