"""A look at the model before anything is spent: whether its outputs are what the strategies and the dataset need."""

from typing import Any

from sufficiency.training.faults import Fault, describe, fault
from sufficiency.training.models import FreshModels
from sufficiency.training.unit import Study, UnitPlan


def check_model(unit: UnitPlan, study: Study, models: FreshModels) -> None:
    """Hold an untrained model to what the strategies say of it, where they do: by a method `check_model`.

    Only by the unit that begins a job: it has the cells of run 0. The cells seed all that is random after it, so that
    it changes nothing of what they measure.

    Raises
    ------
    Fault
        With the code ``model_unfit``, when a strategy refuses the model.
    """
    if unit.sampling == 1:
        return  # a job of version 0.1 is continued as it was begun
    cells = [cell for cell in unit.cells if cell.is_open and cell.run == 0]
    checks = [
        (study.names[kind], check, split)
        for kind, strategy, split in (
            ("training", study.training, study.train),
            ("evaluation", study.evaluation, study.test),
        )
        if callable(check := getattr(strategy, "check_model", None))
    ]
    if not cells or not checks:
        return
    model: Any = models.specimen()
    if model is None:
        return
    for plugin, check, split in checks:
        try:
            check(model, split)
        except Exception as error:
            named = study.names["model"]
            said = str(error) if isinstance(error, TypeError | ValueError) else describe(error)
            detail = (
                f"{named} does not go with {plugin} and this dataset: {said}. Nothing was trained; mend the model or "
                "choose what goes with it, then submit the job anew."
            )
            where = {"plugin": named, "phase": "check"}
            raise Fault(fault("model_unfit", detail, where, exception=error)) from error
