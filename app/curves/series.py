"""What a job has measured, read from the database for the answers."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, tuple_
from sqlalchemy.orm import Session

from app.curves.kinks import dataset_info, met_on
from app.db.tables import Cell, ItemMarks, Job, Measurement
from sufficiency.answers.gaps import Gap
from sufficiency.answers.measured import CellValue
from sufficiency.answers.primary import asked_of
from sufficiency.answers.study import Study, sizes_drawn_from
from sufficiency.method.measurements import Row, Series, series_from_rows
from sufficiency.schemas import work
from sufficiency.schemas.spec import MetricSpec

# Run, step, metric and class index: the order of measurements.
CellKey = tuple[int, int, str, int]

_OF_CELL = (Measurement.job_id == Cell.job_id) & (Measurement.run == Cell.run) & (Measurement.step == Cell.step)


# A cell that could not be measured. The version before measures such a one, and leaves the error.
GIVEN_UP = and_(Cell.error.is_not(None), Cell.finished_at.is_(None))


def gaps_of(session: Session, job: Job) -> list[Gap]:
    """Return the cells of a job that could not be measured, and why, by size and run."""
    if not job.cells_not_measurable:
        return []
    rows = session.execute(
        select(Cell.run, Cell.step, Cell.n, Cell.error)
        .where(Cell.job_id == job.id, GIVEN_UP)
        .order_by(Cell.n, Cell.run, Cell.step)
    )
    return [Gap(run, step, n, error or {}) for run, step, n, error in rows]


def study_of(session: Session, job: Job) -> Study:
    """Return what answers take of a job beside its values."""
    info = dataset_info(session, job)
    test = info.get("test") or {}
    return Study(
        id=job.id,
        state=job.state,
        model=job.spec["model"]["name"],
        dataset=job.spec["dataset"],
        cells_done=job.cells_done,
        cells_total=job.cells_total,
        cells_reused=job.cells_reused,
        metrics=_metric_specs(job),
        class_names=[str(name) for name in info.get("class_names") or []],
        steps=job.steps or [],
        train_sizes=sizes_drawn_from(job.spec, info),
        test_size=test.get("size"),
        test_class_counts=test.get("class_counts") or [],
        test_unavoidable=info.get("test_unavoidable"),
        near_copies=info.get("near_copies"),
        gaps=gaps_of(session, job),
        subsets=_subsets(job),
        **asked_of(job.spec),
        doubts=info.get("warnings") or [],
        kinks=met_on(job.spec, job.learner, info),
        split=None if job.dataset_id is None else job.dataset_fingerprint,
    )


def _subsets(job: Job) -> tuple[Any, ...] | None:
    """Return what determines the items of a job's subsets; None where it was measured elsewhere."""
    if job.dataset_id is None:
        return None
    named = (job.spec[name] for name in ("seed", "protocol"))
    return (job.dataset_fingerprint, *named, job.spec.get("sampling") or 1)


def _metric_specs(job: Job) -> dict[str, MetricSpec]:
    """Return how each declared metric reads."""
    return {name: MetricSpec.model_validate(spec) for name, spec in job.metrics.items()}


def load_series(session: Session, job: Job) -> list[Series]:
    """Return what a job has measured so far, one series a metric and class."""
    rows = session.execute(
        select(Cell.run, Cell.step, Cell.n, Measurement.metric, Measurement.class_index, Measurement.value)
        .join(Measurement, _OF_CELL)
        .where(Cell.job_id == job.id)
        .order_by(Measurement.metric, Measurement.class_index, Cell.run, Cell.step)
    )
    measured: list[Row] = [(run, step, n, metric, k, value) for run, step, n, metric, k, value in rows]
    specs = _metric_specs(job)
    if job.state == "completed" and any(row[3] not in specs for row in measured):
        specs = _kept_specs(session, job, measured) | specs
    told = session.execute(
        select(Cell.step, Cell.details["test_sd"]).where(Cell.job_id == job.id, Cell.details.has_key("test_sd"))
    )
    return series_from_rows(measured, specs, [(step, errors) for step, errors in told])


def marks_of(session: Session, job_id: UUID) -> dict[str, dict[tuple[int, int], work.ItemMarks]]:
    """Return by metric which test items each training of a job was right about, by run and size."""
    rows = session.execute(
        select(ItemMarks.metric, ItemMarks.run, Cell.n, ItemMarks.items, ItemMarks.bits)
        .join(Cell, (ItemMarks.job_id == Cell.job_id) & (ItemMarks.run == Cell.run) & (ItemMarks.step == Cell.step))
        .where(ItemMarks.job_id == job_id)
    )
    found: dict[str, dict[tuple[int, int], work.ItemMarks]] = {}
    for metric, run, n, items, bits in rows:
        found.setdefault(metric, {})[run, n] = work.ItemMarks(items, b64encode(bits).decode("ascii"))
    return found


def _kept_specs(session: Session, job: Job, measured: Sequence[Row]) -> dict[str, MetricSpec]:
    """Return how the metrics of a completed job were read at completion, which its kept curves go by."""
    readings = session.scalar(select(Job.readings).where(Job.id == job.id))
    if readings is not None:
        return {
            one["metric"]: MetricSpec(direction=one["direction"], bounds=one["bounds"]) for one in readings["series"]
        }
    # Completed before readings were kept, when whatever its name told a metric was better the higher it was.
    inside: dict[str, bool] = {}
    for _, _, _, metric, _, value in measured:
        inside[metric] = inside.get(metric, True) and (value is None or 0 <= value <= 1)
    return {metric: MetricSpec(bounds=(0, 1) if within else (None, None)) for metric, within in inside.items()}


def cell_values(
    session: Session,
    job_id: UUID,
    metrics: Sequence[str] | None = None,
    *,
    after: CellKey | None = None,
    limit: int | None = None,
) -> list[CellValue]:
    """Return measurements by run, step, metric and class; of `metrics` only, where some are named."""
    order = (Measurement.run, Measurement.step, Measurement.metric, Measurement.class_index)
    statement = (
        select(
            Cell.run,
            Cell.step,
            Cell.n,
            Cell.n_unique,
            Measurement.metric,
            Measurement.class_index,
            Measurement.value,
            Cell.seconds,
            Cell.device,
            Cell.attempt,
            Cell.reused_from,
        )
        .join(Measurement, _OF_CELL)
        .where(Measurement.job_id == job_id)
        .order_by(*order)
        .limit(limit)
    )
    if metrics:
        statement = statement.where(Measurement.metric.in_(metrics))
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [CellValue(**row) for row in session.execute(statement).mappings()]
