"""Where a text file is no table: its first row of another width, or a quote that is never closed."""

import csv
import io
from collections.abc import Iterator

_SHOWN = 60
_MOST_CELL = 1 << 30


def first_fault(text: str, delimiter: str, skipped: int) -> str:
    """Return what is wrong with a table's first bad row, and where; nothing where every row is as wide as the header.

    Parameters
    ----------
    text : str
    delimiter : str
    skipped : int
        Lines before the header.
    """
    before = csv.field_size_limit(_MOST_CELL)
    try:
        rows = _rows(text, delimiter, skipped)
        width = len(next(rows, (0, [""]))[1])
        bad = next(((number, *found) for number, found in enumerate(rows) if len(found[1]) != width), None)
    except csv.Error:
        return ""
    finally:
        csv.field_size_limit(before)
    if bad is None:
        return ""
    number, line, row = bad
    where = f"row {number} (line {line})"
    if len(row) < width and _never_closed(text, line):
        return f"a quote that is opened in {where} is never closed: close it, or double it where it is part of the text"
    cells = f"{len(row)} cell{'s' * (len(row) != 1)}"
    way_out = (
        "put quotes around text that holds what stands between cells, or say another `delimiter`"
        if len(row) > width
        else "fill it up, or leave it out"
    )
    shown = delimiter.join(row)
    shown = shown[:_SHOWN] + " …" * (len(shown) > _SHOWN)
    return f"{where} has {cells}, and the header {width}: {shown!r}; {way_out}"


def _rows(text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty with the line in which it begins, counted from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begins = 1
    for row in reader:
        if row and begins > skipped:
            yield begins, row
        begins = reader.line_num + 1


def _never_closed(text: str, line: int) -> bool:
    """Return whether the text from a line on has an odd number of quotes, so that the last of them is never closed."""
    return "".join(text.splitlines(keepends=True)[line - 1 :]).count('"') % 2 == 1
