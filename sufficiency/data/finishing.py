"""Two splits as their loaders read them become what is trained and tested on; all that is learnt is the first's."""

from typing import Any

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import ARRAY_TASKS, materialise, task_of
from sufficiency.data.precision import TOLERATED, TOLERATED_STANDARDISED, moves_for, remark_on
from sufficiency.data.scaling import scaled
from sufficiency.data.splitting import standardised
from sufficiency.data.tables.dataset import TableDataset, encoded


def finished(train: Any, test: Any, *, standardise: bool = False) -> tuple[Any, Any]:
    """Return both splits ready for a model.

    The rows of tables become numbers. Pixels without a range of their own are scaled by the training split's. Features
    that float32 does not hold are moved by the training split's median, and, where asked for, every feature is put at
    mean 0 and SD 1 of the training split. What was done stands on the splits' description.

    Parameters
    ----------
    train, test : dataset
        As the loaders return them; what needs nothing is returned as it is.
    standardise : bool
        Put every feature at mean 0 and SD 1.

    Raises
    ------
    DatasetError
        When the splits do not fit together, or cannot be standardised.
    """
    if isinstance(train, TableDataset) and isinstance(test, TableDataset):
        train, test = encoded(train, test)
    elif isinstance(test, TableDataset) and test.table.choices.missing == "impute":
        raise DatasetError(f"{test.source}: what fills a missing value is learnt from a training split that is a table")
    elif not standardise:
        train, test = _on_one_scale(train, test)
    pair = _told_apart(train, test, TOLERATED_STANDARDISED if standardise else TOLERATED)
    return standardised(*pair) if standardise else pair


def _on_one_scale(train: Any, test: Any) -> tuple[Any, Any]:
    # Somebody's own dataset stays what it is for their strategies; splits of two shapes are refused where compared.
    if not (isinstance(train, StoredItems) and isinstance(test, StoredItems)) or train.input_shape != test.input_shape:
        return train, test
    return scaled(train, test)


def _told_apart(train: Any, test: Any, tolerated: float) -> tuple[Any, Any]:
    """Return both splits with every number where float32 tells it from its neighbours."""
    if not all(isinstance(s, StoredItems) or task_of(s) in ARRAY_TASKS for s in (train, test)):
        return train, test
    first, second = materialise(train), materialise(test)
    if first.input_shape != second.input_shape:
        return train, test  # refused where the splits are compared
    if moves := moves_for(first, tolerated):
        remark = remark_on(moves, first.feature_names, first.source)
        done = Description(notes=(remark,))
        return (
            first.settled(moves, first.description.joined(done)),
            second.settled(moves, second.description.joined(done)),
        )
    return _as_it_is(train), _as_it_is(test)


def _as_it_is(split: Any) -> Any:
    # Somebody's own dataset stays what it is for their strategies.
    return split.settled({}, split.description) if isinstance(split, StoredItems) else split
