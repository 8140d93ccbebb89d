"""Fresh models: no cell's model has ever been trained before."""

from typing import Any

import torch
from torch import nn

from sufficiency.method.sampling import cell_seed
from sufficiency.plugins.copying import copied, share_parts
from sufficiency.schemas.work import UnitCell
from sufficiency.training.faults import blamed_on
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.unit import Study, UnitPlan


class FreshModels:
    """Makes the model of each cell.

    Without a reset strategy a class or factory builds each cell's model anew, under that cell's seed. A ready-made
    model is copied instead and its modules reset their parameters where they can, but for what is frozen: that was
    given its weights. A reset strategy is given an untrained copy of one template, the same for all cells of the job.

    What a factory builds around parts that it keeps (a backbone of its module, a module as a default argument) is
    copied as well: the parts stay what they are, where one cell would otherwise go on from what another has learnt.
    """

    def __init__(self, unit: UnitPlan, study: Study) -> None:
        self._unit = unit
        self._study = study
        with blamed_on(study.names["model"], "model"):
            first, second = study.model(), study.model()
        self._is_ready_made = first is second
        self._keeps_parts = not self._is_ready_made and share_parts(first, second)

    def model(self, cell: UnitCell) -> Any:
        """Return the model of a cell, on the unit's device; the caller has seeded the generators."""
        study = self._study
        with blamed_on(study.names["model"], "model", cell.place):
            if study.reset is None:
                return self._placed(self._adopted(self._reset_copy() if self._is_ready_made else self._built()))
            template = self._template()
        with blamed_on(study.names["reset"], "reset", cell.place):
            seed_everything(cell_seed(self._unit.seed, cell.run, cell.step))
            model = study.reset(template)
            if model is None:
                raise TypeError("it returned None; a reset strategy must return the model")
            return self._placed(self._adopted(model))

    def specimen(self) -> Any:
        """Return an untrained model that is no cell's, to be looked at, or None where none can be had.

        No reset strategy is asked: it may count the models that it is given.
        """
        try:
            made = copied(self._study.model()) if self._is_ready_made else self._built()
            return self._placed(self._adopted(made))
        except Exception:  # the first cell says so, and where
            return None

    def _built(self) -> Any:
        made = self._study.model()
        return copied(made) if self._keeps_parts else made

    def _reset_copy(self) -> Any:
        model = copied(self._study.model())
        if callable(modules := getattr(model, "modules", None)):
            with torch.no_grad():
                for module in modules():
                    if not _is_frozen(module) and callable(reset := getattr(module, "reset_parameters", None)):
                        reset()
        return model

    def _template(self) -> Any:
        if self._is_ready_made:
            return copied(self._study.model())
        # Built again rather than copied: not every model can be copied.
        seed_everything(cell_seed(self._unit.seed, 0, 0))
        return self._built()

    def _adopted(self, model: Any) -> Any:
        """Return a model as its training takes it, where that says so by a method `adopt`."""
        adopt = getattr(self._study.training, "adopt", None)
        return adopt(model, self._study.train) if callable(adopt) else model

    def _placed(self, model: Any) -> Any:
        to = getattr(model, "to", None)
        return to(self._unit.device) if self._unit.placed and callable(to) else model


def _is_frozen(module: Any) -> bool:
    parameters = list(module.parameters()) if isinstance(module, nn.Module) else []
    return bool(parameters) and not any(one.requires_grad for one in parameters)
