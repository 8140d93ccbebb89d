"""Holds plugins to what the service asks of them: ``python -m sufficiency.testing.check MODULE[:ATTRIBUTE]``."""

import argparse
import copy
import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Literal
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from sufficiency import moved
from sufficiency.data.arrays import ArrayDataset, DatasetError, contents
from sufficiency.method.schedule import ScheduleError, check_steps
from sufficiency.plugins.models import MLP
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.training.faults import describe
from sufficiency.training.loop import seed_everything
from sufficiency.training.metrics import InvalidMetrics, normalise
from sufficiency.training.registry import DatasetContext, PluginError, Registry
from sufficiency.training.trainer import make_repeatable

ITEMS, KEPT = 60, 40


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    plugin : str
        As ``kind:attribute``.
    rule : str
        What was checked.
    outcome : {"ok", "advice", "failed"}
    detail : str
        What was seen, and what to do; empty where all is well.
    """

    plugin: str
    rule: str
    outcome: Literal["ok", "advice", "failed"]
    detail: str = ""

    @property
    def failed(self) -> bool:
        """It must be mended before the service can rely on the plugin."""
        return self.outcome == "failed"

    def __str__(self) -> str:
        mark = {"ok": "ok    ", "advice": "advice", "failed": "FAILED"}[self.outcome]
        return f"{mark} {self.plugin}: {self.rule}" + (f"\n       {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Setting:
    """What the plugins are tried with.

    Attributes
    ----------
    train, test : Dataset
    context : DatasetContext
    model : callable or None
        Makes an untrained model for the strategies; None is a small network.
    params : mapping
        Of the plugin that is checked.
    """

    train: Any
    test: Any
    context: DatasetContext
    model: Callable[[], Any] | None = None
    params: Mapping[str, Any] | None = None

    def fresh_model(self, seed: int = 0) -> Any:
        """Return an untrained model, the same for the same seed."""
        _seed(seed)
        if self.model is not None:
            return self.model()
        return MLP(self.context.input_shape, self.context.num_classes or 1, hidden=[8])

    def same(self, first: Any, second: Any) -> bool:
        """Tell whether two models have the same weights, or, where these cannot be seen, give the same answers."""
        ours, theirs = _weights(first), _weights(second)
        if ours is not None and theirs is not None:
            return ours.keys() == theirs.keys() and all(
                np.array_equal(ours[k], theirs[k], equal_nan=True) for k in ours
            )
        return np.array_equal(self._answers(first), self._answers(second))

    def _answers(self, model: Any) -> NDArray[Any]:
        try:
            with torch.no_grad():
                return np.asarray(model(_batch(self)[0]))
        except Exception:  # an estimator that is not fitted yet has none
            return np.empty(0)


class Broken(Exception):
    """A rule that a plugin breaks; the message says what was seen and what to do."""


class Advice(Exception):
    """Something that is allowed and still worth changing."""


def sample_setting(
    shape: Sequence[int] = (1, 8, 8), classes: int = 3, *, model: Callable[[], Any] | None = None, **more: Any
) -> Setting:
    """Return random items with a class that can be learnt, or a number where there are 0 classes."""
    train, test = (_sample(shape, classes, seed) for seed in (0, 1))
    return Setting(train, test, DatasetContext(tuple(shape), classes or 1), model, **more)


def _sample(shape: Sequence[int], classes: int, seed: int) -> ArrayDataset:
    generator = np.random.default_rng(seed)
    if not classes:
        x = generator.random((ITEMS, *shape))
        return ArrayDataset(x, 3 + x.reshape(ITEMS, -1).mean(axis=1), None, "the sample")
    y = np.arange(ITEMS) % classes
    x = generator.random((ITEMS, *shape)) * 0.5 + (y / (2 * classes)).reshape(-1, *(1 for _ in shape))
    return ArrayDataset(x, y, [str(k) for k in range(classes)], "the sample")


def check_module(target: str, kind: str | None = None, setting: Setting | None = None) -> list[Finding]:
    """Check a plugin, or all plugins of a module.

    Parameters
    ----------
    target : str
        ``module:attribute``, or a module, in which everything that looks like a plugin is checked.
    kind : str, optional
        Of the plugin, where it cannot be told by its methods.
    setting : Setting, optional
        What to try it with; sixty random images of three classes by default.

    Raises
    ------
    LookupError
        When there is no such module or attribute, or nothing in it that looks like a plugin.
    """
    module_name, _, attribute = target.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:
        do = moved.hint(error) or "is it installed, or on PYTHONPATH?"
        raise LookupError(f"the module {module_name!r} cannot be imported ({describe(error)}); {do}") from error
    if attribute:
        found = {attribute: _attribute(module, attribute)}
    else:
        found = {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module_name and _kind_of(value)
        }
        if not found:
            raise LookupError(
                f"nothing in {module_name!r} looks like a plugin; name it with its kind: "
                f"sufficiency plugins check {module_name}:ATTRIBUTE --kind model"
            )
    make_repeatable()
    findings: list[Finding] = []
    for name, value in found.items():
        chosen = kind or _kind_of(value)
        if chosen is None:
            raise LookupError(
                f"{target} could be any kind of plugin; say which with --kind ({', '.join(PLUGIN_KINDS)})"
            )
        findings += _check(chosen, name, f"{module_name}:{name}", setting or sample_setting())
    return findings


def _attribute(module: Any, attribute: str) -> Any:
    value = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise LookupError(f"{module.__name__!r} has no {attribute!r}; it has {', '.join(known[:20])}")
        value = getattr(value, part)
    return value


def _kind_of(value: Any) -> str | None:
    """Tell a plugin's kind by its methods, or by its signature where it is a function."""
    for method, kind in (("train", "training"), ("evaluate", "evaluation"), ("get_steps", "schedule")):
        # Every torch module has a train(), which only switches its mode.
        if callable(getattr(value, method, None)) and not _is_module(value):
            return kind
    if _is_module(value):
        return "model"
    if all(callable(getattr(value, method, None)) for method in ("__len__", "__getitem__")):
        return "dataset"
    if inspect.isfunction(value):
        names = inspect.signature(value).parameters
        returned = value.__annotations__.get("return")
        if "input_shape" in names or "num_classes" in names or (inspect.isclass(returned) and _is_module(returned)):
            return "model"
        return "reset" if list(names) == ["model"] else None
    return "reset" if inspect.isclass(value) and "__call__" in vars(value) else None


