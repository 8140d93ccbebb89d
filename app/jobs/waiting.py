"""What a job needs of the workers, and what it waits for while it does not get that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalog import service as catalog
from app.db.tables import Dataset, Job
from app.jobs import repository
from app.queue.outbox import overdue_seconds
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
    return named + catalog.loaders(dataset)


@dataclass(frozen=True)
class Waiting:
    """Why jobs wait.

    Attributes
    ----------
    live : LiveWorkers
    datasets : mapping
        Those of the jobs, by id.
    unsent : float
        Seconds for which a message has waited for the broker.
    """

    live: catalog.LiveWorkers
    datasets: Mapping[UUID, Dataset]
    unsent: float

    @classmethod
    def of(cls, session: Session, jobs: Sequence[Job], settings: Settings) -> "Waiting":
        """Look around for what the jobs may wait for."""
        return cls(
            catalog.live_workers(session, settings),
            repository.datasets_of(session, jobs),
            overdue_seconds(session),
        )

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
            return [f"schedule:{spec.schedule.name}"], "cpu", catalog.NO_VERSIONS
        needed = needed_plugins(spec, self.datasets[job.dataset_id], planned=True)
        return needed, job.device, binding_versions(job) if job.cells_done else catalog.NO_VERSIONS


def binding_versions(job: Job) -> dict[str, str]:
    """Return the versions that all cells of a job must be measured with: a schedule measures nothing."""
    return {plugin: v for plugin, v in job.plugin_versions.items() if not plugin.startswith("schedule:")}
