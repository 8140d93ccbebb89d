"""A table's rows before they are numbers, and two splits of them as numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import ArrayDataset, StoredItems
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.likeness import twins
from sufficiency.data.precision import TOLERATED_STANDARDISED, Move, OneFeature, moves_for, remark_on
from sufficiency.data.tables.columns import Column, Texts, counts_rows
from sufficiency.data.tables.encoding import Choices, Coder, coder_for
from sufficiency.data.tables.faults import Faults
from sufficiency.data.tables.suspicions import giveaways, identifiers


@dataclass(frozen=True)
class Table:
    """Columns of some rows.

    Parameters
    ----------
    features : mapping from str to Column
        What a model gets, in its order.
    spare : mapping from str to Column
        What was left out for what it holds, and may be wanted where the other split has it.
    choices : Choices
    chosen : bool
        Whether the features were named by the user, so that none of them is left out.
    """

    features: Mapping[str, Column]
    spare: Mapping[str, Column]
    choices: Choices
    chosen: bool

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """Return the table of these rows."""
        return replace(
            self,
            features={name: column.take(rows) for name, column in self.features.items()},
            spare={name: column.take(rows) for name, column in self.spare.items()},
        )


class TableDataset(StoredItems):
    """Rows of a table that become numbers together with the training split; by themselves, as their own.

    Parameters
    ----------
    table : Table
    y, class_names, source, item_metadata, description
        As `StoredItems` has them.

    Raises
    ------
    DatasetError
        For no rows.
    """

    def __init__(
        self,
        table: Table,
        y: NDArray[Any],
        class_names: Sequence[str] | None,
        source: str,
        item_metadata: Mapping[str, NDArray[Any]] | None = None,
        description: Description | None = None,
    ) -> None:
        super().__init__(y, class_names, source, (), item_metadata, description, size=len(y))
        self.table = table

    @cached_property
    def _alone(self) -> ArrayDataset:
        return encoded(self, self)[0]

    @property
    def x(self) -> NDArray[np.float32]:
        """The items as they are where this is all there is, shape (N, features)."""
        return self._alone.x

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each number of an item is."""
        return self._alone.feature_names

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return self._alone.input_shape

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of these items, shape (len(rows), features)."""
        return self._alone.take(rows)

    def exact(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these items before float32 rounds them, shape (len(rows), features)."""
        return self._alone.exact(rows)

    def feature(self, place: int) -> NDArray[Any]:
        """Return one number of every item, shape (N,)."""
        return self._alone.feature(place)

    def select(self, rows: NDArray[np.int64]) -> "TableDataset":
        """Return a dataset of these rows."""
        about = {name: values[rows] for name, values in self.item_metadata.items()}
        return TableDataset(self.table.take(rows), self.y[rows], self._names, self.source, about, self.description)

    def settled(self, moves: Mapping[int, Move], description: Description) -> ArrayDataset:
        """Return the items as numbers, some of them moved."""
        return self._alone.settled(moves, description)

    def renumbered(self, names: Sequence[str], place: NDArray[np.int64]) -> StoredItems:
        """Return the items as numbers, with other classes."""
        return self._alone.renumbered(names, place)

    def rescaled(self, scaling: Callable[[NDArray[Any]], NDArray[np.float64]]) -> ArrayDataset:
        """Return the items as numbers, all of them scaled."""
        return self._alone.rescaled(scaling)