def _is_module(value: Any) -> bool:
    return issubclass(value if inspect.isclass(value) else type(value), torch.nn.Module)


Build = Callable[[], Any]


def _check(kind: str, name: str, target: str, setting: Setting) -> list[Finding]:
    plugin = f"{kind}:{name}"
    registry = Registry()
    registry.add(f"{kind}:{name}={target}")
    if registry.errors:
        detail = f"{registry.errors[0]['error']}. Mend it, or name another attribute."
        return [Finding(plugin, "has the shape of its kind and a schema of its parameters", "failed", detail)]
    findings = [Finding(plugin, "has the shape of its kind and a schema of its parameters", "ok")]
    [described] = registry.describe()
    _note(findings, plugin, "is documented", lambda: _documented(described, setting))

    def build() -> Any:
        return registry.build(kind, name, setting.params or {}, context=setting.context)

    _seed(0)
    try:
        build()
    except PluginError as error:
        required = described.params_schema.get("required") or []
        hint = f" Give what it needs: --params '{json.dumps(dict.fromkeys(required, '…'), ensure_ascii=False)}'."
        findings.append(
            Finding(plugin, "can be built", "failed", f"{error}.{hint if required else _shape_hint(setting)}")
        )
        return findings
    findings.append(Finding(plugin, "can be built", "ok"))
    for rule, check in _CHECKS[kind]:
        _note(findings, plugin, rule, lambda check=check: check(build, setting, registry.target(kind, name)))  # type: ignore[misc]
    return findings


def _note(findings: list[Finding], plugin: str, rule: str, check: Callable[[], None]) -> None:
    try:
        check()
    except Broken as broken:
        findings.append(Finding(plugin, rule, "failed", str(broken)))
    except Advice as advice:
        findings.append(Finding(plugin, rule, "advice", str(advice)))
    except (Exception, SystemExit) as error:  # whatever somebody's plugin raises is a finding
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
        findings.append(Finding(plugin, rule, "failed", f"It raised {describe(error)}{place}. Mend what raises."))
    else:
        findings.append(Finding(plugin, rule, "ok"))


