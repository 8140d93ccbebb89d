"""Two splits as their loaders read them become what is trained and tested on; all that is learnt is the first's."""

from typing import Any

from sufficiency.data.alignment import aligned
from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents, prepare
from sufficiency.data.layout import looks_channels_last
from sufficiency.data.precision import TOLERATED, TOLERATED_STANDARDISED, moves_for, remark_on
from sufficiency.data.scaling import scaled
from sufficiency.data.splitting import standardised
from sufficiency.data.tables.dataset import TableDataset, encoded


def finished(train: Any, test: Any, *, standardise: bool = False) -> tuple[Any, Any]:
    """Return both splits ready for a model.

    The rows of tables become numbers. Pixels without a range of their own are scaled by the training split's. Features
    that float32 does not hold are moved by the training split's median, and, where asked for, every feature is put at
    mean 0 and SD 1 of the training split. Classes are matched by name.
    What was done stands on the splits' description.

    Parameters
    ----------
    train, test : dataset
        As the loaders return them; what needs nothing is returned as it is. Somebody's own is returned as it is too;
        what the service's strategies get of it is kept by `sufficiency.data.foreign.prepare`.
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
    test = aligned(train, test)
    pair = _told_apart(train, test, TOLERATED_STANDARDISED if standardise else TOLERATED)
    return standardised(*pair) if standardise else pair


_CHANNELS_LAST = Description(
    warnings=(
        Remark(
            "channels_last",
            "the items look like images with their channels last, and are given to models as they are; MAITE's "
            "datasets, and models of images, have them first: return image.transpose(2, 0, 1)",
        ),
    )
)


def _on_one_scale(train: Any, test: Any) -> tuple[Any, Any]:
    first, second = contents(train), contents(test)
    # Splits of two shapes are refused where they are compared.
    if not (isinstance(first, StoredItems) and isinstance(second, StoredItems)) or (
        first.input_shape != second.input_shape
    ):
        return train, test
    seen = first
    if not isinstance(train, StoredItems) and looks_channels_last(first.input_shape):
        seen = first.described(_CHANNELS_LAST)
    ours, theirs = scaled(seen, second)
    return (train if ours is first else _given(train, ours)), (test if theirs is second else _given(test, theirs))


def _told_apart(train: Any, test: Any, tolerated: float) -> tuple[Any, Any]:
    """Return both splits with every number where float32 tells it from its neighbours."""
    first, second = contents(train), contents(test)
    if not (isinstance(first, StoredItems) and isinstance(second, StoredItems)):
        return train, test
    if first.input_shape != second.input_shape:
        return train, test  # refused where the splits are compared
    moves = moves_for(first, tolerated)
    if moves:
        done = Description(notes=(remark_on(moves, first.feature_names, first.source),))
        return (
            _given(train, first.settled(moves, first.description.joined(done))),
            _given(test, second.settled(moves, second.description.joined(done))),
        )
    return _as_it_is(train), _as_it_is(test)


def _as_it_is(split: Any) -> Any:
    return split.settled({}, split.description) if isinstance(split, StoredItems) else split


def _given(split: Any, arrays: StoredItems) -> Any:
    """Return what strategies are given: somebody's own dataset stays what it is for their own."""
    if isinstance(split, StoredItems):
        return arrays
    prepare(split, arrays)
    return split
