"""How a text file is written: its encoding and what stands between its cells, found or asked for."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sufficiency.data.description import Remark
from sufficiency.data.errors import DatasetError
from sufficiency.first_bytes import ENCODING_MARKS, unmarked_utf16

DELIMITERS = (",", ";", "\t", "|")
_CHUNK, _SAMPLE = 1 << 20, 1 << 18
_CELL = 1 << 24  # the csv module's own limit refuses long texts


@dataclass(frozen=True)
class Dialect:
    """How the cells of a file are told apart.

    Parameters
    ----------
    delimiter : str
    header : tuple of str
        Names in the first line.
    skipped_lines : int
        Lines before the header; before the first row where `names` are given.
    names : tuple of str
        Of the columns, where the header lacks that of row names, or of what stands after a last delimiter in each row.
    notes : tuple of Remark
        What was found rather than asked for.
    """

    delimiter: str
    header: tuple[str, ...]
    skipped_lines: int
    names: tuple[str, ...]
    notes: tuple[Remark, ...]


def encoding_of(file: Path, path: str, asked: str | None) -> tuple[str, tuple[Remark, ...]]:
    """Return a file's encoding and, where it was found rather than asked for, a note that says so.

    Raises
    ------
    DatasetError
        For an encoding that is not known.
    """
    if asked is not None:
        try:
            return codecs.lookup(asked).name, ()
        except LookupError as error:
            raise DatasetError(f"{path}: the encoding {asked!r} is not known; try utf-8, cp1252 or utf-16") from error
    with file.open("rb") as opened:
        start = opened.read(_CHUNK)
        for mark, name in ENCODING_MARKS:
            if start.startswith(mark):
                return name, () if name == "utf-8-sig" else (_found(path, name, "its first bytes say so"),)
        if (unmarked := unmarked_utf16(start)) is not None:
            return unmarked, (_found(path, unmarked, "every other byte is zero"),)
        if _is_utf8(start, opened):
            return "utf-8", ()
        opened.seek(0)
        whole = opened.read()
    # The five bytes that cp1252 has no character for.
    name = "latin-1" if any(byte in whole for byte in b"\x81\x8d\x8f\x90\x9d") else "cp1252"
    return name, (_found(path, f"Latin-1 ({name})", "it is not UTF-8"),)


def dialect_of(text: str, path: str, target: str, asked: str | None) -> Dialect:
    """Return how the cells of a table are told apart.

    Parameters
    ----------
    text : str
        The file's beginning.
    target : str
        A column that it should have: what splits the header so that it appears is right.
    asked : str, optional
        The delimiter, where it is known.

    Raises
    ------
    DatasetError
        For a file without a header.
    """
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's hint to itself
        asked, text, skipped = asked or first.strip()[4], rest, 1
    candidates = DELIMITERS if asked is None else (asked,)
    rows = {delimiter: _rows(text, delimiter) for delimiter in candidates}
    if not any(rows.values()):
        raise DatasetError(f"{path} cannot be read as a table: it is empty")

    def fitness(delimiter: str) -> tuple[bool, float, int]:
        header, *others = rows[delimiter] or [[]]
        same = sum(len(row) == len(header) for row in others) / max(1, len(others))
        return target in header, same if len(header) > 1 else 0.0, len(header)

    best = max(candidates, key=fitness)  # the first of the best: a comma, where nothing speaks against it
    notes: tuple[Remark, ...] = ()
    if asked is None and best != ",":
        what = "tabs" if best == "\t" else f"{best!r}"
        notes = (Remark("delimiter_found", f"{path}: its cells stand between {what}; `delimiter` says otherwise"),)
    header, *others = rows[best]
    names = _one_more(header, others)
    return Dialect(best, tuple(header), skipped + bool(names), names, notes)


def _one_more(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return all columns' names where every row has a cell more than the header, as R writes its row names."""
    if len(rows) < 2 or any(len(row) != len(header) + 1 for row in rows) or any("\n" in name for name in header):
        return ()
    return ("", *header) if any(row[-1].strip() for row in rows) else (*header, "")


def _found(path: str, name: str, why: str) -> Remark:
    return Remark("encoding_found", f"{path}: read as {name}, since {why}; `encoding` says otherwise")


def _is_utf8(start: bytes, rest: io.BufferedReader) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        chunk = start
        while chunk:
            decoder.decode(chunk)
            chunk = rest.read(_CHUNK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _rows(text: str, delimiter: str) -> Sequence[list[str]]:
    """Return the first rows of a text; the last of them may be cut off, and is left out where there are others."""
    before = csv.field_size_limit(_CELL)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error:
        return []
    finally:
        csv.field_size_limit(before)
    return rows[:-1] if len(text) >= _SAMPLE // 4 and len(rows) > 2 else rows


def beginning_of(file: Path, encoding: str) -> str:
    """Return the text that a file begins with."""
    with file.open("rb") as opened:
        return codecs.getincrementaldecoder(encoding)("replace").decode(opened.read(_SAMPLE))
