"""What is asked of an evaluation strategy."""

import copy
from typing import Any

from sufficiency.method.assumed import assume
from sufficiency.schemas.spec import MetricSpec
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import seed
from sufficiency.testing.trial import Trial
from sufficiency.training.metrics import InvalidMetrics, Values, normalise


def _measured(trial: Trial, model: Any) -> Any:
    seed(4)
    return trial.build().evaluate(model, trial.setting.test)


def _values(trial: Trial, measured: Any) -> Values:
    return normalise(measured, getattr(trial.setting.test, "class_names", ()))


def measures_finite_numbers(trial: Trial) -> None:
    """An untrained model has a finite value of each metric."""
    try:
        values = _values(trial, _measured(trial, trial.setting.fresh_model()))
    except InvalidMetrics as error:
        raise Broken(
            f"{str(error)[:1].upper()}{str(error)[1:]}. Return a mapping from "
            "metric name to one number, or one a class."
        ) from error
    if missing := [name for name, _, value in values if value is None]:
        raise Broken(
            f"{missing[0]} is NaN or infinite for an untrained model: such values are left out of the curve. Guard the "
            "division, or measure what is always defined."
        )


def is_the_same_under_the_same_seed(trial: Trial) -> None:
    """Under the same seed the same model has the same values."""
    model = trial.setting.fresh_model()
    if _values(trial, _measured(trial, model)) != _values(trial, _measured(trial, model)):
        raise Broken(
            "Measured twice under the same seed, the same model has different values: switch it to eval(), and draw "
            "only from the global generators."
        )


def leaves_the_model_alone(trial: Trial) -> None:
    """The model is afterwards what it was."""
    model = trial.setting.fresh_model()
    before = copy.deepcopy(model)
    _measured(trial, model)
    if not trial.setting.same(model, before):
        raise Broken("evaluate() changes the model's weights or statistics: call model.eval(), and no optimiser.")


def declares_its_metrics(trial: Trial) -> None:
    """Each metric is declared, and its values are inside of its bounds."""
    declared = dict(getattr(trial.target, "metric_properties", None) or {})
    values = _values(trial, _measured(trial, trial.setting.fresh_model()))
    for name, _, value in values:
        if name not in declared:
            assumed = assume(name, value, value)
            told = assumed.spec.model_dump(mode="json", include={"direction", "bounds"})
            raise Advice(
                f"{name} is not in metric_properties: it is read by its {'name' if assumed.by_name else 'values'}. "
                f"Declare it: metric_properties = {{{name!r}: {told}}}."
            )
        low, high = MetricSpec.model_validate(declared[name]).bounds
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            raise Broken(
                f"{name} is {value:g}, outside its declared bounds {[low, high]}: correct the one or the other."
            )
