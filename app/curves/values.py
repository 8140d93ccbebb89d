"""What a job's values themselves give reason to doubt."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.db.tables import Job
from sufficiency.answers import values
from sufficiency.answers.gaps import Gap, gaps_warning
from sufficiency.answers.values import Spread
from sufficiency.schemas.spec import MetricSpec


def value_warnings(job: Job, spreads: Iterable[Spread], gaps: Sequence[Gap] = ()) -> list[dict[str, Any]]:
    """Return what a job could not measure, and what gives reason to doubt the values that it has.

    Parameters
    ----------
    gaps : sequence of Gap
        The cells that could not be measured.
    """
    missing = gaps_warning(gaps, job.cells_total)
    metrics = {name: MetricSpec.model_validate(spec) for name, spec in job.metrics.items()}
    found = values.value_warnings(spreads, job.cells_done, metrics, job.spec.get("metrics") or {})
    return [*([missing] if missing else []), *found]
