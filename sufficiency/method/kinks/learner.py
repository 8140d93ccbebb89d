"""What is known of a job's learner: the estimators that it is made of, with their parameters, and its data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from typing import Any, Self

# The trainings whose own loops are known: they say by `last_batch` how a last partial batch counts.
BUILT_IN_LOOPS = ("sgd-classifier", "sgd-regressor", "sgd-multilabel", "lightning")


@dataclass(frozen=True)
class Component:
    """An estimator, alone or within another: a pipeline's step, what a grid search tries.

    Attributes
    ----------
    estimator : str
        Name of its class.
    bases : tuple of str
        Names of the classes that it derives from, its own first.
    params : mapping
        What its constructor was given, as JSON; a parameter that is not there has its default.
    library, version : str
        The distribution of its class.
    """

    estimator: str
    bases: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    library: str = ""
    version: str = ""

    @property
    def keeps_columns(self) -> bool:
        """Tell whether what comes after it has as many features as it was given."""
        # What predicts may transform too, as ensembles and discriminants do, and is no step before another.
        kept = ("OneToOneFeatureMixin", "ClassifierMixin", "RegressorMixin")
        return "TransformerMixin" not in self.bases or self.is_one_of(kept)

    def is_one_of(self, names: Sequence[str]) -> bool:
        """Tell whether it is of one of these classes, or derives from one."""
        return any(name in names for name in (self.estimator, *self.bases))

    def get(self, name: str, default: Any) -> Any:
        """Return a parameter, or the library's default where it was not given."""
        given = self.params.get(name)
        return default if given is None else given

    def given(self, *names: str) -> bool:
        """Tell whether one of these parameters was set to something."""
        return any(self.params.get(name) is not None for name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"bases": list(self.bases)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        return cls(**{**data, "bases": tuple(data.get("bases") or ())})


@dataclass(frozen=True)
class Learner:
    """How a job learns.

    Attributes
    ----------
    components : tuple of Component
        Empty where the model is no estimator.
    training : str
        Name of the training strategy.
    training_params : mapping
    batch_norm : bool
        Whether the model is known to have batch normalisation.
    """

    components: tuple[Component, ...] = ()
    training: str = ""
    training_params: Mapping[str, Any] = field(default_factory=dict)
    batch_norm: bool = False

    def optimiser_steps(self, n: int) -> int | None:
        """Return the optimiser steps that a training on `n` items takes; None where its parameters do not tell."""
        batch, epochs = (_whole(self.training_params.get(name)) for name in ("batch_size", "epochs"))
        if batch is None or epochs is None:
            return None
        a_pass = ceil(n / batch)
        least = _whole(self.training_params.get("min_steps")) or 0
        return a_pass * max(epochs, ceil(least / a_pass))


@dataclass(frozen=True)
class Data:
    """What of the training split decides where a threshold lies.

    Attributes
    ----------
    features : int
        Numbers in an item; 0: unknown.
    classes : int
        0: a regression.
    rarest : float
        Share of the rarest class; 0 where there is none.
    """

    features: int = 0
    classes: int = 0
    rarest: float = 0.0

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return it of what was found when a dataset was verified."""
        features = 1
        for side in info.get("input_shape") or [0]:
            features *= int(side)
        train = info.get("train") or {}
        counts = [count for count in train.get("class_counts") or [] if count]
        return cls(features, len(counts), min(counts) / sum(counts) if counts else 0.0)

    def given_to(self, component: Component, learner: Learner) -> Self:
        """Return it as one of a learner's estimators sees it: another may have made other features of the data's."""
        kept = all(one.keeps_columns for one in learner.components if one is not component)
        return self if kept else replace(self, features=0)

    def holding(self, members: int) -> int:
        """Return the size from which a stratified subset holds so many items of the rarest class."""
        return ceil(members / self.rarest - 1e-9) if self.rarest else members


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 1 else None


def learner_of(spec: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Learner:
    """Return the learner of a job.

    Parameters
    ----------
    spec : mapping
        The job's, as JSON.
    known : mapping, optional
        What a trainer found in the model: "components" and "batch_norm". Without it the model's parameters tell:
        those of the built-in model `sklearn` name the estimator.
    """
    training = spec["training"]
    found = tuple(Component.from_dict(one) for one in (known or {}).get("components") or ())
    return Learner(
        found or _named(spec["model"]),
        training["name"],
        training.get("params") or {},
        bool((known or {}).get("batch_norm")),
    )


def _named(model: Mapping[str, Any]) -> tuple[Component, ...]:
    params = model.get("params") or {}
    name = params.get("estimator")
    if model["name"] != "sklearn" or not isinstance(name, str):
        return ()
    settings = params.get("settings")
    return (Component(name, (name,), settings if isinstance(settings, dict) else {}, "scikit-learn"),)


def with_params(components: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a model plugin's components as a job's parameters make them.

    A plugin's components were looked at as it is built without parameters; a parameter of the plugin that is called as
    one of an estimator's is taken for it.
    """
    return [
        {**one, "params": {**one["params"], **{k: v for k, v in params.items() if k in one["params"]}}}
        for one in components
    ]
