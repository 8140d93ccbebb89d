"""What a job needs of the workers, and what it waits for while it does not get that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalog.verification import loaders
from app.catalog.workers import NO_VERSIONS, LiveWorkers, live_workers
from app.db.tables import Dataset, Job, Outbox, Unit
from app.jobs import repository
from app.queue.celery import ENOUGH
from app.settings import Settings
from sufficiency.schemas.spec import JobSpec, PluginRef

# A message reaches the broker in a fraction of this, if there is one.
UNSENT_SECONDS = 5.0


def references(spec: JobSpec) -> list[tuple[str, PluginRef]]:
    """Return the plugins of a job by the field that names them, which is their kind."""
    fields = {
        "model": spec.model,
        "training": spec.training,
        "evaluation": spec.evaluation,
        "reset": spec.reset,
        "schedule": spec.schedule,
    }
    return [(field, ref) for field, ref in fields.items() if isinstance(ref, PluginRef)]


def needed_plugins(spec: JobSpec, dataset: Dataset, *, planned: bool = False) -> list[str]:
    """Return the plugins that a job needs of a worker, as "kind:name".

    Parameters
    ----------
    planned : bool
        Its steps are known, so that a schedule has done its part.
    """
    named = [f"{field}:{ref.name}" for field, ref in references(spec) if not (planned and field == "schedule")]
    return named + loaders(dataset)


@dataclass(frozen=True)
class Waiting:
    """Why jobs wait.

    Attributes
    ----------
    live : LiveWorkers
    datasets : mapping
        Those of the jobs, by id.
    session : Session
        In which they were looked for.
    """

    live: LiveWorkers
    datasets: Mapping[UUID, Dataset]
    session: Session

    @classmethod
    def of(cls, session: Session, jobs: Sequence[Job], settings: Settings) -> "Waiting":
        """Look around for what the jobs may wait for."""
        return cls(live_workers(session, settings), repository.datasets_of(session, jobs), session)

    @cached_property
    def unsent(self) -> float:
        """Seconds for which a message has waited for the broker; nobody asks while jobs wait for something else."""
        return overdue_seconds(self.session)

    def blocked(self, job: Job) -> str | None:
        """Return what keeps every worker from a job's next unit, or None where one could take it."""
        return self.live.why_waiting(*self._needs(job))

    def slots(self, job: Job) -> tuple[int, int]:
        """Return how many slots there are that could take a job's next unit: those that are free, and all of them."""
        return self.live.slots(self.live.able(*self._needs(job)))

    def reason(self, job: Job) -> str | None:
        """Return what a job waits for; a running one waits only where no worker could take its next unit."""
        if (reason := self.blocked(job)) or job.state == "running":
            return reason
        if reason := self.live.why_no_slot(self.live.able(*self._needs(job))):
            return reason
        if self.unsent > UNSENT_SECONDS:
            return f"waiting for the broker (Redis), which has taken no message for {self.unsent:.0f} s"
        if job.steps is None:
            return f"waiting for a worker to ask schedule {job.spec['schedule']['name']} for the steps"
        free, every = self.slots(job)
        return f"waiting for a worker to take it: {free} of {every} slots are free"

    def _needs(self, job: Job) -> tuple[list[str], str, Mapping[str, str]]:
        """Return the plugins that a job's next step needs, the device, and the versions that the plugins must have."""
        spec = JobSpec.model_validate(job.spec)
        if job.steps is None and isinstance(spec.schedule, PluginRef):
            return [f"schedule:{spec.schedule.name}"], "cpu", NO_VERSIONS
        assert job.dataset_id is not None, "what was measured elsewhere waits for nothing"
        needed = needed_plugins(spec, self.datasets[job.dataset_id], planned=True)
        return needed, job.device, binding_versions(job) if job.cells_done else NO_VERSIONS


def binding_versions(job: Job) -> dict[str, str]:
    """Return the versions that all cells of a job must be measured with: a schedule measures nothing."""
    return {plugin: v for plugin, v in job.plugin_versions.items() if not plugin.startswith("schedule:")}


def overdue_seconds(session: Session) -> float:
    """Return for how long the broker has taken no message; 0 where none waits for it.

    Where as many units wait as the broker is given at a time, it may well have its fill: what waits behind is not late.
    """
    # By the index, and no more rows than tell: this is asked with every job that waits, also in a flood of them.
    since = func.extract("epoch", func.clock_timestamp() - Outbox.created_at)
    asked = select(Unit.id).where(Unit.state == "queued", Unit.sent_at.is_not(None)).limit(ENOUGH).subquery()
    sent = select(func.count()).select_from(asked).scalar_subquery()
    first = session.execute(select(since, sent).order_by(Outbox.id).limit(1)).one_or_none()
    return float(first[0]) if first is not None and first[1] < ENOUGH else 0.0
