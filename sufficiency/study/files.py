"""From a file of measured values to its columns: CSV however it is written, a Markdown table, JSON, or JSON lines."""

import csv
import io
import json
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

from sufficiency.first_bytes import ENCODING_MARKS, PARQUET, mistaken, unmarked_utf16
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.record import FORMAT
from sufficiency.study.spelling import is_number, plain

_LOOK = 512
_ROWS = "a first line with the columns' names, then a line a value or a size"
_FRAME = "read it with pandas and give the frame to sufficiency.fit, or write it as CSV"


def read_file(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a file, whatever its encoding, its delimiter and its decimal sign.

    Raises
    ------
    InvalidStudy
        When it cannot be read, or is no table, with what it is instead where that can be told.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refused(str(path), f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no name of a file
        raise refused(ascii(str(path)), f"cannot be read: {error}") from error
    text = _decoded(content, path)
    if text.lstrip()[:1] == "<":
        raise refused(str(path), f"is HTML or XML, and no table as text; {_FRAME}")
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(text, path)
    return _of_lines(text, path)


def lengths(columns: Mapping[str, Sized]) -> str:
    """Return how many values each column has, for people."""
    return ", ".join(f"{name} {len(values)}" for name, values in columns.items())


def refused(place: str, detail: str) -> InvalidStudy:
    """Return the error of a file, or a table, that is wrong."""
    return InvalidStudy([{"pointer": place, "detail": detail}])


def _decoded(content: bytes, path: Path) -> str:
    start = content[:_LOOK]
    if start.startswith((PARQUET, b"ARROW1")):
        raise refused(str(path), f"is a Parquet or Feather file; {_FRAME}")
    if content and (what := mistaken(start)):
        raise refused(str(path), f"is no table as text: {what}")
    if b"brain.Event:" in start:
        raise refused(
            str(path), "is TensorBoard's log of one training; fit takes the last value of each, with its n, as CSV"
        )
    encoding = next((name for mark, name in ENCODING_MARKS if start.startswith(mark)), None) or unmarked_utf16(start)
    if encoding is None and b"\0" in start:
        raise refused(str(path), "is no text")
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _of_json(text: str, path: Path) -> dict[str, list[Any]]:
    """Return the columns of JSON: of a list of rows, of columns by their names, or of a row a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        found: Any = json.loads(text) if len(lines) < 2 or not _is_row(lines[0]) else [json.loads(one) for one in lines]
    except (ValueError, RecursionError) as error:
        raise refused(str(path), f"is no JSON: {error}") from error
    if isinstance(found, list) and found and isinstance(found[0], Mapping) and found[0].get("format") == FORMAT:
        found = found[0]
    if isinstance(found, Mapping) and found.get("format") == FORMAT:
        raise refused(str(path), "is a study that was saved here: sufficiency.load reads it")
    if isinstance(found, Mapping) and found and all(isinstance(values, list) for values in found.values()):
        if len({len(values) for values in found.values()}) == 1:
            return {str(name): values for name, values in found.items()}
        raise refused(str(path), f"has columns of different lengths: {lengths(found)}")
    rows = [found] if isinstance(found, Mapping) else found
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise refused(str(path), 'is JSON, and no list of rows, such as [{"n": 100, "accuracy": 0.71}, …]')
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _is_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), Mapping)
    except (ValueError, RecursionError):
        return False


def _of_lines(text: str, path: Path) -> dict[str, list[Any]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise refused(str(path), f"has no rows: {_ROWS}")
    if all(line.strip().startswith("|") for line in lines):
        rows, delimiter = _of_markdown(lines), "|"
    else:
        delimiter = max(",;\t|", key=lambda sign: (lines[0].count(sign), sign == ","))
        if lines[0].count(delimiter):
            rows = _of_csv(text, delimiter, path)
        else:
            rows, delimiter = [line.split() for line in lines], " "
    if len(rows) < 2:
        raise refused(str(path), f"has no rows: {_ROWS}")
    names = [name.strip() for name in rows[0]]
    if len(names) > 1 and all(is_number(name) for name in names):
        raise refused(str(path), f"begins with numbers, and no names: {_ROWS}")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise refused(str(path), f"has two columns {doubled[0]!r}; give each a name of its own")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise refused(str(path), f"row {number} has {len(row)} fields, the first row {len(names)}")
    try:
        cells = plain([[cell.strip() for cell in row] for row in rows[1:]], delimiter)
    except ValueError as error:
        raise refused(str(path), f"{error}: write sizes without a sign, such as 1000") from error
    return {name: [row[k] for row in cells] for k, name in enumerate(names)}


def _of_csv(text: str, delimiter: str, path: Path) -> list[list[str]]:
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [row for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise refused(str(path), f"is no table: {error}") from error


def _of_markdown(lines: list[str]) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return [row for row in rows if not all(set(cell) <= set(":-") and "-" in cell for cell in row)]
