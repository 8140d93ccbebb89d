"""What a job needs of the workers, and what it waits for while it does not get that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalog import service as catalog
from app.db.tables import Dataset, Job
from app.jobs import repository
from app.settings import Settings
from app.sufficiency.spec import JobSpec, PluginRef

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
    leases : mapping
        How many units each worker holds.
    unsent : float
        Seconds for which a message has waited for the broker.
    """

    live: catalog.LiveWorkers
    datasets: Mapping[UUID, Dataset]
    leases: Mapping[UUID, int]
    unsent: float

    @classmethod
    def of(cls, session: Session, jobs: Sequence[Job], settings: Settings) -> "Waiting":
        """Look around for what the jobs may wait for."""
        return cls(
            catalog.live_workers(session, settings),
            repository.datasets_of(session, jobs),
            repository.leases(session),
            repository.unsent_seconds(session),
        )

    def reason(self, job: Job) -> str | None:
        """Return what a job waits for; a running one waits only where no worker could take its next unit."""
        spec = JobSpec.model_validate(job.spec)
        if job.steps is None and isinstance(spec.schedule, PluginRef):
            needed, device, versions = [f"schedule:{spec.schedule.name}"], "cpu", catalog.NO_VERSIONS
        else:
            needed = needed_plugins(spec, self.datasets[job.dataset_id], planned=True)
            device, versions = job.device, binding_versions(job) if job.cells_done else catalog.NO_VERSIONS
        if (reason := self.live.why_waiting(needed, device, versions)) or job.state == "running":
            return reason
        able = self.live.able(needed, device, versions)
        slots = sum(worker.slots for worker in able)
        free = slots - sum(min(self.leases.get(worker.id, 0), worker.slots) for worker in able)
        if not free:
            busy = "the one that could take it is" if slots == 1 else f"all {slots} that could take it are"
            return f"waiting for a free slot: {busy} busy"
        if self.unsent > UNSENT_SECONDS:
            return f"waiting for the broker (Redis), which has taken no message for {self.unsent:.0f} s"
        if job.steps is None and isinstance(spec.schedule, PluginRef):
            return f"waiting for a worker to ask schedule {spec.schedule.name} for the steps"
        return f"waiting for a worker to take it: {free} of {slots} slots are free"


def binding_versions(job: Job) -> dict[str, str]:
    """Return the versions that all cells of a job must be measured with: a schedule measures nothing."""
    return {plugin: v for plugin, v in job.plugin_versions.items() if not plugin.startswith("schedule:")}
