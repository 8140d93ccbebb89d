"""Fresh models: no cell's model has ever been trained before."""

import copy
from typing import Any

import torch

from sufficiency.method.sampling import cell_seed
from sufficiency.schemas.work import UnitCell
from sufficiency.training.faults import blamed_on
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.unit import Study, UnitPlan


class FreshModels:
    """Makes the model of each cell.

    Without a reset strategy a class or factory builds each cell's model anew, under that cell's seed. A ready-made
    model is copied instead and its modules reset their parameters where they can. A reset strategy is given an
    untrained copy of one template, the same for all cells of the job.
    """

    def __init__(self, unit: UnitPlan, study: Study) -> None:
        self._unit = unit
        self._study = study
        with blamed_on(study.names["model"], "model"):
            self._is_ready_made = study.model() is study.model()

    def model(self, cell: UnitCell) -> Any:
        """Return the model of a cell, on the unit's device; the caller has seeded the generators."""
        study = self._study
        with blamed_on(study.names["model"], "model", cell.place):
            if study.reset is None:
                return self._placed(self._adopted(self._reset_copy() if self._is_ready_made else study.model()))
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
            made = self._study.model()
            return self._placed(self._adopted(copy.deepcopy(made) if self._is_ready_made else made))
        except Exception:  # the first cell says so, and where
            return None

    def _reset_copy(self) -> Any:
        model = copy.deepcopy(self._study.model())
        if callable(modules := getattr(model, "modules", None)):
            with torch.no_grad():
                for module in modules():
                    if callable(reset := getattr(module, "reset_parameters", None)):
                        reset()
        return model

    def _template(self) -> Any:
        if self._is_ready_made:
            return copy.deepcopy(self._study.model())
        # Built again rather than copied: not every model can be copied.
        seed_everything(cell_seed(self._unit.seed, 0, 0))
        return self._study.model()

    def _adopted(self, model: Any) -> Any:
        """Return a model as its training takes it, where that says so by a method `adopt`."""
        adopt = getattr(self._study.training, "adopt", None)
        return adopt(model, self._study.train) if callable(adopt) else model

    def _placed(self, model: Any) -> Any:
        to = getattr(model, "to", None)
        return to(self._unit.device) if self._unit.placed and callable(to) else model
