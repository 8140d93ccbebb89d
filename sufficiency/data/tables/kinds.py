"""Which kind a column is, judged by all of its cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.tables.amounts import doubt_about, doubt_about_text, stands_for_nothing, too_long, without_unit
from sufficiency.data.tables.columns import Column, Kind, Texts
from sufficiency.data.tables.spelling import Decimal, dated, dates_in, numbers_in, times_in, truths_in
from sufficiency.schemas.limits import CATEGORIES

# A column of numbers with a few other cells is one with unknown marks for missing values, not one of categories.
_MOSTLY, _MANY_NUMBERS = 0.95, 20


def column_of_text(
    name: str,
    cells: Any,
    marks: Sequence[str],
    *,
    decimal: Decimal | None = None,
    delimiter: str = ",",
    named: bool = False,
    values: Sequence[str] = (),
) -> Column:
    """Return a column of cells whose text is not interpreted yet.

    Parameters
    ----------
    name : str
    cells : pyarrow.ChunkedArray of strings, shape (N,)
    marks : sequence of str
        What stands for a missing value, but for spaces around it.
    decimal, delimiter
        As `numbers_in` has them.
    named : bool
        Keep what stands in the cells, however many values there are.
    values : sequence of str
        What is a value all the same, though it is among `marks`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, words, missing = _coded(cells, marks, values)
    present = np.bincount(codes[codes >= 0], minlength=len(words)) > 0
    trimmed = pc.utf8_trim_whitespace(words.filter(pa.array(present)))
    texts = Texts(codes, words.to_pylist()) if named or len(trimmed) <= CATEGORIES + 1 else None

    def spread(of_words: NDArray[Any]) -> NDArray[Any]:
        everywhere = np.zeros(len(words) + 1, of_words.dtype)  # the last is what -1 finds
        everywhere[np.flatnonzero(present)] = of_words
        return everywhere[codes]

    if not len(trimmed):
        return Column(name, "empty", missing, texts=texts)
    numbers, known, spelling = numbers_in(trimmed, decimal, delimiter)
    bare, unit = trimmed, ""
    if not known.all():
        plain, unit = without_unit(trimmed.to_pylist())
        if unit:
            bare = pa.array(plain, trimmed.type)
            numbers, known, spelling = numbers_in(bare, decimal, delimiter)
    if known.all():
        unclear = too_long(bare.to_pylist(), numbers) if np.abs(numbers).max() >= 2.0**53 else ""
        return Column(name, "number", missing, spread(numbers), texts, unclear, spelling, unit)
    spelt = trimmed.to_pylist()
    texts = texts or Texts(codes, words.to_pylist())
    if (truths := truths_in(spelt)) is not None:
        return Column(name, "boolean", missing, spread(truths), texts)
    if (times := times_in(spelt)) is not None:
        return Column(name, "time", missing, spread(times), texts)
    if (dates := dates_in(spelt)) is not None:
        unclear = "holds dates whose day and month cannot be told apart: write them as 2020-12-31" if dates[1] else ""
        return Column(name, "date", missing, spread(dates[0]), texts, unclear)
    of_dates = dated(spelt)
    if of_dates.all():
        unclear = "holds dates that are written in several ways: write all of them as 2020-12-31"
        return Column(name, "mixed", missing, None, texts, unclear)
    for what, of_kind, least in (("numbers", known, _MANY_NUMBERS), ("dates", of_dates, 1)):
        odd = spread(~of_kind) & ~missing
        few = odd.sum() <= (1 - _MOSTLY) * (~missing).sum()
        none = what == "numbers" and all(
            stands_for_nothing(word) for word, good in zip(spelt, of_kind.tolist(), strict=True) if not good
        )
        if of_kind.sum() > least and (few or none):
            row, some = int(np.argmax(odd)), f"{odd.sum()} cell{'s' * bool(odd.sum() > 1)}"
            unclear = (
                f"holds {what} but for {some} ({texts.at(row)!r} in row {row}): add what stands for a missing "
                f"value to `missing_values`, or name the column in `categorical` if its {what} are names"
            )
            return Column(name, "mixed", missing, None, texts, unclear)
    return Column(name, "category", missing, None, texts, doubt=doubt_about(spelt, known))


