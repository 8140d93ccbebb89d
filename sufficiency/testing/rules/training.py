"""What is asked of a training strategy."""

import copy
from typing import Any

import numpy as np

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.foreign import contents
from sufficiency.testing.findings import Advice, Broken
from sufficiency.testing.seeding import reseeding_is_noticed, seed
from sufficiency.testing.setting import ITEMS, KEPT, weights
from sufficiency.testing.trial import Trial
from sufficiency.training.faults import describe


def _trained(trial: Trial, dataset: Any, indices: list[int]) -> tuple[Any, Any, Any]:
    model = trial.setting.fresh_model()
    before = copy.deepcopy(model)
    seed(3)
    returned = trial.build().train(model, dataset, indices)
    return model, before, returned


def changes_the_given_model(trial: Trial) -> None:
    """The model that is given is trained in place, and stays finite."""
    model, before, returned = _trained(trial, trial.setting.train, list(range(KEPT)))
    if trial.setting.same(model, before):
        if returned is not None and returned is not model:
            raise Broken(
                "train() returned another model and left the given one as it was: change the given one in place."
            )
        raise Broken("After train() the model's weights are what they were: is the optimiser given model.parameters()?")
    learnt = weights(model) or {}
    if lost := [name for name, values in learnt.items() if values.dtype.kind == "f" and not np.isfinite(values).all()]:
        raise Broken(f"After train() {lost[0]} holds NaN or infinity: lower the learning rate or clip the gradients.")


def respects_the_indices(trial: Trial) -> None:
    """What the indices do not name changes nothing."""
    sample = trial.setting.train
    if not isinstance(sample, ArrayDataset):
        raise Advice("It was tried with a dataset of your own, in which other items cannot be exchanged; not checked.")
    kept = list(range(0, ITEMS, 2))[: KEPT // 2]
    others = np.setdiff1d(np.arange(len(sample)), kept)
    x, y = sample.x.copy(), sample.y.copy()
    x[others] = 1 - x[others]
    if sample.task == "multilabel":
        y[others] = 1 - y[others]
    else:
        y[others] = (y[others] + 1) % max(2, sample.num_classes) if sample.class_names else y[others] + 9
    names = sample.class_names or None
    changed = ArrayDataset(x, y, names, "the sample")
    first, _, _ = _trained(trial, trial.setting.train, kept)
    second, _, _ = _trained(trial, changed, kept)
    if not trial.setting.same(first, second):
        again, _, _ = _trained(trial, trial.setting.train, kept)
        if not trial.setting.same(first, again):
            return  # it is not deterministic, which is another rule's finding
        raise Broken(
            "Items that `indices` does not name change what is learnt: the subset would not be the subset. Train on "
            "torch.utils.data.Subset(dataset, indices) only, and take means and scales from it alone."
        )


def is_the_same_under_the_same_seed(trial: Trial) -> None:
    """Under the same seed the same is learnt, and nobody else seeds."""
    indices = list(range(KEPT))
    first, _, _ = _trained(trial, trial.setting.train, indices)
    with reseeding_is_noticed() as seen:
        second, _, _ = _trained_after_seeding(trial, indices, seen)
    if seen:
        raise Broken(
            f"train() calls {seen[0]}: all runs would draw the same batches. Leave seeding to the service, which seeds "
            "torch, numpy.random and random for each cell."
        )
    if not trial.setting.same(first, second):
        raise Broken(
            "Trained twice under the same seed it learns different weights: a cell could not be repeated. Draw from "
            "the global generators of torch, numpy.random or random, not one of your own, the clock or a set's order."
        )


def _trained_after_seeding(trial: Trial, indices: list[int], seen: list[str]) -> tuple[Any, Any, Any]:
    model = trial.setting.fresh_model()
    before = copy.deepcopy(model)
    seed(3)
    seen.clear()  # those were ours
    return model, before, trial.build().train(model, trial.setting.train, indices)


def takes_an_item_twice(trial: Trial) -> None:
    """An item may be named twice."""
    try:
        _trained(trial, trial.setting.train, [*range(10), *range(10)])
    except Exception as error:
        raise Broken(
            f"With an item twice in `indices` it raised {describe(error)}: the protocol dataeval draws "
            "with replacement."
        ) from error


def takes_a_subset_of_three(trial: Trial) -> None:
    """Three items are enough."""
    try:
        _trained(trial, trial.setting.train, [0, 1, 2])
    except Exception as error:
        raise Broken(
            f"With three items it raised {describe(error)}: the first steps of a schedule are small. Do not drop "
            "the last batch, and mind batch normalisation with one item."
        ) from error


def leaves_the_dataset_alone(trial: Trial) -> None:
    """The dataset is afterwards what it was."""
    before = contents(trial.setting.train).fingerprint()
    try:
        _trained(trial, trial.setting.train, list(range(KEPT)))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise Broken(
            f"train() writes into the dataset, whose arrays are read-only ({error}): the next cell would train on "
            "something else. Work on a copy."
        ) from error
    if contents(trial.setting.train).fingerprint() != before:
        raise Broken("train() changes the dataset: the next cell would train on something else. Work on a copy.")
