"""Jobs whose cells are all measured, what was measured, and how more is asked of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.db.tables import Cell, Measurement
from tests.support.service import Service, power_law

STEPS = [10, 40, 160, 640, 1000]


def finished(service: Service, measure: Any = power_law, **changes: Any) -> str:
    job_id = str(service.submit(**{"schedule": STEPS, **changes})["id"])
    service.work(job_id, measure)
    return job_id


def completed(service: Service, **changes: Any) -> str:
    job_id: str = service.submit(**{"schedule": [20, 50, 100, 200, 400], **changes})["id"]
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}").json()["state"] == "completed"
    return job_id


def extend(service: Service, job_id: str, body: dict[str, Any], query: str = "", **headers: str) -> Any:
    return service.client.post(f"/jobs/{job_id}/extend{query}", json=body, headers=headers)


def values(service: Service, job_id: str) -> dict[tuple[int, int, str, int], tuple[float | None, Any]]:
    """Return every measurement with when its cell was recorded."""
    with service.database.transaction() as session:
        rows = session.execute(
            select(Measurement, Cell.finished_at)
            .join(Cell, (Cell.job_id == Measurement.job_id) & (Cell.run == Measurement.run)
                  & (Cell.step == Measurement.step))
            .where(Measurement.job_id == UUID(job_id))
        )  # fmt: skip
        return {(m.run, m.step, m.metric, m.class_index): (m.value, at) for m, at in rows}
