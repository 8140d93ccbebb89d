"""Which engine goes through a unit's cells, and why not the other."""

import copy
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins.batches import normalising
from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.plugins.training import ItemwiseDescent
from sufficiency.schemas.words import Engine, EngineChoice
from sufficiency.training.engines.stack import Stack, close
from sufficiency.training.faults import describe
from sufficiency.training.models import FreshModels
from sufficiency.training.unit import Study, UnitPlan

# Without being asked, only what leaves a GPU idle is stacked: of a larger model one step keeps it busy.
MOST_PARAMETERS = 4_000_000
# What the weights of all models of a stack may hold, and what is kept of a batch for its gradients. Beside the weights
# stand the models' own, gradients and two moments: in all six times this.
STACK_BYTES = 2**30
LEAST_MEMORY = 8 * STACK_BYTES
_ITEMS = 3


@dataclass(frozen=True)
class Chosen:
    """An engine.

    Attributes
    ----------
    why : str or None
        Why it is not the stacked one, where a job has settled on that.
    """

    name: Engine
    why: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What is kept of it with each cell; nothing of the one that goes without saying."""
        if self.name == "sequential" and self.why is None:
            return {}
        return {"engine": {"name": self.name} | ({"why": self.why} if self.why else {})}


def chosen_engine(unit: UnitPlan, study: Study, models: FreshModels) -> Chosen:
    """Return the engine of a unit: the stacked one where a job has settled on it, and its model lets itself be stacked.

    That is the same for all units of a job, being a matter of the model and the training alone.
    """
    if unit.engine != "stacked":
        return Chosen("sequential")
    model = models.specimen()
    why = _not_ours(study, model) or _not_alike(study, model)
    return Chosen("sequential", why) if why else Chosen("stacked")


def settled(unit: UnitPlan, study: Study, models: FreshModels) -> EngineChoice:
    """Return what a study settles on that leaves the choice open: stacks on a GPU, of small models that allow it."""
    if unit.engine != "auto" or unit.device == "cpu":
        return unit.engine
    model = models.specimen()
    why = _not_ours(study, model) or _not_alike(study, model) or _not_worth_it(model)
    return "auto" if why else "stacked"


def models_at_once(study: Study, model: nn.Module, batch: int) -> int:
    """Return how many models of a kind are stacked at most: by what they are, so that it is so many everywhere."""
    weights = sum(one.numel() * one.element_size() for one in [*model.parameters(), *model.buffers()])
    kept = 0

    def note(module: nn.Module, given: Any, answered: Any) -> None:
        nonlocal kept
        kept += answered.numel() * answered.element_size() if torch.is_tensor(answered) else 0

    parts = [module for module in model.modules() if not list(module.children())]
    hooks = [part.register_forward_hook(note) for part in parts]
    try:
        with torch.no_grad():
            model(first_items(study, model)[:1])
    finally:
        for hook in hooks:
            hook.remove()
    # Of what stands between two layers, such as an activation by a function, there is about as much again.
    return max(1, STACK_BYTES // max(weights, 2 * kept * min(batch, len(study.train)), 1))


def first_items(study: Study, model: nn.Module) -> Tensor:
    """Return some items of the training split, where the model is."""
    device = device_of(model)
    x, _ = tensors(study.train, device)
    items: Tensor = x[torch.arange(min(_ITEMS, len(study.train)), device=device)]
    return items


def _not_ours(study: Study, model: Any) -> str | None:
    strategy = study.training
    if not (isinstance(strategy, ItemwiseDescent) and type(strategy).__module__.startswith("sufficiency.plugins.")):
        return f"{study.names['training']} has a loop of its own"
    if model is None:
        return f"{study.names['model']} cannot be looked at before it is trained"
    named = study.names["model"]
    if not isinstance(model, nn.Module) or isinstance(model, EstimatorModel):
        return f"{named} is no network"
    if hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None:
        return f"{named} is compiled"
    if normalising(model):
        return f"{named} has batch normalisation, whose running statistics are each model's own"
    if any(isinstance(one, UninitializedParameter) for one in model.parameters()):
        return f"{named} makes its weights when it is first called"
    if not any(one.requires_grad for one in model.parameters()):
        return f"{named} has nothing to train"
    return None


def _not_alike(study: Study, model: nn.Module) -> str | None:
    """Return why two of a model do not answer together what each answers alone, found by trying it."""
    named = study.names["model"]
    try:
        with torch.no_grad():
            return _difference(model.train(), first_items(study, model))
    except Exception as error:
        return f"{named} does not let itself be stacked: {describe(error)}"


def _difference(model: nn.Module, items: Tensor) -> str | None:
    before, drawn = copy.deepcopy(dict(model.named_buffers())), _generators()
    alone = model(items)
    if drawn != _generators():
        return "the model draws random numbers in training, such as for dropout"
    if not all(torch.equal(value, before[name]) for name, value in model.named_buffers()):
        return "the model changes its buffers in training"
    if not close(alone, model(items)):
        return "the model answers otherwise each time that it is called"
    if not close(alone[:1], model(items[:1])):
        return "what the model answers for an item goes by the others of its batch"
    if not Stack([model, model]).agrees(items):
        return "two of the model answer otherwise together than alone"
    return None


def _generators() -> list[Any]:
    """Return the states of the generators, to be compared."""
    legacy = np.random.get_state(legacy=False)["state"]  # noqa: NPY002  (a model may draw from it)
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states += torch.cuda.get_rng_state_all()
    return [random.getstate(), legacy["key"].tobytes(), legacy["pos"], *(one.numpy().tobytes() for one in states)]


def _not_worth_it(model: nn.Module) -> str | None:
    """Return why a model is not stacked unless that is asked for."""
    count = sum(one.numel() for one in model.parameters())
    if count > MOST_PARAMETERS:
        return f"the model has {count:,} parameters, and one of more than {MOST_PARAMETERS:,} fills a GPU by itself"
    device = next(model.parameters()).device
    if device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory < LEAST_MEMORY:
        return f"the GPU has less than {LEAST_MEMORY / 2**30:.0f} GiB of memory"
    return None
