"""Whether the rest of a job would be measured with what it was begun with: the same plugins on the same data.

What is measured is never mixed with what is not the same measurement; see docs/decisions/0007-what-may-be-reused.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.catalog.datasets import require_ready
from app.catalog.plugins import find_plugin
from app.catalog.versions import size_when_it_was
from app.catalog.workers import live_workers
from app.db.tables import Dataset, Job
from app.errors import Conflict
from app.jobs.waiting import binding_versions
from app.settings import Settings


@dataclass(frozen=True)
class Changed:
    """What is no longer as it was when a job was measured: a plugin's version, or the fingerprint of the data."""

    what: str
    measured_with: str
    now: str


def changes(session: Session, job: Job, dataset: Dataset, settings: Settings) -> list[Changed]:
    """Return what is not as it was when the job was measured: plugins as workers offer them, and the data."""
    info = require_ready(dataset)
    live = live_workers(session, settings)
    changed = []
    for name, version in binding_versions(job).items():
        kind, _, plugin = name.partition(":")
        offered = live.versions(name)
        if not offered or None in offered:
            stored = find_plugin(session, kind, plugin)
            offered = {stored.version if stored is not None else version}
        if version not in offered:
            changed.append(Changed(name, version, ", ".join(sorted(filter(None, offered)))))
    if dataset.fingerprint != job.dataset_fingerprint and grown_since(session, job, dataset) is None:
        now = f"{dataset.fingerprint} ({info['train']['size']} training items)"
        changed.append(Changed(f"dataset:{dataset.name}", job.dataset_fingerprint, now))
    return changed


def grown_since(session: Session, job: Job, dataset: Dataset) -> int | None:
    """Return how many training items a job's data had where `dataset` is a later version of them; None of any other.

    Its subsets go on in what was appended, in the order that they have. Under DataEval's protocol items are drawn from
    all that there are, so that no draw is the beginning of another.
    """
    if job.spec["protocol"] != "independent":
        return None
    return size_when_it_was(session, dataset, job.dataset_fingerprint)


def refuse_mixing(job: Job, changed: Sequence[Changed], anew: bool) -> None:
    """Refuse to measure the rest of a job with something else than what it was begun with.

    Raises
    ------
    Conflict
        Unless all is measured anew, or nothing is measured yet.
    """
    if not changed or anew or not job.cells_done:
        return
    on_data = changed[-1].what.startswith("dataset:")
    told = "; ".join(
        f"{one.what} has fingerprint {one.now}, and {one.measured_with} when the job was measured"
        if one.what.startswith("dataset:")
        else f"{one.what} is version {one.now}, and was {one.measured_with} when the job was measured"
        for one in changed
    )
    because = (
        " Subsets are drawn from the whole training split, so that no cell of other data is the same measurement; more "
        "of the same is a version of the dataset (POST /datasets/{name}/versions), to which a job is extended."
    )
    raise Conflict(
        f"The rest would be measured with something else than the {job.cells_done} cells that there are: {told}."
        f"{because if on_data else ''} Bring back what was there before; or submit a new job, and compare the two; or "
        f"ask again with start_anew=true, which drops the {job.cells_done} cells and measures all of it with what is "
        "there now.",
        code="dataset_changed" if on_data else "plugin_changed",
    )