def _shape_hint(setting: Setting) -> str:
    shape = ",".join(map(str, setting.context.input_shape))
    return (
        f" It was built for items of shape {shape} and {setting.context.num_classes} classes; see --shape, --classes."
    )


def _documented(described: Any, setting: Setting) -> None:
    if not described.summary:
        raise Advice("It has no docstring: the catalog shows its first line as the summary. Write one.")
    silent = [
        name for name, entry in described.params_schema.get("properties", {}).items() if "description" not in entry
    ]
    if silent:
        raise Advice(f"Parameter {silent[0]!r} is not described: add it to a numpydoc `Parameters` section.")
    vague = [name for name, entry in described.params_schema.get("properties", {}).items() if not _typed(entry)]
    if vague:
        raise Advice(f"Parameter {vague[0]!r} has no type, so that any value is accepted: annotate it.")


def _typed(entry: Mapping[str, Any]) -> bool:
    return any(key in entry for key in ("type", "anyOf", "enum", "const", "$ref", "allOf", "oneOf"))


def _seed(seed: int) -> None:
    seed_everything(np.random.SeedSequence(entropy=seed))


def _weights(model: Any) -> dict[str, NDArray[Any]] | None:
    """Return a copy of what a model has learnt, or None where that cannot be seen."""
    if callable(state := getattr(model, "state_dict", None)) and (entries := state()):
        return {
            str(key): value.detach().cpu().numpy().copy() for key, value in entries.items() if hasattr(value, "cpu")
        }
    return None


@contextmanager
def _reseeding_is_noticed() -> Iterator[list[str]]:
    seen: list[str] = []

    def noticing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def seed(*arguments: Any, **named: Any) -> Any:
            seen.append(name)
            return real(*arguments, **named)

        return seed

    with (
        mock.patch.object(torch, "manual_seed", noticing("torch.manual_seed", torch.manual_seed)),
        mock.patch.object(np.random, "seed", noticing("numpy.random.seed", np.random.seed)),
        mock.patch.object(random, "seed", noticing("random.seed", random.seed)),
    ):
        yield seen


# Models


