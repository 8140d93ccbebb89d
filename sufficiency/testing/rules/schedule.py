"""What is asked of a schedule."""

import numpy as np

from sufficiency.method.schedule import ScheduleError, check_steps
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.trial import Trial


def names_steps_that_can_be_measured(trial: Trial) -> None:
    """It names whole, growing steps within the split."""
    for size in (100, 2500):
        steps = np.atleast_1d(np.asarray(trial.build().get_steps(size)))
        if steps.ndim != 1 or steps.dtype.kind not in "iu":
            raise Broken(f"For {size} items it returns {steps!r:.80}: return whole numbers, one a step.")
        try:
            check_steps(steps.tolist(), size)
        except (ScheduleError, ValueError) as error:
            raise Broken(f"For {size} items it names {steps.tolist()[:8]}: {error}.") from error


def names_the_same_steps_again(trial: Trial) -> None:
    """Asked twice, it names the same steps."""
    if np.asarray(trial.build().get_steps(1000)).tolist() != np.asarray(trial.build().get_steps(1000)).tolist():
        raise Advice("Asked twice it names different steps: two jobs with the same spec would not be comparable.")
