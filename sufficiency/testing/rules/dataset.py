"""What is asked of a dataset."""

import copy
from collections.abc import Mapping

from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.trial import Trial
from sufficiency.training.faults import describe


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
    """Built twice, it holds the same items."""
    if contents(trial.build()).fingerprint() != contents(copy.copy(trial.build())).fingerprint():
        raise Broken(
            "Read twice it holds different items: every job would end with `dataset_changed`. Seed what is "
            "random in it."
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
