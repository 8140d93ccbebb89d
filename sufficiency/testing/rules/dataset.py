"""What is asked of a dataset."""

import copy
from collections.abc import Mapping

import numpy as np

from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents
from sufficiency.data.repeats import changed_when_read_again, marks_of
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.trial import Trial
from sufficiency.training.faults import describe
from sufficiency.training.repeatable import drawing_from
from sufficiency.training.splits import WAY_OUT

_READ_AGAIN = 100


def holds_items_that_can_be_used(trial: Trial) -> None:
    """The items can be read, and look as DataEval's strategies expect."""
    dataset = trial.build()
    try:
        contents(dataset)
    except DatasetError as error:
        raise Broken(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    item = dataset[0]
    if len(item) != 3 or not isinstance(item[2], Mapping):
        raise Advice("An item is not (input, target, metadata mapping), as DataEval's and MAITE's strategies expect.")


def is_the_same_when_read_again(trial: Trial) -> None:
    """Built twice and read twice, it holds the same items."""
    seen = []
    for _ in range(2):
        with drawing_from(np.random.SeedSequence(0)):  # as for a registered one, whose seed it is
            dataset = copy.copy(trial.build())
            seen.append(contents(dataset).fingerprint())
    with drawing_from(np.random.SeedSequence(1)):
        changed = changed_when_read_again(dataset, marks_of(dataset), "content", _READ_AGAIN)
    if changed is not None:
        raise Broken(f"{changed[:1].upper()}{changed[1:]} is another when it is read again. {WAY_OUT}")
    if seen[0] != seen[1]:
        raise Broken(
            "Built twice it holds different items: every job would end with `dataset_changed`. Seed what is "
            "random in it, or draw from Python's, NumPy's or torch's global generators, which are seeded before."
        )


def ends(trial: Trial) -> None:
    """One past its end is an IndexError."""
    dataset = trial.build()
    try:
        dataset[len(dataset)]
    except IndexError:
        return
    except Exception as error:
        raise Advice(
            f"One past its end it raises {describe(error)}; IndexError is what ends `for item in dataset`."
        ) from error
    raise Broken("One past its end it still returns an item: `for item in dataset` would never end. Raise IndexError.")
