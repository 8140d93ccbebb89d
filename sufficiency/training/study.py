"""What a job names, built: splits, strategies, and models by the piece."""

from functools import partial

from sufficiency.method.sampling import study_seed
from sufficiency.schemas.spec import JobSpec
from sufficiency.training.build import build
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.splits import Splits


class JobStudy:
    """What a job's cells have in common, as `unit.Study` wants it.

    Parameters
    ----------
    registry : Registry
        Where the plugins are found.
    spec : JobSpec
        What names them.
    splits : Splits
        Of the job's dataset.

    Raises
    ------
    Fault
        When one of them is not there, or does not take its parameters.
    """

    def __init__(self, registry: Registry, spec: JobSpec, splits: Splits) -> None:
        # A strategy may draw numbers when it is built: they must not be the ones that follow somebody else's.
        seed_everything(study_seed(spec.seed))
        self.train, self.test = splits.train, splits.test
        self.labels = splits.labels
        refs = {"model": spec.model, "training": spec.training, "evaluation": spec.evaluation, "reset": spec.reset}
        self.names = {kind: f"{kind}:{ref.name}" for kind, ref in refs.items() if ref is not None}
        built = partial(build, registry, context=splits.context)
        self.model = partial(built, "model", spec.model)
        self.training = built("training", spec.training)
        self.evaluation = built("evaluation", spec.evaluation)
        self.reset = built("reset", spec.reset) if spec.reset is not None else None
