"""What is asked of a model."""

import math
from typing import Any

import torch

from sufficiency.data.foreign import contents
from sufficiency.method.kinks.between import everywhere
from sufficiency.method.kinks.learner import Component, Data, Learner
from sufficiency.method.kinks.rules import met_by
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import reseeding_is_noticed, seed
from sufficiency.testing.setting import weights
from sufficiency.testing.trial import Trial
from sufficiency.training.learners import known_of


def starts_from_fresh_weights(trial: Trial) -> None:
    """Two models share nothing, and differ where the seed differs."""
    seed(1)
    first = trial.build()
    seed(2)
    second = trial.build()
    if first is second:
        return _instance_resets(first)
    if first_weights := weights(first):
        shared = {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
        if shared:
            raise Broken(
                "Two models share parameters, so that one trains the other: make the layers in the constructor."
            )
        if first_weights and trial.setting.same(first, second):
            raise Broken(
                "Two models that were built under different seeds have the same weights: runs would be alike. "
                "Draw initial weights from torch's generator, and do not seed it or load a file in the constructor."
            )
    return None


def _instance_resets(model: Any) -> None:
    modules = list(model.modules()) if callable(getattr(model, "modules", None)) else []
    lasting = [
        type(module).__name__
        for module in modules
        if list(module.parameters(recurse=False)) and not callable(getattr(module, "reset_parameters", None))
    ]
    if lasting:
        raise Broken(
            f"It is an instance, and its {lasting[0]} has weights but no reset_parameters(): every run would begin "
            "with the same ones. Register the class in place of the instance, or add reset_parameters()."
        )


def is_the_same_under_the_same_seed(trial: Trial) -> None:
    """Two models that were built under the same seed are alike."""
    seed(1)
    first = trial.build()
    seed(1)
    with reseeding_is_noticed() as seen:
        second = trial.build()
    if seen:
        raise Broken(f"Building it calls {seen[0]}: every run would begin alike. Leave seeding to the service.")
    if first is not second and not trial.setting.same(first, second):
        raise Broken(
            "Two models that were built under the same seed differ: a cell could not be repeated. Draw from torch's, "
            "NumPy's or Python's global generators, not from one of your own or from the clock."
        )


def settings_stay_the_same_at_every_size(trial: Trial) -> None:
    """What its estimators do by default does not change with the number of training items."""
    known = known_of(trial.build())
    components = tuple(Component.from_dict(one) for one in known.get("components") or ())
    context = trial.setting.context
    classes = context.num_classes if contents(trial.setting.train).class_names else 0
    # As though there were as many of each class: a rarer one meets its thresholds later.
    data = Data(math.prod(context.input_shape), classes, 1 / classes if classes else 0.0)
    if said := everywhere(met_by(Learner(components), data)):
        raise Advice(
            "A learning curve has a kink where the learner changes with the size of its training set, and a projection "
            f"across it takes that for the data's. {'. '.join(said)}. Pin what the job's sizes lie around; see "
            "docs/size-dependent-defaults.md."
        )


def answers_finite_logits(trial: Trial) -> None:
    """An untrained model answers one finite number a class."""
    seed(1)
    model = trial.build()
    x = trial.setting.batch()
    if callable(getattr(model, "eval", None)):
        model.eval()
    try:
        with torch.no_grad():
            answers = model(x)
    except Exception:
        if callable(getattr(model, "fit", None)):
            return  # an estimator answers when it is fitted
        raise
    if not torch.is_tensor(answers):
        raise Advice(f"It answers a {type(answers).__name__}, no tensor: only strategies made for it can train it.")
    wanted = (len(x), trial.setting.context.num_classes)
    if tuple(answers.shape) != wanted:
        raise Advice(
            f"For {len(x)} items of {wanted[1]} classes it answers a tensor of shape {tuple(answers.shape)}; the "
            f"built-in strategies expect logits of shape {wanted}. Take num_classes in the constructor, or bring "
            "strategies of its own."
        )
    if not bool(torch.isfinite(answers).all()):
        raise Broken("Untrained, it answers NaN or infinity already: check the scale of its initial weights.")