def _model_is_fresh(build: Build, setting: Setting, target: Any) -> None:
    _seed(1)
    first = build()
    _seed(2)
    second = build()
    if first is second:
        return _instance_resets(first)
    if first_weights := _weights(first):
        shared = {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
        if shared:
            raise Broken(
                "Two models share parameters, so that one trains the other: make the layers in the constructor."
            )
        if first_weights and setting.same(first, second):
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


def _model_is_deterministic(build: Build, setting: Setting, target: Any) -> None:
    _seed(1)
    first = build()
    _seed(1)
    with _reseeding_is_noticed() as seen:
        second = build()
    if seen:
        raise Broken(f"Building it calls {seen[0]}: every run would begin alike. Leave seeding to the service.")
    if first is not second and not setting.same(first, second):
        raise Broken(
            "Two models that were built under the same seed differ: a cell could not be repeated. Draw from torch's, "
            "NumPy's or Python's global generators, not from one of your own or from the clock."
        )


def _model_answers(build: Build, setting: Setting, target: Any) -> None:
    _seed(1)
    model = build()
    x, _ = _batch(setting)
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
    wanted = (len(x), setting.context.num_classes)
    if tuple(answers.shape) != wanted:
        raise Advice(
            f"For {len(x)} items of {wanted[1]} classes it answers a tensor of shape {tuple(answers.shape)}; the "
            f"built-in strategies expect logits of shape {wanted}. Take num_classes in the constructor, or bring "
            "strategies of its own."
        )
    if not bool(torch.isfinite(answers).all()):
        raise Broken("Untrained, it answers NaN or infinity already: check the scale of its initial weights.")


def _batch(setting: Setting) -> tuple[torch.Tensor, Any]:
    items = [setting.train[k] for k in range(4)]
    return torch.stack([torch.as_tensor(np.asarray(item[0])) for item in items]), [item[1] for item in items]


# Training strategies


def _trained(build: Build, setting: Setting, dataset: Any, indices: list[int], seed: int = 3) -> tuple[Any, Any, Any]:
    model = setting.fresh_model()
    before = copy.deepcopy(model)
    _seed(seed)
    returned = build().train(model, dataset, indices)
    return model, before, returned


def _training_learns(build: Build, setting: Setting, target: Any) -> None:
    model, before, returned = _trained(build, setting, setting.train, list(range(KEPT)))
    if setting.same(model, before):
        if returned is not None and returned is not model:
            raise Broken(
                "train() returned another model and left the given one as it was: change the given one in place."
            )
        raise Broken("After train() the model's weights are what they were: is the optimiser given model.parameters()?")
    weights = _weights(model) or {}
    if lost := [name for name, values in weights.items() if values.dtype.kind == "f" and not np.isfinite(values).all()]:
        raise Broken(f"After train() {lost[0]} holds NaN or infinity: lower the learning rate or clip the gradients.")


def _training_respects_indices(build: Build, setting: Setting, target: Any) -> None:
    if not isinstance(setting.train, ArrayDataset):
        raise Advice("It was tried with a dataset of your own, in which other items cannot be exchanged; not checked.")
    kept = list(range(0, ITEMS, 2))[: KEPT // 2]
    others = np.setdiff1d(np.arange(len(setting.train)), kept)
    x, y = setting.train.x.copy(), setting.train.y.copy()
    x[others] = 1 - x[others]
    y[others] = (y[others] + 1) % max(2, setting.train.num_classes) if setting.train.class_names else y[others] + 9
    names = setting.train.class_names or None
    changed = ArrayDataset(x, y, names, "the sample")
    first, _, _ = _trained(build, setting, setting.train, kept)
    second, _, _ = _trained(build, setting, changed, kept)
    if not setting.same(first, second):
        again, _, _ = _trained(build, setting, setting.train, kept)
        if not setting.same(first, again):
            return  # it is not deterministic, which is another rule's finding
        raise Broken(
            "Items that `indices` does not name change what is learnt: the subset would not be the subset. Train on "
            "torch.utils.data.Subset(dataset, indices) only, and take means and scales from it alone."
        )


def _training_is_deterministic(build: Build, setting: Setting, target: Any) -> None:
    indices = list(range(KEPT))
    first, _, _ = _trained(build, setting, setting.train, indices)
    with _reseeding_is_noticed() as seen:
        second, _, _ = _trained_after_seeding(build, setting, indices, seen)
    if seen:
        raise Broken(
            f"train() calls {seen[0]}: all runs would draw the same batches. Leave seeding to the service, which seeds "
            "torch, numpy.random and random for each cell."
        )
    if not setting.same(first, second):
        raise Broken(
            "Trained twice under the same seed it learns different weights: a cell could not be repeated. Draw from "
            "the global generators of torch, numpy.random or random, not one of your own, the clock or a set's order."
        )


def _trained_after_seeding(build: Build, setting: Setting, indices: list[int], seen: list[str]) -> tuple[Any, Any, Any]:
    model = setting.fresh_model()
    before = copy.deepcopy(model)
    _seed(3)
    seen.clear()  # those were ours
    return model, before, build().train(model, setting.train, indices)


def _training_takes_repeats(build: Build, setting: Setting, target: Any) -> None:
    try:
        _trained(build, setting, setting.train, [*range(10), *range(10)])
    except Exception as error:
        raise Broken(
            f"With an item twice in `indices` it raised {describe(error)}: the protocol dataeval draws "
            "with replacement."
        ) from error


def _training_takes_few(build: Build, setting: Setting, target: Any) -> None:
    try:
        _trained(build, setting, setting.train, [0, 1, 2])
    except Exception as error:
        raise Broken(
            f"With three items it raised {describe(error)}: the first steps of a schedule are small. Do not drop "
            "the last batch, and mind batch normalisation with one item."
        ) from error


def _dataset_is_left_alone(build: Build, setting: Setting, target: Any) -> None:
    before = contents(setting.train).fingerprint()
    _trained(build, setting, setting.train, list(range(KEPT)))
    if contents(setting.train).fingerprint() != before:
        raise Broken("train() changes the dataset: the next cell would train on something else. Work on a copy.")


# Evaluation strategies


def _measured(build: Build, setting: Setting, model: Any) -> Any:
    _seed(4)
    return build().evaluate(model, setting.test)


def _evaluation_measures(build: Build, setting: Setting, target: Any) -> None:
    try:
        values = normalise(_measured(build, setting, setting.fresh_model()))
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


def _evaluation_is_deterministic(build: Build, setting: Setting, target: Any) -> None:
    model = setting.fresh_model()
    if normalise(_measured(build, setting, model)) != normalise(_measured(build, setting, model)):
        raise Broken(
            "Measured twice under the same seed, the same model has different values: switch it to eval(), and draw "
            "only from the global generators."
        )


def _evaluation_leaves_the_model(build: Build, setting: Setting, target: Any) -> None:
    model = setting.fresh_model()
    before = copy.deepcopy(model)
    _measured(build, setting, model)
    if not setting.same(model, before):
        raise Broken("evaluate() changes the model's weights or statistics: call model.eval(), and no optimiser.")


def _evaluation_declares(build: Build, setting: Setting, target: Any) -> None:
    declared = dict(getattr(target, "metric_properties", None) or {})
    values = normalise(_measured(build, setting, setting.fresh_model()))
    for name, _, value in values:
        if name not in declared:
            raise Advice(
                f"{name} is not in metric_properties: it is taken to lie in [0, 1] with more being better. Declare it: "
                f'metric_properties = {{"{name}": {{"direction": "maximize", "bounds": [0, 1]}}}}.'
            )
        low, high = MetricSpec.model_validate(declared[name]).bounds
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            raise Broken(
                f"{name} is {value:g}, outside its declared bounds {[low, high]}: correct the one or the other."
            )


# Reset strategies, datasets, schedules


def _reset_forgets(build: Build, setting: Setting, target: Any) -> None:
    trained = setting.fresh_model(5)
    reset = build()
    _seed(6)
    first = reset(copy.deepcopy(trained))
    _seed(7)
    second = reset(copy.deepcopy(trained))
    if first is None or second is None:
        raise Broken("It returned None: a reset strategy must return the model.")
    if setting.same(first, trained):
        raise Broken("The model it returns has the weights that it was given: nothing was reset.")
    if setting.same(first, second):
        raise Advice(
            "Under two seeds it returns the same weights: all runs begin alike, so that their spread is too small."
        )


def _reset_is_deterministic(build: Build, setting: Setting, target: Any) -> None:
    model, reset = setting.fresh_model(5), build()
    _seed(6)
    first = reset(copy.deepcopy(model))
    _seed(6)
    if not setting.same(first, reset(copy.deepcopy(model))):
        raise Broken("Under the same seed it returns different weights: draw from torch's global generator.")


def _dataset_has_items(build: Build, setting: Setting, target: Any) -> None:
    dataset = build()
    try:
        contents(dataset)
    except DatasetError as error:
        raise Broken(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    item = dataset[0]
    if len(item) != 3 or not isinstance(item[2], Mapping):
        raise Advice("An item is not (input, target, metadata mapping), as DataEval's and MAITE's strategies expect.")


def _dataset_is_the_same_again(build: Build, setting: Setting, target: Any) -> None:
    if contents(build()).fingerprint() != contents(copy.copy(build())).fingerprint():
        raise Broken(
            "Read twice it holds different items: every job would end with `dataset_changed`. Seed what is "
            "random in it."
        )


def _dataset_ends(build: Build, setting: Setting, target: Any) -> None:
    dataset = build()
    try:
        dataset[len(dataset)]
    except IndexError:
        return
    except Exception as error:
        raise Advice(
            f"One past its end it raises {describe(error)}; IndexError is what ends `for item in dataset`."
        ) from error
    raise Broken("One past its end it still returns an item: `for item in dataset` would never end. Raise IndexError.")


def _schedule_names_steps(build: Build, setting: Setting, target: Any) -> None:
    for size in (100, 2500):
        steps = np.atleast_1d(np.asarray(build().get_steps(size)))
        if steps.ndim != 1 or steps.dtype.kind not in "iu":
            raise Broken(f"For {size} items it returns {steps!r:.80}: return whole numbers, one a step.")
        try:
            check_steps(steps.tolist(), size)
        except (ScheduleError, ValueError) as error:
            raise Broken(f"For {size} items it names {steps.tolist()[:8]}: {error}.") from error


def _schedule_is_deterministic(build: Build, setting: Setting, target: Any) -> None:
    if np.asarray(build().get_steps(1000)).tolist() != np.asarray(build().get_steps(1000)).tolist():
        raise Advice("Asked twice it names different steps: two jobs with the same spec would not be comparable.")


Check = Callable[[Build, Setting, Any], None]
_CHECKS: dict[str, list[tuple[str, Check]]] = {
    "model": [
        ("starts from fresh weights", _model_is_fresh),
        ("is the same under the same seed", _model_is_deterministic),
        ("answers finite logits", _model_answers),
    ],
    "training": [
        ("changes the given model", _training_learns),
        ("respects the indices", _training_respects_indices),
        ("is the same under the same seed", _training_is_deterministic),
        ("takes an item twice", _training_takes_repeats),
        ("takes a subset of three", _training_takes_few),
        ("leaves the dataset alone", _dataset_is_left_alone),
    ],
    "evaluation": [
        ("measures finite numbers", _evaluation_measures),
        ("is the same under the same seed", _evaluation_is_deterministic),
        ("leaves the model alone", _evaluation_leaves_the_model),
        ("declares its metrics", _evaluation_declares),
    ],
    "reset": [
        ("forgets what was learnt", _reset_forgets),
        ("is the same under the same seed", _reset_is_deterministic),
    ],
    "dataset": [
        ("holds items that can be used", _dataset_has_items),
        ("is the same when read again", _dataset_is_the_same_again),
        ("ends", _dataset_ends),
    ],
    "schedule": [
        ("names steps that can be measured", _schedule_names_steps),
        ("names the same steps again", _schedule_is_deterministic),
    ],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the arguments name; print the findings and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="sufficiency plugins check",
        description="Check a plugin against what the service asks of it, and say what to do where it fails.",
        epilog="example: sufficiency plugins check mystudy:Adam --model mystudy:Net --shape 1,28,28 --classes 10",
    )
    parser.add_argument("target", metavar="MODULE[:ATTRIBUTE]", help="a plugin, or a module of plugins")
    parser.add_argument("--kind", choices=PLUGIN_KINDS, help="of the plugin, where its methods do not tell")
    parser.add_argument("--params", type=json.loads, default={}, metavar="JSON", help="of the plugin")
    parser.add_argument(
        "--model", metavar="MODULE:ATTRIBUTE", help="model to try strategies with; a small network else"
    )
    parser.add_argument("--dataset", metavar="MODULE:ATTRIBUTE", help="dataset to try with; random images else")
    parser.add_argument("--shape", default="1,8,8", help="of a random item, such as 3,32,32 (default 1,8,8)")
    parser.add_argument("--classes", type=int, default=3, help="of the random items (default 3); 0: numbers to predict")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(arguments)
    sys.path.insert(0, "")  # as for `python -c`: a module beside the user is found
    try:
        findings = check_module(options.target, options.kind, _setting(options))
    except (LookupError, PluginError, DatasetError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(str, findings)))
        failed = sum(finding.failed for finding in findings)
        print(f"\n{len(findings)} checks, {failed} failed" if failed else f"\n{len(findings)} checks, none failed")
    return int(any(finding.failed for finding in findings))


def _setting(options: argparse.Namespace) -> Setting:
    shape = [int(side) for side in options.shape.split(",")]
    setting = sample_setting(shape, options.classes)
    registry = Registry()
    for kind, target in (("dataset", options.dataset), ("model", options.model)):
        if target is not None:
            registry.add(f"{kind}:it={target}")
    if registry.errors:
        raise LookupError(f"{registry.errors[0]['plugin']}: {registry.errors[0]['error']}")
    context = setting.context
    train, test = setting.train, setting.test
    if options.dataset is not None:
        train = test = registry.build("dataset", "it", {})
        found = contents(train)
        context = DatasetContext(found.input_shape, found.num_classes)
    model = None if options.model is None else lambda: registry.build("model", "it", {}, context=context)
    return Setting(train, test, context, model, options.params)


if __name__ == "__main__":
    sys.exit(main())