def column_of_type(
    name: str, cells: Any, marks: Sequence[str], *, named: bool = False, values: Sequence[str] = ()
) -> Column:
    """Return a column of values that have a type; parameters as `column_of_text` has them.

    Numbers stay numbers and text stays text, whatever it looks like; a dictionary's values are categories.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = cells.type
    of_categories = types.is_dictionary(kind)
    if of_categories:
        kind = kind.value_type
        cells = cells.cast(kind)
    if any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_string_view)):
        codes, words, missing = _coded(cells.cast(pa.large_string()), marks, values)
        texts = Texts(codes, words.to_pylist())
        present = pa.array(texts.present(), pa.large_string())
        _, known, _ = numbers_in(pc.utf8_trim_whitespace(present), ".", "")
        doubt = "" if of_categories else doubt_about_text(present.to_pylist(), known)
        return Column(name, "empty" if missing.all() else "category", missing, None, texts, doubt=doubt)
    missing = np.asarray(cells.is_null(nan_is_null=types.is_floating(kind)), dtype=bool)
    if missing.all() and len(missing):
        return Column(name, "empty", missing)
    if types.is_boolean(kind):
        found: tuple[Kind, Any] = ("boolean", cells.cast(pa.int8()).cast(pa.float64()))
    elif types.is_integer(kind):
        found = ("number", cells)
    elif types.is_floating(kind) or types.is_decimal(kind):
        found = ("number", cells.cast(pa.float64()))
    elif types.is_duration(kind):
        micro = cells.cast(pa.duration("us"), safe=False).cast(pa.int64())
        found = ("number", pc.divide(micro.cast(pa.float64()), 1e6))
    elif types.is_date(kind) or types.is_timestamp(kind):
        found = ("date", cells.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(pa.int64()))
    elif types.is_time(kind):
        found = ("time", cells.cast(pa.time64("us"), safe=False).cast(pa.int64()))
    else:
        return Column(
            name, "other", missing, unclear=f"holds {cells.type}; it must hold numbers, text, truth values or dates"
        )
    numbers = _filled(found[1], missing)
    unclear = _rounded(cells, numbers, missing) if types.is_uint64(kind) or types.is_decimal(kind) else ""
    if not (named or of_categories):
        return Column(name, found[0], missing, numbers, unclear=unclear)
    spoken = cells.cast(pa.float64()) if kind == pa.float16() else cells
    coded = spoken.combine_chunks().dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1), dtype=np.int64)
    codes[missing] = -1
    texts = Texts(codes, [str(value) for value in coded.dictionary.to_pylist()])
    if of_categories:
        return Column(name, "category", missing, None, texts)
    return Column(name, found[0], missing, numbers, texts, unclear)


def _coded(cells: Any, marks: Sequence[str], values: Sequence[str]) -> tuple[NDArray[np.int64], Any, NDArray[np.bool_]]:
    """Return each row's number into the words, -1 where none or a mark for a missing value stands; and the words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = cells.combine_chunks().dictionary_encode()
    words = encoded.dictionary
    stands_for_none = pa.array([mark for mark in marks if mark not in values], words.type)
    none = np.asarray(pc.is_in(pc.utf8_trim_whitespace(words), value_set=stands_for_none), dtype=bool)
    codes = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
    missing = np.append(none, True)[codes]
    return np.where(missing, -1, codes), words, missing


def _rounded(cells: Any, numbers: NDArray[Any], missing: NDArray[np.bool_]) -> str:
    """Return what is wrong with numbers of which float64 takes different ones for the same."""
    import pyarrow.compute as pc

    if numbers.dtype.kind == "i" or not missing.size or np.abs(numbers).max(initial=0) < 2.0**53:
        return ""
    lost = len(pc.unique(cells.drop_null())) - len(np.unique(numbers[~missing]))
    return f"holds numbers beyond 2**53, of which float64 takes {lost} for others: store them as text" if lost else ""


def _filled(cells: Any, missing: NDArray[np.bool_]) -> NDArray[Any]:
    numbers = np.asarray(cells.fill_null(0).to_numpy())
    if numbers.dtype.kind in "iu":
        largest = np.abs(numbers.astype(np.float64)).max(initial=0)
        # Kept whole only where float64 would round them.
        numbers = numbers.astype(np.int64 if 2.0**53 <= largest < 2.0**63 else np.float64)
    return np.where(missing, np.zeros(1, numbers.dtype), numbers)
