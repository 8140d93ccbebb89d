"""Looks whether a dataset is the same each time that it is read, before jobs may be on it."""

from collections.abc import Sequence
from contextlib import suppress

from sufficiency.data.arrays import StoredItems
from sufficiency.data.errors import DatasetError
from sufficiency.data.near.copies import near_copies
from sufficiency.data.repeats import changed_when_built_again, changed_when_read_again, marks_of
from sufficiency.schemas.work import SplitSource
from sufficiency.training.faults import Fault, fault
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import drawing_from
from sufficiency.training.splits import SPLITS, WAY_OUT, SplitReader, Splits, seed_of

# Of a dataset's seed: none that it is built or read with.
_AGAIN = 3

_SEEDED = (
    "Python's, NumPy's and torch's global generators are seeded before a dataset is built: draw from them, or give the "
    "generator a seed."
)
_LABELS = "Labels must be what they are, however the dataset is known again; seed what is random in them."


def examined(reader: SplitReader, registry: Registry, train: SplitSource, test: SplitSource) -> Splits:
    """Return what a dataset is now, when it has been seen to be the same each time that it is read.

    The service's own loaders read files, and files are what they are; somebody's own dataset is built and read twice.

    Parameters
    ----------
    reader : SplitReader
    registry : Registry
        Where it finds its loaders.

    Raises
    ------
    Fault
        When it cannot be read, the two splits do not belong together, or items are others when read again.
    """
    splits = reader.read_anew(train, test)
    loaders = [train.loader, test.loader, *(lot.loader for lot in train.appended)]
    if all(_is_of_the_house(registry, loader) for loader in loaders):
        return _compared(splits)
    differ = _read_again(splits, train)
    before = [marks_of(split) for split in (splits.train, splits.test)]
    del splits  # not two of them in memory
    splits = reader.read_anew(train, test)
    after = [marks_of(split) for split in (splits.train, splits.test)]
    for which, first, second in zip(SPLITS, before, after, strict=True):
        if what := changed_when_built_again(first, second, train.fingerprint):
            if train.fingerprint == "structure":
                raise _differing(train, f"{what} of the {which} split is another whenever it is built. {_LABELS}")
            raise _differing(
                train,
                f"{what} of the {which} split is another whenever the loader builds the dataset: it draws random "
                f"numbers from a generator of its own. {_SEEDED} {WAY_OUT}",
            )
        if changed_when_built_again(first, second, "content"):
            differ.append(which)
    _doubt(splits, differ)
    return _compared(splits)


def looked_over(splits: Splits, most: int = 100) -> Splits:
    """Return splits of objects at hand, warned about where some of their items are others when they are read again.

    Parameters
    ----------
    most : int
        At most so many items of a split are read.
    """
    differ = []
    with drawing_from(seed_of(0, _AGAIN)):
        for which, split in zip(SPLITS, (splits.train, splits.test), strict=True):
            # What cannot be read as items with a target is its own strategies' affair.
            with suppress(DatasetError):
                if changed_when_read_again(split, marks_of(split), "content", most):
                    differ.append(which)
    _doubt(splits, differ)
    return _compared(splits)


def _compared(splits: Splits) -> Splits:
    """Return splits with what there is to be said of their near copies.

    It is looked for where a dataset is examined alone: a trainer that reads it again is told nothing new.
    """
    with suppress(DatasetError):  # items for strategies of their own
        found = near_copies(splits.train, splits.test)
        if isinstance(found, str):
            splits.info["near_copies"] = {"skipped": found}
        else:
            splits.info["near_copies"] = found.as_info()
            if doubts := found.doubts():
                splits.info.setdefault("warnings", []).extend(vars(doubt) for doubt in doubts)
    return splits


def _doubt(splits: Splits, differ: Sequence[str]) -> None:
    if not differ:
        return
    which = " and ".join(f"the {name} split" for name in dict.fromkeys(differ))
    doubt = (
        f"items of {which} are others whenever they are read: the service's own strategies work on one reading of "
        "them, and the values are not the same again where items are drawn anew"
    )
    if "test" in differ:
        doubt += ", those of the test split scattering more than the training alone makes them"
    splits.info.setdefault("warnings", []).append({"code": "items_differ", "detail": doubt})


def _read_again(splits: Splits, source: SplitSource) -> list[str]:
    """Return which splits give other items when they are read again; a fault where that is not allowed."""
    differ = []
    with drawing_from(seed_of(source.seed, _AGAIN)):
        for which, split in zip(SPLITS, (splits.train, splits.test), strict=True):
            if isinstance(split, StoredItems):
                continue
            marks = marks_of(split)
            what = changed_when_read_again(split, marks, source.fingerprint)
            if what and source.fingerprint == "structure":
                raise _differing(source, f"{what} of the {which} split is another when it is read again. {_LABELS}")
            if what:
                raise _differing(
                    source,
                    f"{what} of the {which} split is another when it is read again, as items are that are drawn or "
                    f"changed at random (augmentation), so that no cell could be measured twice alike. {WAY_OUT}",
                )
            if source.fingerprint == "structure" and changed_when_read_again(split, marks, "content"):
                differ.append(which)
    return differ


def _is_of_the_house(registry: Registry, loader: str) -> bool:
    target = registry.target("dataset", loader)
    return str(getattr(target, "__module__", "")).startswith("sufficiency.plugins.")


def _differing(source: SplitSource, detail: str) -> Fault:
    where = {"plugin": f"dataset:{source.loader}", "phase": "dataset"}
    return Fault(fault("dataset_invalid", f"{detail[:1].upper()}{detail[1:]}", where))
