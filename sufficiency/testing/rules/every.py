"""What is asked of every plugin."""

import json
from collections.abc import Mapping
from typing import Any

from sufficiency.data.foreign import contents
from sufficiency.schemas.words import PLUGIN_TASKS
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import seed
from sufficiency.testing.trial import Trial
from sufficiency.training.registry import PluginError


def has_the_shape_of_its_kind_and_a_schema_of_its_parameters(trial: Trial) -> None:
    """It has what is called of its kind, and its parameters can be said in JSON."""
    if (failure := trial.failure) is not None:
        raise Broken(f"{failure.error}. Mend it, or name another attribute.")


def is_documented(trial: Trial) -> None:
    """It and its parameters say what they are for."""
    described = trial.description
    if (said := getattr(trial.target, "tasks", None)) is not None and not trial.tasks and said not in ("any", ["any"]):
        raise Advice(
            f"What its `tasks` say, {said!r:.100}, is not understood, and it is taken to be for anything: name one or "
            f"more of {', '.join(PLUGIN_TASKS)}."
        )
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


def can_be_built(trial: Trial) -> None:
    """It is for what it is tried with, and can be built with the parameters."""
    named, of = trial.tasks, getattr(contents(trial.setting.train), "task", None)
    if named and of not in named:
        raise Broken(
            f"It is for {' and '.join(named)}, as its `tasks` say, and the dataset that it is tried with is for {of}: "
            "name another with --dataset, or correct what it says."
        )
    seed(0)
    try:
        trial.build()
    except PluginError as error:
        required = trial.description.params_schema.get("required") or []
        hint = f" Give what it needs: --params '{json.dumps(dict.fromkeys(required, '…'), ensure_ascii=False)}'."
        raise Broken(f"{error}.{hint if required else _shape_hint(trial)}") from error


def is_told_its_parameters(trial: Trial) -> None:
    """It needs parameters that nobody gives: it may be no plugin at all, but a part of one."""
    required = trial.description.params_schema.get("required") or []
    given = json.dumps(dict.fromkeys(required, "…"), ensure_ascii=False)
    raise Advice(
        f"Not tried: it needs {', '.join(required)}. If it is a plugin, name it and give them: "
        f"sufficiency plugins check {trial.path} --params '{given}'."
    )


def _shape_hint(trial: Trial) -> str:
    context = trial.setting.context
    shape = ",".join(map(str, context.input_shape))
    return f" It was built for items of shape {shape} and {context.num_classes} classes; see --shape, --classes."
