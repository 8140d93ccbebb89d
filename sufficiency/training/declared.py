"""What a plugin says that it is for, and what kind of model it is or trains."""

import inspect
import typing
from functools import partial
from typing import Any

import torch

from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.schemas.words import FAMILIES, PLUGIN_TASKS

HAVE_TASKS = ("model", "training", "evaluation", "reset")


def declared(kind: str, target: Any) -> dict[str, Any]:
    """Return the capabilities "tasks", "tasks_by" and "families" of a plugin.

    Parameters
    ----------
    kind : str
    target : object
        The class, function or instance. Its attribute `tasks` names what it is for; `tasks_by`, in its place, is
        ``{"param": name, "tasks": {value: [task, …]}}`` where a parameter decides. `trains` names the families of
        models that a training trains; a model's own are seen by its class. Where `stacks` is true, several models may
        be trained at once, and small ones of a model that says so are, on a GPU.
    """
    if kind not in HAVE_TASKS:
        return {}
    of = target.func if isinstance(target, partial) else target
    told: dict[str, Any] = {"tasks": tasks(of) or ["any"]}
    by = getattr(of, "tasks_by", None)
    if isinstance(by, dict) and set(by) == {"param", "tasks"}:
        told["tasks_by"] = by
    families = _families_trained(of) if kind == "training" else _families(of) if kind == "model" else []
    # Its own word: what derives from it may do anything.
    told |= {"stacks": True} if kind in ("model", "training") and vars(of).get("stacks") is True else {}
    return told | ({"families": families} if families else {})


def tasks(target: Any) -> list[str]:
    """Return the tasks that a plugin names, in the words of the service; none where it names none that are known.

    Somebody's own class may have an attribute of that name which means something else.
    """
    named = getattr(target, "tasks", None)
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, list | tuple | set | frozenset) or not all(word in PLUGIN_TASKS for word in named):
        return []
    return [] if "any" in named else [word for word in PLUGIN_TASKS if word in named]


def _families_trained(target: Any) -> list[str]:
    named = getattr(target, "trains", ())
    if not isinstance(named, list | tuple) or not all(word in FAMILIES for word in named):
        return []
    return list(named)


def _families(target: Any) -> list[str]:
    made = target
    if inspect.isroutine(target):
        try:
            made = typing.get_type_hints(target).get("return")
        except Exception:  # an annotation that cannot be resolved says nothing
            return []
    elif not inspect.isclass(target):
        made = type(target)
    # Of a function that says no more than that it returns a module, it cannot be told what it returns.
    if not inspect.isclass(made) or not issubclass(made, torch.nn.Module) or made is torch.nn.Module:
        return []
    if issubclass(made, EstimatorModel):
        return ["estimator"]
    return ["network", "lightning"] if is_lightning(made) else ["network"]


def is_lightning(made: type) -> bool:
    """Tell whether a class is a LightningModule, of either package, without importing one."""
    return any(
        base.__name__ == "LightningModule" and base.__module__.split(".")[0] in ("lightning", "pytorch_lightning")
        for base in made.__mro__
    )
