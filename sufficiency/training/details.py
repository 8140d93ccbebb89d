"""What a cell's learner did that its values do not show: optimiser steps, what it settled by itself, warnings."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from sufficiency.method.falling import ending
from sufficiency.plugins.components import estimators_in, plain, plain_params
from sufficiency.training.losses import Course, Losses, losses_seen

MOST_WARNINGS, LONGEST_WARNING = 20, 300
MOST_SETTLED = 60
# Of a cell's details as JSON: what is longer is cut, the longest part first.
MOST_BYTES = 8_000
# What fitted estimators call what they chose, beside public names that end in an underscore.
_PRIVATE = ("_gamma", "_fit_svd_solver", "do_early_stopping_", "_best_iteration")
# Fitted attributes that tell of the data, or of how well it went, and not of what was chosen.
_NOT_SETTLED = frozenset(
    {
        *("n_features_in_", "n_features_", "n_outputs_", "n_samples_seen_", "n_samples_fit_", "n_classes_"),
        *("n_samples_", "loss_", "best_loss_", "best_validation_score_", "inertia_", "lower_bound_", "score_", "t_"),
        *("out_activation_", "best_score_", "refit_time_", "scorer_", "multimetric_", "noise_variance_", "intercept_"),
        *("oob_score_", "train_score_", "mean_score_time_", "mean_fit_time_", "fit_status_", "converged_"),
        *("dual_gap_", "fitted_"),
    }
)
# Of interest to whoever maintains a library, not to whoever trains with it.
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class _NoWarning(Warning):
    """Nobody's."""


@dataclass
class Watched:
    """What was seen while a model was trained.

    Attributes
    ----------
    steps : int
        Of torch's optimisers.
    optimiser : dict
        Name of the last one, and its first and last learning rate.
    warnings : dict
        Category and message to how often they came.
    before : dict
        Place of each estimator in the model to its parameters.
    losses : Losses
        Of torch's networks.
    """

    steps: int = 0
    optimiser: dict[str, Any] = field(default_factory=dict)
    warnings: dict[tuple[str, str], int] = field(default_factory=dict)
    before: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)

    def step(self, optimiser: Optimizer, *_: object) -> None:
        """Count a step of an optimiser."""
        self.steps += 1
        rate = optimiser.param_groups[0].get("lr")
        if not self.optimiser:
            self.optimiser = {"name": type(optimiser).__name__, "first_lr": rate}
        self.optimiser["last_lr"] = rate
        self.losses.step(optimiser, rate)

    def warn(self, message: Any, category: type[Warning], *_: object, **__: object) -> None:
        """Take note of a warning; what is for a library's developers is passed over."""
        if issubclass(category, _FOR_DEVELOPERS):
            return
        told = category.__name__, " ".join(str(message).split())[:LONGEST_WARNING]
        if told in self.warnings or len(self.warnings) < MOST_WARNINGS:
            self.warnings[told] = self.warnings.get(told, 0) + 1

    def told(self, of: str = "") -> list[dict[str, Any]]:
        """Return the warnings as a cell's details have them; `of` is added to their categories."""
        return [
            {"category": f"{category}{of}", "message": message, "count": count}
            for (category, message), count in self.warnings.items()
        ]


@contextmanager
def watched(model: Any, *, losses: bool = True) -> Iterator[Watched]:
    """Watch a model being trained: nothing that is random, and no number, is touched.

    Parameters
    ----------
    losses : bool
        Its loss too. Whoever trains several models at once knows the loss of each, and nobody else does.

    Notes
    -----
    A filter that turns a warning into an error still does; one that hides warnings hides them from the log, and not
    from here.
    """
    seen = Watched(before={place: params for place, (_, params) in enumerate(_estimators(model))})
    hook = register_optimizer_step_post_hook(seen.step)
    try:
        with warnings_noted(seen), losses_seen(seen.losses) if losses else nullcontext():
            yield seen
    finally:
        hook.remove()


@contextmanager
def warnings_noted(seen: Watched) -> Iterator[None]:
    """Have what warns within the block be taken note of, hidden or not, and shown to nobody."""
    with warnings.catch_warnings():
        filters: Any = warnings.filters
        filters[:] = [("default", *one[1:]) if one[0] == "ignore" else one for one in filters]
        warnings.simplefilter("ignore", _NoWarning, append=True)  # so that Python notices the new filters
        warnings.showwarning = seen.warn
        yield


def details_of(model: Any, seen: Watched, course: Course | None = None) -> dict[str, Any]:
    """Return what is kept of a cell beside its values, as bounded JSON; empty where there is nothing to tell.

    Parameters
    ----------
    model : object
        As it is now.
    seen : Watched
    course : Course, optional
        Of its loss, where that was not watched.
    """
    found: dict[str, Any] = {}
    if seen.steps:
        found["optimiser_steps"] = seen.steps
        found["optimiser"] = {name: plain(value) for name, value in seen.optimiser.items()}
        if loss := _loss(seen, course):
            found["loss"] = loss
    if settled := _settled(model, seen.before):
        found["settled"] = settled
    if seen.warnings:
        found["warnings"] = seen.told()
    return bounded(found)


