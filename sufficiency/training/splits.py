"""Reads the two splits of a dataset, and keeps those that were read last."""

import hashlib
import weakref
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.foreign import forget_materialised, labels_of, let_go
from sufficiency.data.joining import cut, joined
from sufficiency.data.pairing import fingerprint_of, verify_splits
from sufficiency.data.seal import Seal
from sufficiency.data.splitting import part_of
from sufficiency.data.stamps import Stamps, stamps_of_what_is_read
from sufficiency.data.tensors import forget_tensors, written_tensors
from sufficiency.schemas.spec import PluginRef
from sufficiency.schemas.work import FeatureSource, SplitPart, SplitSource
from sufficiency.training.build import build
from sufficiency.training.faults import Fault, describe, fault
from sufficiency.training.features import featured
from sufficiency.training.registry import DatasetContext, Registry
from sufficiency.training.repeatable import drawing_from

KEPT_DATASETS = 3

SPLITS = ("training", "test")
# Streams of a dataset's seed: the building of either split has its number.
_READING = 2
_APPENDED = 100

# Where a dataset is not the same each time, this is what can be done.
WAY_OUT = (
    "Augment in the training strategy, whose random numbers are seeded cell by cell; or register the dataset with "
    'fingerprint "structure", by which it is known again by its sizes and labels alone.'
)
_STRUCTURE = (
    "it is known again by its sizes and labels alone (fingerprint: structure), so that it goes unnoticed when its "
    "items have changed"
)


@dataclass(frozen=True)
class Splits:
    """A dataset's two splits as their loaders made them, and what was found in them."""

    train: Any
    test: Any
    labels: NDArray[np.int64] | None
    info: dict[str, Any]
    fingerprint: str
    context: DatasetContext
    stamps: Stamps = field(default_factory=Stamps)
    seals: tuple[Seal, ...] = ()

    @property
    def is_stored(self) -> bool:
        """Whether what they hold is known, and not somebody's own object."""
        return all(isinstance(split, StoredItems) for split in (self.train, self.test))

    @property
    def is_in_memory(self) -> bool:
        """Whether all that a cell is given has been read."""
        return all(isinstance(split, ArrayDataset) for split in (self.train, self.test))


