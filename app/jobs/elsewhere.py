"""Jobs whose values were measured elsewhere and are handed in: they are completed when they are made."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db.tables import Cell, Job, Measurement
from app.errors import Conflict, Invalid, field_error, pointer
from app.jobs import repository
from app.jobs.ending import complete
from app.jobs.preparing import invalid, too_many
from app.settings import Settings
from sufficiency.answers.elsewhere import Arranged, Disarranged, arranged
from sufficiency.schemas.measured import ELSEWHERE
from sufficiency.schemas.spec import JobSpec

_BATCH = 5_000


def arrange(spec: JobSpec, settings: Settings) -> Arranged:
    """Return the cells of what was measured elsewhere.

    Raises
    ------
    Invalid
        With every value that does not fit the others.
    """
    assert spec.measured is not None
    try:
        cells = arranged(spec.measured)
    except Disarranged as error:
        raise invalid(
            [field_error(pointer("measured", "values", number, field), what) for number, field, what in error.faults]
        ) from error
    if problem := too_many(cells.runs, len(cells.steps), settings):
        raise Invalid(problem, errors=[field_error(pointer("measured", "values"), problem)])
    named = {metric for of in cells.cells.values() for metric, _, _ in of}
    if unknown := sorted(set(spec.metrics) - named):
        raise invalid([field_error(pointer("metrics", name), "no value of such a metric is given") for name in unknown])
    return cells


def as_kept(spec: JobSpec, cells: Arranged) -> JobSpec:
    """Return the spec of such a job as it is kept: its values are with its cells."""
    told: dict[str, Any] = {"measured": None, "runs": cells.runs, "schedule": cells.steps, "device": "cpu"}
    return spec.model_copy(update=told)


def insert_measured(
    session: Session,
    spec: JobSpec,
    cells: Arranged,
    called: Mapping[str, str],
    idempotency_key: str | None,
    body_hash: str | None,
) -> Job | None:
    """Write a job with its values, and complete it; None when its idempotency key is taken."""
    assert spec.measured is not None
    measured, kept = spec.measured, as_kept(spec, cells)
    counts = measured.test_class_counts or []
    size = measured.test_size or sum(counts) or None
    origin = f" ({measured.source})" if measured.source else ""
    detail = f"Its values were measured elsewhere and handed in{origin}; how, is not known here."
    items = sum(cells.steps[step] for _, step in cells.cells)
    job = repository.insert_job(
        session,
        {
            "spec": kept.model_dump(mode="json"),
            "dataset_id": None,
            "dataset_fingerprint": "",
            "dataset_info": {
                "elsewhere": {"source": measured.source},
                "class_names": cells.class_names,
                **({"test": {"size": size, "class_counts": counts}} if size else {}),
            },
            "plugin_versions": {},
            "metrics": {name: metric.model_dump(mode="json") for name, metric in spec.metrics.items()},
            "device": "cpu",
            "labels": spec.labels,
            **called,
            "priority": spec.priority,
            "idempotency_key": idempotency_key,
            "body_hash": body_hash,
            "steps": cells.steps,
            "cells_total": len(cells.cells),
            "cells_done": len(cells.cells),
            "work_total": items,
            "work_done": items,
            "warnings": [{"code": "measured_elsewhere", "metric": None, "class": None, "detail": detail}],
        },
    )
    if job is None:
        return None
    job.started_at = job.created_at
    session.flush()
    _insert(
        session,
        Cell,
        [
            {
                "job_id": job.id,
                "run": run,
                "step": step,
                "n": cells.steps[step],
                "n_unique": cells.steps[step],
                "seconds": 0.0,
                "device": ELSEWHERE,
                "attempt": 1,
                "finished_at": job.created_at,
            }
            for run, step in cells.cells
        ],
    )
    _insert(
        session,
        Measurement,
        [
            {"job_id": job.id, "run": run, "step": step, "metric": metric, "class_index": index, "value": value}
            for (run, step), of in cells.cells.items()
            for metric, index, value in of
        ],
    )
    session.refresh(job)
    complete(session, job)
    return job


def require_measured_here(job: Job) -> None:
    """Refuse to measure what only somebody else can.

    Raises
    ------
    Conflict
    """
    if job.dataset_id is None:
        detail = (
            "The job's values were measured elsewhere and handed in: there is nothing here to measure more with. Hand "
            "them in anew, with what there is besides."
        )
        raise Conflict(detail, code="measured_elsewhere")


def _insert(session: Session, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(table), rows[start : start + _BATCH])
