"""What a job names, built: splits, strategies, and models by the piece."""

from collections.abc import Sequence
from functools import partial

from sufficiency.method.kinks.learner import BUILT_IN_LOOPS
from sufficiency.method.sampling import study_seed
from sufficiency.schemas.spec import JobSpec, PluginRef
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
        self.class_names: Sequence[str] = splits.info.get("class_names") or ()
        refs = {"model": spec.model, "training": spec.training, "evaluation": spec.evaluation, "reset": spec.reset}
        self.names = {kind: f"{kind}:{ref.name}" for kind, ref in refs.items() if ref is not None}
        built = partial(build, registry, context=splits.context)
        self.model = partial(built, "model", spec.model)
        self.training = built("training", _as_begun(registry, spec))
        self.evaluation = built("evaluation", spec.evaluation)
        self.reset = built("reset", spec.reset) if spec.reset is not None else None


def _as_begun(registry: Registry, spec: JobSpec) -> PluginRef:
    """Return a job's training as it was when the job was begun.

    Jobs of before version 0.2, which name no sampling rule, were measured with every batch counting as a whole one:
    their rest is measured so too.
    """
    ref = spec.training
    is_old = spec.sampling is None and ref.name in BUILT_IN_LOOPS and "last_batch" not in ref.params
    if not (is_old and registry.takes("training", ref.name, "last_batch")):
        return ref
    return PluginRef(name=ref.name, params={**ref.params, "last_batch": "whole"})