def encoded(train: TableDataset, test: TableDataset) -> tuple[ArrayDataset, ArrayDataset]:
    """Return two splits as numbers: columns are matched by name, categories and fillings are the training split's.

    Parameters
    ----------
    train, test : TableDataset
        The same one twice, where there is no other.

    Raises
    ------
    DatasetError
        When the test split lacks a column, or holds what the training split's kind of column has no place for.
    """
    alone, choices = train is test, train.table.choices
    names, notes = _wanted(train, test)
    pairs = _matched(train, test, names)
    warnings = [] if alone or train.source == test.source else _left_over(test, names)
    coders, missing = [], []
    for ours, theirs in pairs:
        coder = coder_for(ours, choices)
        if choices.missing == "impute" and coder.kind != "text" and ours.missing.all():
            warnings.append(
                Remark("column_empty", f"{train.source}: {ours.name!r} is empty in the training split, and left out")
            )
            continue
        coders.append((coder, ours, theirs))
        if choices.missing == "impute" and coder.kind != "text" and (ours.missing.any() or theirs.missing.any()):
            missing.append(_filling(coder, ours, theirs, alone))
        if unseen := coder.unseen(theirs) if coder.kind == "category" else []:
            warnings.append(
                Remark(
                    "unseen_category",
                    f"{test.source}: {ours.name!r} has values that the training split lacks, which a model sees as "
                    f"none of its categories: {', '.join(map(repr, unseen[:5]))}{' …' if len(unseen) > 5 else ''}",
                )
            )
        if coder.kind == "category" and ours.doubt:
            warnings.append(Remark("numbers_as_categories", f"{train.source}: the column {ours.name!r} {ours.doubt}"))
        if coder.kind == "category":
            warnings += twins(coder.categories, f"{train.source}: the values of {ours.name!r}")
    if not coders:
        raise DatasetError(f"{train.source}: no feature is left; name the columns to predict from in `features`")
    warnings += identifiers([ours for coder, ours, _ in coders if coder.kind != "text"], train.source)
    warnings += giveaways(
        [ours for coder, ours, _ in coders if coder.kind != "text"], train.y, train.task, train.source
    )
    blocks, more = _blocks(coders, train.source)
    found = Description(
        (*notes, *more),
        tuple(warnings),
        tuple(coder.feature for coder, _, _ in coders),
        _missing(train, test, missing, alone),
    )
    labels = [label for coder, _, _ in coders for label in coder.labels()]
    y, class_names = _same_classes(train, test)
    stands = [replace(split.description, missing=None).joined(found) for split in (train, test)]
    return (
        ArrayDataset(blocks[0], train.y, train._names, train.source, labels, train.item_metadata, stands[0]),
        ArrayDataset(blocks[1], y, class_names, test.source, labels, test.item_metadata, stands[1]),
    )


def _wanted(train: TableDataset, test: TableDataset) -> tuple[list[str], list[Remark]]:
    """Return the features; a column that counts the rows of both files together is none."""
    names = dict.fromkeys(train.table.features)
    notes: list[Remark] = []
    if train is test or train.table.chosen:
        return list(names), notes
    for name in list(names):
        ours = train.table.features[name]
        theirs = test.table.features.get(name)
        if theirs is None or ours.kind != "number" or theirs.kind != "number" or name in train.table.choices.texts:
            continue
        assert ours.numbers is not None and theirs.numbers is not None, "a number column has numbers"  # noqa: PT018
        if ours.missing.any() or theirs.missing.any():
            continue
        if counts_rows(np.concatenate([ours.numbers, theirs.numbers])):
            del names[name]
            notes.append(
                Remark("index_left_out", f"{train.source}: {name!r} counts the rows of both splits, and is no feature")
            )
    return list(names), notes


def _matched(train: TableDataset, test: TableDataset, names: Sequence[str]) -> list[tuple[Column, Column]]:
    """Return each feature's column in either split, the test split's as the training split's kind has it."""
    faults, pairs = Faults(test.source), []
    for name in names:
        ours = train.table.features[name]
        theirs = test.table.features.get(name) or test.table.spare.get(name)
        if theirs is None:
            faults.add(f"there is no column {name!r}, which is a feature of the training split")
            continue
        fits = theirs.kind in (ours.kind, "empty") or (ours.kind == "boolean" and _is_binary(theirs))
        if name in train.table.choices.texts or ours.kind == "category":
            fits = theirs.texts is not None or theirs.kind == "empty"
            nothing = Texts(np.full(len(theirs), -1), ())
            theirs = replace(theirs, kind="category", texts=theirs.texts or nothing)
        if not fits:
            faults.add(
                f"column {name!r} holds {ours.kind}s in the training split, and here {_example(theirs)}; make both the "
                "same, or name the column in `categorical`"
            )
        elif theirs.kind == ours.kind == "number" and theirs.unit != ours.unit:
            faults.add(
                f"column {name!r} holds numbers {_with(ours.unit)} in the training split, and {_with(theirs.unit)} "
                "here; make both the same"
            )
        elif theirs.numbers is None and ours.numbers is not None:
            theirs = replace(theirs, numbers=np.zeros(len(theirs), ours.numbers.dtype))
        pairs.append((ours, theirs))
    faults.raise_any()
    return pairs


