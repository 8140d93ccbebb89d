"""What is asked of a reset strategy."""

import copy

from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import seed
from sufficiency.testing.trial import Trial


def forgets_what_was_learnt(trial: Trial) -> None:
    """The model that is returned has other weights, and others again under another seed."""
    trained = trial.setting.fresh_model(5)
    reset = trial.build()
    seed(6)
    first = reset(copy.deepcopy(trained))
    seed(7)
    second = reset(copy.deepcopy(trained))
    if first is None or second is None:
        raise Broken("It returned None: a reset strategy must return the model.")
    if trial.setting.same(first, trained):
        raise Broken("The model it returns has the weights that it was given: nothing was reset.")
    if trial.setting.same(first, second):
        raise Advice(
            "Under two seeds it returns the same weights: all runs begin alike, so that their spread is too small."
        )


def is_the_same_under_the_same_seed(trial: Trial) -> None:
    """Under the same seed the weights are the same."""
    model, reset = trial.setting.fresh_model(5), trial.build()
    seed(6)
    first = reset(copy.deepcopy(model))
    seed(6)
    if not trial.setting.same(first, reset(copy.deepcopy(model))):
        raise Broken("Under the same seed it returns different weights: draw from torch's global generator.")