class SplitReader:
    """Reads datasets with the loaders of a registry.

    Parameters
    ----------
    registry : Registry
        The plugins.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: OrderedDict[str, Splits] = OrderedDict()

    def forget_strangers(self) -> None:
        """Have somebody's own datasets built anew, and all others moved to their device anew, for another job."""
        self._kept = OrderedDict((key, splits) for key, splits in self._kept.items() if splits.is_stored)
        forget_materialised()
        forget_tensors()

    def check_unwritten(self, splits: Splits, train: SplitSource, test: SplitSource, name: str) -> None:
        """Look whether what a cell was measured on is still what was verified, as far as that is seen at once.

        Raises
        ------
        Fault
            When a strategy has changed it in place, or its file has been written to while it was read from.
        """
        if written_tensors(splits.train) or written_tensors(splits.test):
            raise Fault(_altered(name, ["its tensors"]))
        if not splits.is_in_memory and splits.stamps.changed():
            self.verified(train, test, splits.fingerprint, name)
            splits.stamps.renew()  # they hold what they held

    def mend(self, splits: Splits, name: str) -> None:
        """Have kept splits as they were read, or not keep them.

        Raises
        ------
        Fault
            When their arrays were written to.
        """
        if written := [array for seal in splits.seals for array in seal.mended()]:
            self._kept = OrderedDict((key, kept) for key, kept in self._kept.items() if kept is not splits)
            forget_tensors()
            raise Fault(_altered(name, sorted(set(written))))

    def verified(self, train: SplitSource, test: SplitSource, fingerprint: str, name: str) -> Splits:
        """Return a dataset that was verified before, if it is still what it was.

        Parameters
        ----------
        fingerprint : str
            What was found when it was verified.
        name : str
            What an error calls it.

        Raises
        ------
        Fault
            When it cannot be read, or is another now.
        """
        splits = self._read_once(train, test)
        if splits.fingerprint != fingerprint:
            # The files may have changed, and been verified again, since this process read them.
            first, splits = splits.fingerprint, self.read_anew(train, test)
            if splits.fingerprint not in (fingerprint, first):
                detail = (
                    f"The data of dataset {name!r} are others whenever they are read (fingerprints "
                    f"{_short(fingerprint)}, {_short(first)}, {_short(splits.fingerprint)}): its loader draws at "
                    f"random. {WAY_OUT}"
                )
                raise Fault(fault("dataset_changed", detail, {"phase": "dataset"}))
        if splits.fingerprint != fingerprint:
            detail = (
                f"The data of dataset {name!r} are not those that were verified (fingerprint "
                f"{_short(splits.fingerprint)}, then {_short(fingerprint)}). Restore them; or have the "
                "dataset verified again, and start the job anew."
            )
            raise Fault(fault("dataset_changed", detail, {"phase": "dataset"}))
        return splits

    def read_anew(self, train: SplitSource, test: SplitSource) -> Splits:
        """Return what a dataset is now, whatever was read before.

        Raises
        ------
        Fault
            When it cannot be read, or the two splits do not belong together.
        """
        self._kept.pop(_key(train, test), None)
        forget_materialised()
        return self._read_once(train, test)

    def _read_once(self, train: SplitSource, test: SplitSource) -> Splits:
        key = _key(train, test)
        if key in self._kept and self._kept[key].stamps.changed():
            del self._kept[key]  # its files were written since
            forget_materialised()
        if key not in self._kept:
            while len(self._kept) >= KEPT_DATASETS:
                self._kept.popitem(last=False)
            self._kept[key] = self._read(train, test)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _read(self, train: SplitSource, test: SplitSource) -> Splits:
        with stamps_of_what_is_read() as stamps:
            built = self._both(train, test)
            pieces = [built[0], *self._appended(train)]
        made = [id(split) for split in (*pieces, built[1])]
        try:
            with drawing_from(seed_of(train.seed, _READING)):
                if train.features is not None:
                    built, info, fingerprint = self._featured(built, train, train.features)
                elif train.continues is not None:
                    built, info, fingerprint = _grown(pieces, built[1], train)
                    made.append(id(built[0]))
                else:
                    built = finished(*built, standardise=train.standardise)
                    info, fingerprint = verify_splits(*built, train.fingerprint)
        except Fault:  # of a model whose features are wanted
            let_go(*made)
            raise
        except Exception as error:
            let_go(*made)
            detail = f"The dataset cannot be used: {_said(error)}"
            where = {"plugin": f"dataset:{train.loader}", "phase": "dataset"}
            raise Fault(fault("dataset_invalid", detail, where, exception=error)) from error
        context = _context(info)
        if train.fingerprint == "structure":
            info.setdefault("notes", []).append({"code": "fingerprint_of_structure", "detail": _STRUCTURE})
        seals = tuple(Seal(split) for split in built)
        splits = Splits(built[0], built[1], labels_of(built[0]), info, fingerprint, context, stamps, seals)
        weakref.finalize(splits, let_go, *made)
        return splits

    def _featured(
        self, built: tuple[Any, Any], source: SplitSource, features: FeatureSource
    ) -> tuple[tuple[Any, Any], dict[str, Any], str]:
        """Return both splits with features in place of their items; the fingerprint is of the items and the model.

        What a model answers differs in its last digits between machines, and the dataset is the same.
        """
        whole = finished(*built)
        info, fingerprint = verify_splits(*whole, source.fingerprint)
        train, test, identity = featured(self._registry, features, *whole, _context(info))
        made = finished(train, test, standardise=source.standardise)
        told, _ = verify_splits(*made)
        mark = "structure:" if fingerprint.startswith("structure:") else ""
        digest = hashlib.sha256(f"{fingerprint}{identity}{source.standardise}".encode()).hexdigest()
        return made, {**told, "test_items_in_train": info.get("test_items_in_train")}, mark + digest

    def _appended(self, train: SplitSource) -> list[Any]:
        """Return what versions of the dataset have added, as its loaders made it."""
        made = []
        for k, lot in enumerate(train.appended):
            loader = PluginRef(name=lot.loader, params=lot.params)
            try:
                with drawing_from(seed_of(train.seed, _APPENDED + k)):
                    made.append(build(self._registry, "dataset", loader))
            except Fault as error:
                if error.error["code"] == "plugin_unavailable":
                    raise
                unusable = {**error.error, "code": "dataset_invalid"}
                unusable["detail"] = f"The items that were added cannot be used: {unusable['detail']}"
                raise Fault(unusable) from error
        return made

    def _both(self, train: SplitSource, test: SplitSource) -> tuple[Any, Any]:
        built: list[Any] = []
        whole: dict[str, Any] = {}  # both parts of one source are cut from one reading of it
        for split, source in zip(SPLITS, (train, test), strict=True):
            loader = PluginRef(name=source.loader, params=source.params)
            try:
                # Of both splits the same noise would be no noise.
                with drawing_from(seed_of(source.seed, SPLITS.index(split))):
                    if (key := loader.model_dump_json()) not in whole:
                        whole[key] = build(self._registry, "dataset", loader)
                    built.append(_part(whole[key], source.part, f"dataset:{loader.name}"))
            except Fault as error:
                if error.error["code"] == "plugin_unavailable":
                    raise
                unusable = {**error.error, "code": "dataset_invalid"}
                unusable["detail"] = f"The {split} split cannot be used: {unusable['detail']}"
                raise Fault(unusable) from error
        return built[0], built[1]