def _is_binary(column: Column) -> bool:
    return column.kind == "number" and column.numbers is not None and bool(np.isin(column.numbers, (0, 1)).all())


def _with(unit: str) -> str:
    return f"with {unit!r}" if unit else "without a unit"


def _example(column: Column) -> str:
    if column.texts is None:
        return f"{column.kind}s"
    row = int(np.argmax(~column.missing))
    return f"{column.kind}s such as {column.texts.at(row)!r} (row {row})"


def _left_over(test: TableDataset, names: Sequence[str]) -> list[Remark]:
    known = set(names)
    more = [name for name in test.table.features if name not in known]
    if not more:
        return []
    return [Remark("columns_unused", f"{test.source}: the training split lacks {', '.join(map(repr, more[:10]))}")]


def _filling(coder: Coder, ours: Column, theirs: Column, alone: bool) -> dict[str, Any]:
    value = coder.fill
    if coder.kind in ("date", "time"):
        value = str(np.datetime64(int(coder.fill), "us"))
    counts = {"train": int(ours.missing.sum()), "test": 0 if alone else int(theirs.missing.sum())}
    return {"name": coder.name, "value": value, **counts, "flagged": coder.flagged}


def _missing(
    train: TableDataset, test: TableDataset, columns: list[dict[str, Any]], alone: bool
) -> dict[str, Any] | None:
    if train.table.choices.missing == "refuse":
        return None
    files = [dict(split.description.missing or {}) for split in ((train,) if alone else (train, test))]
    told = [file for k, file in enumerate(files) if file and file not in files[:k]]
    return {"handling": train.table.choices.missing, "files": told, "columns": columns}


def _blocks(
    coders: Sequence[tuple[Coder, Column, Column]], source: str
) -> tuple[tuple[NDArray[Any], NDArray[Any]], list[Remark]]:
    """Return both splits' numbers; float64 only where float32 would lose some, for it takes twice the memory."""
    blocks: tuple[list[Any], list[Any]] = ([], [])
    moves: dict[str, Move] = {}
    exact = False
    for coder, ours, theirs in coders:
        for one, other in zip(coder.numbers(ours), coder.numbers(theirs), strict=True):
            if one.dtype.kind == "i":
                # Whole numbers that float64 rounds.
                move = Move(np.sort(one[:, 0])[(len(one) - 1) // 2].item())
                moves[coder.name] = move
                one, other = move(one), move(other)
            exact = exact or (one.dtype == np.float64 and bool(moves_for(OneFeature(one), TOLERATED_STANDARDISED)))
            blocks[0].append(one)
            blocks[1].append(other)
    said = [remark_on(dict(enumerate(moves.values())), list(moves), source)] if moves else []
    kept = np.float64 if exact else np.float32
    with np.errstate(over="ignore"):  # refused with the items
        arrays = [np.concatenate([block.astype(kept, copy=False) for block in side], axis=1) for side in blocks]
    return (arrays[0], arrays[1]), said


def _same_classes(train: TableDataset, test: TableDataset) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Return the test split's classes as the training split numbers them, where it has them all."""
    place = {name: k for k, name in enumerate(train.class_names)}
    if train.task != "classification" or test.task != "classification" or set(test.class_names) - set(place):
        return test.y, test._names
    return np.array([place[name] for name in test.class_names], dtype=np.int64)[test.y], train.class_names
