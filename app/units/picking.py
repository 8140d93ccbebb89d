"""Whose turn it is: the unit that a worker takes next, of all that wait.

The most urgent job first; among jobs of one priority the one whose units have waited longest; of a job the unit with
the lowest ordinal. What a worker is not able to run it passes over: that stays for others, in its place.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tables import Job, Worker

# Several, so that who finds the first one taken need not ask again.
CANDIDATES = 8

# A job with a unit that is due, whose plugins the worker has. They must be of the versions that the job is measured
# with, once it is; a worker too old to tell is trusted, and a schedule measures nothing. The unit is looked for beside
# each job, and not among all that wait: so the first jobs in order are enough, however many there are behind them.
_TEMPLATE = """
    FROM job
    JOIN dataset ON dataset.id = job.dataset_id
    CROSS JOIN LATERAL (
        SELECT id FROM unit
        WHERE unit.job_id = job.id AND unit.state = 'queued' AND (unit.not_before IS NULL OR unit.not_before <= now())
        ORDER BY unit.ordinal {way}
        LIMIT 1
    ) AS next
    WHERE job.state IN ('queued', 'running')
      AND ARRAY['dataset:' || (dataset.train ->> 'loader'), 'dataset:' || (dataset.test ->> 'loader')]
          <@ CAST(:plugins AS text[])
      AND NOT EXISTS (
          SELECT FROM jsonb_each_text(job.plugin_versions) AS needed (plugin, version)
          WHERE needed.plugin NOT LIKE 'schedule:%'
            AND (
                needed.plugin <> ALL (CAST(:plugins AS text[]))
                OR coalesce(CAST(:versions AS jsonb) ->> needed.plugin, needed.version) <> needed.version
                AND (
                    job.cells_done > 0
                    OR EXISTS (SELECT FROM unit WHERE unit.job_id = job.id AND unit.state = 'leased')
                )
            )
      )
"""
_OPEN_TO_WORKER = _TEMPLATE.format(way="ASC")
_JOBS = text(
    f"""
    SELECT job.id
    FROM unnest(CAST(:queues AS text[])) AS queue (device)
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority, job.queued_at {_OPEN_TO_WORKER} AND job.device = queue.device
        ORDER BY job.priority DESC, job.queued_at, job.id
        LIMIT :candidates
    ) AS job
    ORDER BY job.priority DESC, job.queued_at, job.id
    LIMIT :candidates
    """
)
_FIRST, _LAST = (text(f"SELECT next.id {_TEMPLATE.format(way=way)} AND job.id = :job_id") for way in ("ASC", "DESC"))


def jobs_in_turn(session: Session, worker: Worker, queues: Sequence[str]) -> list[UUID]:
    """Return the first jobs, in order, that have a unit for a worker.

    Parameters
    ----------
    queues : sequence of {"cpu", "cuda"}
        Which devices' jobs it looks among.
    """
    asked = {"queues": list(queues), "candidates": CANDIDATES, **_offer(worker)}
    return list(session.scalars(_JOBS, asked))


def next_unit(session: Session, job: Job, worker: Worker) -> UUID | None:
    """Return the unit of a job that is the worker's to take, or None.

    Where cells have failed and none is measured yet, it is the last one, of the smallest cells: whether the plugin can
    do anything at all is cheapest to learn from the other end.
    """
    statement = _LAST if job.cells_not_measurable and not job.cells_done else _FIRST
    unit_id: UUID | None = session.scalar(statement, {"job_id": job.id, **_offer(worker)})
    return unit_id


def _offer(worker: Worker) -> dict[str, object]:
    return {"plugins": list(worker.plugins), "versions": json.dumps(worker.versions)}