def _grown(pieces: list[Any], test: Any, source: SplitSource) -> tuple[tuple[Any, Any], dict[str, Any], str]:
    """Return both splits of a dataset that has grown, what is in them, and their fingerprint.

    All that is learnt from training items (scales, categories, fillings) is learnt from the first version's, so that
    what was measured then would be measured again.
    """
    lots = cut(pieces, source.sizes)
    first, tested = finished(lots[0], test, standardise=source.standardise)
    ready = [first, *(finished(lots[0], lot, standardise=source.standardise)[1] for lot in lots[1:])]
    ends = np.cumsum([len(lot) for lot in ready]).tolist()
    before = joined(ready[: ends.index(source.sizes[-1]) + 1]) if source.sizes[-1] in ends else None
    if before is None or fingerprint_of(before, tested, source.fingerprint) != source.continues:
        raise DatasetError(
            f"its first {source.sizes[-1]} training items, or its test split, are not those of the version before: a "
            "version keeps them as they are, in their order, and adds items behind them. Restore them, or register the "
            "data under another name"
        )
    train = joined(ready)
    info, fingerprint = verify_splits(train, tested, source.fingerprint)
    info["train"]["sizes"] = [*source.sizes, len(train)]
    return (train, tested), info, fingerprint


def _context(info: dict[str, Any]) -> DatasetContext:
    # A regression has one output, and no classes to keep the proportions of.
    classes = len(info["class_names"]) or int(info["task"] == "regression")
    why = next((one["detail"] for one in info.get("warnings") or [] if one["code"] == "uneven_items"), "")
    return DatasetContext(input_shape=tuple(info["input_shape"]), num_classes=classes, why=why)


def _part(dataset: Any, part: SplitPart | None, plugin: str) -> Any:
    if part is None:
        return dataset
    try:
        return part_of(dataset, **asdict(part))
    except Exception as error:
        where = {"plugin": plugin, "phase": "split"}
        raise Fault(fault("dataset_invalid", _said(error), where, exception=error)) from error


def _altered(name: str, what: list[str]) -> dict[str, Any]:
    detail = (
        f"A strategy changed dataset {name!r} in place ({', '.join(what)}), so that every cell after it would train or "
        "be tested on something else. Work on a copy (x = x.clone(), or x.copy()), then retry the job."
    )
    return fault("dataset_altered", detail, {"phase": "dataset"})


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, DatasetError) else describe(error)


def seed_of(seed: int, stream: int) -> np.random.SeedSequence:
    """Return the seed of one stream of a dataset's."""
    return np.random.SeedSequence(entropy=seed, spawn_key=(stream,))


def _short(fingerprint: str) -> str:
    return f"{fingerprint.removeprefix('structure:')[:12]}…"


def _key(train: SplitSource, test: SplitSource) -> str:
    return repr((train, test))
