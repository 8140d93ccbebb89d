"""Extensions that would leave a job as it is."""

from collections.abc import Sequence

from app.db.tables import Job
from app.errors import FieldError, field_error, pointer
from sufficiency.schemas.jobs import NewExtension
from sufficiency.schemas.spec import JobSpec


def adds_nothing(job: Job, spec: JobSpec, steps: Sequence[int], wanted: NewExtension) -> list[FieldError]:
    """Return what is wrong with each field of an extension that asks for what the job has; nothing where it adds some.

    Parameters
    ----------
    job : Job
        Ended. One with cells left goes on with them, whatever it is asked for.
    spec : JobSpec
        As it would be.
    steps : sequence of int
        As they would be.
    wanted : NewExtension
    """
    left = job.cells_total - job.cells_done - job.cells_not_measurable
    if (
        job.state != "completed"
        or left
        or list(steps) != job.steps
        or _asked(spec) != _asked(JobSpec.model_validate(job.spec))
    ):
        return []
    more = "nothing would be measured; name more `runs` or larger `steps`"
    said = {
        "dataset": f"the job is on {spec.dataset} already, and has measured all its steps there: {more}, or append "
        "items to the dataset and name its new version",
        "plan": f"the job's plan is {wanted.plan} already: {more}",
        "stop_when": f"this is the job's question already: {more}, or another question",
        "budget": f"this is the job's budget already: {more}, or a larger budget",
    }
    return [field_error(pointer(name), detail) for name, detail in said.items() if getattr(wanted, name) is not None]


def _asked(spec: JobSpec) -> tuple[bool, JobSpec]:
    """Return what a spec asks for; no plan is a plan too."""
    return spec.is_adaptive, spec.model_copy(update={"plan": None})
