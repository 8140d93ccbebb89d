"""Whose turn it is: the unit that a worker takes next, of all that wait.

The project first that has had least of the slots for its weight; of that the most urgent job; among jobs of one
priority the one that has had least (`app.jobs.turns`). Of a job the unit with the lowest ordinal, which gives a whole
curve early, until the largest that waits must begin if it is not to be the last to end. What a worker is not able to
run it passes over: that stays for others, in its place.
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
        {next}
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
_DUE = "unit.job_id = job.id AND unit.state = 'queued' AND (unit.not_before IS NULL OR unit.not_before <= now())"
_ANY = f"SELECT id FROM unit WHERE {_DUE} ORDER BY unit.ordinal"
# In the job's own order while there is so much to do beside the largest unit that the slots at work on the job, and
# this one, can go on for as long as that takes; from then on the largest first, so that they end together.
_IN_ORDER = f"""
        SELECT id
        FROM (SELECT id, ordinal, work, max(work) OVER () AS largest, sum(work) OVER () AS left FROM unit WHERE {_DUE})
            AS waiting,
            (SELECT count(*) + 1 AS slots FROM unit WHERE unit.job_id = job.id AND unit.state = 'leased') AS at_work
        ORDER BY CASE WHEN largest * slots >= waiting.left THEN work END DESC NULLS LAST, ordinal
"""
_BY_SIZE = f"SELECT id FROM unit WHERE {_DUE} ORDER BY unit.work {{way}}, unit.ordinal"
# Of each project its first jobs, and of these those of who has had least. What projects have had is compared among
# those of a device, and of two devices the first ones come first.
_JOBS = text(
    f"""
    SELECT id
    FROM (
        SELECT job.*, row_number() OVER (
            PARTITION BY share.device ORDER BY share.turn, job.priority DESC, job.turn, job.queued_at, job.id
        ) AS place
        FROM share CROSS JOIN LATERAL (
            SELECT job.id, job.priority, job.turn, job.queued_at {_TEMPLATE.format(next=_ANY)}
              AND job.project_id = share.project_id AND job.device = share.device
            ORDER BY job.priority DESC, job.turn, job.queued_at, job.id
            LIMIT :candidates
        ) AS job
        WHERE share.device = ANY (CAST(:queues AS text[]))
    ) AS first
    ORDER BY place, priority DESC, queued_at, id
    LIMIT :candidates
    """
)
_NEXT, _LEAST, _MOST = (
    text(f"SELECT next.id {_TEMPLATE.format(next=way)} AND job.id = :job_id")
    for way in (_IN_ORDER, _BY_SIZE.format(way="ASC"), _BY_SIZE.format(way="DESC"))
)


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

    Where cells have failed and none is measured yet, it is one of the largest and one of the smallest cells by turns:
    what can be measured at neither end cannot be measured at all (`method.hope`).
    """
    statement = _NEXT
    if job.cells_not_measurable and not job.cells_done:
        statement = _MOST if job.cells_not_measurable % 2 else _LEAST
    unit_id: UUID | None = session.scalar(statement, {"job_id": job.id, **_offer(worker)})
    return unit_id


def _offer(worker: Worker) -> dict[str, object]:
    return {"plugins": list(worker.plugins), "versions": json.dumps(worker.versions)}
