"""Files of tables: CSV with every cell as the text that stands in it, Parquet with its types."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sufficiency.data.description import Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.tables.broken import first_fault
from sufficiency.data.tables.dialect import beginning_of, dialect_of, encoding_of
from sufficiency.first_bytes import PARQUET, mistaken_file
from sufficiency.schemas.limits import COLUMNS

TEXT_SUFFIXES, PARQUET_SUFFIXES = (".csv", ".tsv", ".tab", ".txt"), (".parquet", ".pq")
# A row must fit in a block, whatever line breaks its quotes hold.
_LEAST_BLOCK, _MOST_BLOCK = 1 << 20, 1 << 28
_UNNAMED = re.compile(r"\s*(Unnamed: \d+|__index_level_\d+__)?\s*")


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Parameters
    ----------
    cells : mapping from str to pyarrow.ChunkedArray
        Its columns by name: text that is not interpreted, or typed values.
    typed : bool
        Whether the values have the file's own types.
    delimiter : str
        What stood between the cells; empty for a typed file.
    index : mapping from str to str
        Columns that are no part of the data, and why.
    notes : tuple of Remark
        How it was read, where that was found rather than asked for.
    """

    cells: Mapping[str, Any]
    typed: bool
    delimiter: str
    index: Mapping[str, str]
    notes: tuple[Remark, ...]


def read_table(file: Path, path: str, target: str, delimiter: str | None, encoding: str | None) -> Contents:
    """Read a table from a file.

    Parameters
    ----------
    file : Path
    path : str
        What an error calls it.
    target : str
        A column that it should have.
    delimiter, encoding : str, optional
        Of a text file; found where not given.

    Raises
    ------
    DatasetError
        For a file that is no table, or that has two columns of one name.
    """
    import pyarrow as pa

    suffix = file.suffix.lower()
    try:
        if suffix in PARQUET_SUFFIXES:
            return _read_parquet(file, path)
        if suffix in TEXT_SUFFIXES:
            return _read_text(file, path, target, delimiter, encoding)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        # By the name that it was asked for: where the data roots lie is nobody's business.
        said = mistaken_file(file, PARQUET) or str(error).replace(str(file), path)
        raise DatasetError(f"{path} cannot be read as a table: {said}") from error
    raise DatasetError(f"{path} must end in .csv, .tsv, .txt or .parquet")


def _read_text(file: Path, path: str, target: str, delimiter: str | None, encoding: str | None) -> Contents:
    import pyarrow as pa
    from pyarrow import csv

    if said := mistaken_file(file):
        raise DatasetError(f"{path} cannot be read as a table: {said}")
    name, notes = encoding_of(file, path, encoding)
    dialect = dialect_of(beginning_of(file, name), path, target, delimiter)
    block = min(max(file.stat().st_size * 2, _LEAST_BLOCK), _MOST_BLOCK)
    source = file if name in ("utf-8", "utf-8-sig") else pa.BufferReader(file.read_bytes().decode(name).encode())
    try:
        table = csv.read_csv(
            source,
            read_options=csv.ReadOptions(
                block_size=block, skip_rows=dialect.skipped_lines, column_names=dialect.names or None
            ),
            parse_options=csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(dialect.names or dialect.header, pa.large_string()),
                strings_can_be_null=False,
                null_values=[],
            ),
        )
    except pa.ArrowInvalid as error:
        text = file.read_bytes().decode(name).removeprefix("\ufeff")
        # pyarrow counts rows only where it reads them one after another, and says no way out.
        said = first_fault(text, dialect.delimiter, dialect.skipped_lines)
        raise DatasetError(f"{path} cannot be read as a table: {said or error}") from error
    cells = _by_name(table, path)
    index = {name: "it has no name, as pandas and R write a frame's index" for name in cells if _is_unnamed(name)}
    return Contents(cells, False, dialect.delimiter, index, (*notes, *dialect.notes))


def _read_parquet(file: Path, path: str) -> Contents:
    from pyarrow import parquet

    # As one file: of a dataset a folder that is called year=2020 would become a column, and twins would be no columns.
    table = parquet.ParquetFile(file, page_checksum_verification=True).read()
    cells = _by_name(table, path)
    index = {name: "it has no name, as pandas writes a frame's index" for name in cells if _is_unnamed(name)}
    about = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    for name in about.get("index_columns", []):
        if isinstance(name, str) and name in cells:  # a range of numbers is described, and is no column
            index[name] = "the file says that it is the index of a pandas frame"
    return Contents(cells, True, "", index, ())


def _is_unnamed(name: str) -> bool:
    return _UNNAMED.fullmatch(name.split("\0")[0]) is not None


def _by_name(table: Any, path: str) -> dict[str, Any]:
    if table.num_columns > COLUMNS:
        raise DatasetError(f"{path} has {table.num_columns} columns; at most {COLUMNS} are read")
    counts = Counter(table.column_names)
    if twice := [name for name, count in counts.items() if count > 1 and not _is_unnamed(name)]:
        raise DatasetError(f"{path} has two columns {twice[0]!r}; give them different names")
    names = [f"{name}\0{k}" if counts[name] > 1 else name for k, name in enumerate(table.column_names)]
    return {name: table.column(k) for k, name in enumerate(names)}