def _loss(seen: Watched, course: Course | None) -> dict[str, Any] | None:
    """Return how the loss ended; None where that cannot be told."""
    if course is None:
        course, rates = seen.losses.seen(), (seen.losses.highest_rate, seen.losses.last_rate)
    else:
        first, last = seen.optimiser["first_lr"], seen.optimiser["last_lr"]
        rates = max(first, last), last
    found = None if course is None else ending(*course.parts(), *rates)
    if found is None:
        return None
    values = {name: float(f"{getattr(found, name):.6g}") for name in ("start", "halfway", "end")}
    return {**values, "falls": found.falls}


def _estimators(model: Any, *, fitted: bool = False) -> list[tuple[Any, Mapping[str, Any]]]:
    try:
        return estimators_in(model, fitted=fitted)
    except Exception:  # somebody's model may answer a look at it with whatever it likes
        return []


def _settled(model: Any, before: Mapping[int, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each fitted estimator chose, by its class; a second one of a class has a number."""
    found: dict[str, dict[str, Any]] = {}
    names: dict[int, str] = {}
    for estimator, params in _estimators(model, fitted=True):
        name = type(estimator).__name__
        if alike := sum(one.split(" ")[0] == name for one in names.values()):
            name = f"{name} {alike + 1}"
        names[id(estimator)] = name
        if chosen := _chosen(estimator, params):
            found[name] = chosen
    # A strategy may set parameters by the number of items: what it changed was chosen too.
    for place, (estimator, params) in enumerate(_estimators(model)):
        was = plain_params(before.get(place, params))
        if changed := {name: value for name, value in plain_params(params).items() if was.get(name, value) != value}:
            found.setdefault(names.get(id(estimator), type(estimator).__name__), {}).update(changed)
    return found


def _chosen(estimator: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    attributes = getattr(estimator, "__dict__", {})
    for name in [*attributes, *_LAZY]:
        is_public = name.endswith("_") and not name.startswith("_") and name not in _NOT_SETTLED
        if not (is_public or name in _PRIVATE):
            continue
        value = _flat(_read(estimator, name)) if name in _LISTS else _read(estimator, name)
        if isinstance(value, Mapping) and len(value) <= MOST_SETTLED:
            chosen |= {f"{name}.{key}": plain(one) for key, one in value.items() if plain(one) is not None}
        elif (value := plain(value)) is not None:
            chosen[name] = value
    if params.get("batch_size") == "auto" and (batch := _batch_size(estimator)) is not None:
        chosen["batch_size"] = batch
    if callable(told := getattr(estimator, "get_all_params", None)):  # CatBoost's own account
        with suppress(Exception):  # not fitted after all
            chosen |= {str(name): plain(value) for name, value in told().items() if plain(value) is not None}
    kept = sorted(chosen.items(), key=lambda item: item[0] not in ("learning_rate", "batch_size"))[:MOST_SETTLED]
    return dict(kept)


# Properties of fitted estimators, which are not among their attributes.
_LAZY = ("n_iter_", "best_iteration_", "n_estimators_", "learning_rate_", "tree_count_", "do_early_stopping_")


_LISTS = ("n_iter_", "C_", "alpha_", "l1_ratio_")


def _flat(value: Any) -> Any:
    """Return the one number of a list of one, else the largest of its numbers."""
    try:
        largest = None if value is None else np.asarray(value, dtype=np.float64).max().item()
        return int(largest) if largest is not None and largest.is_integer() else largest
    except (TypeError, ValueError):
        return None


def _read(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name)
    except Exception:  # a property of what is not fitted
        return None


def _batch_size(estimator: Any) -> int | None:
    # scikit-learn's perceptrons take min(200, n), and keep n as the steps of a pass.
    samples, passes = _read(estimator, "t_"), _read(estimator, "n_iter_")
    if not isinstance(samples, int) or not isinstance(passes, int) or passes < 1:
        return None
    return min(200, samples // passes) or None


def bounded(found: dict[str, Any]) -> dict[str, Any]:
    """Return at most so much JSON: the largest part is left out, and that is said."""
    while len(json.dumps(found, default=str)) > MOST_BYTES:
        settled = found.get("settled") or {}
        largest = max(settled, key=lambda name: len(json.dumps(settled[name], default=str)), default=None)
        if largest is not None:
            del settled[largest]
        elif len(found.get("warnings") or []) > 1:
            found["warnings"] = found["warnings"][: len(found["warnings"]) // 2]
        else:
            return {"cut": True}
        found["cut"] = True
    return found
