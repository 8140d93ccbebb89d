"""The columns of one file."""

from collections.abc import Sequence

from sufficiency.data.description import Remark
from sufficiency.data.tables.columns import Column
from sufficiency.data.tables.kinds import column_of_text, column_of_type
from sufficiency.data.tables.reading import Contents
from sufficiency.data.tables.spelling import Decimal
from sufficiency.data.tables.targets import MOST_NAMED


class KindsOfFile:
    """Makes columns of a file's cells, and remembers how their numbers are written.

    Parameters
    ----------
    contents : Contents
    marks : sequence of str
        What stands for a missing value.
    decimal : {".", ","}, optional
        What stands before the fraction; found where not given.
    named : sequence of str
        Columns of which it is kept what stands in the cells.
    text : sequence of str
        Columns of free text, where an empty text is one too, and no word a mark.
    """

    def __init__(
        self,
        contents: Contents,
        marks: Sequence[str],
        decimal: Decimal | None,
        named: Sequence[str],
        text: Sequence[str],
    ) -> None:
        self._contents, self._marks, self._decimal = contents, marks, decimal
        self._named, self._text = {*named, *text}, set(text)  # looked up for each column
        self._found: list[Column] = []

    def of(self, name: str, *, named: bool = False, values: Sequence[str] = ()) -> Column:
        """Return a column."""
        cells, named = self._contents.cells[name], named or name in self._named
        marks = () if name in self._text else self._marks
        if self._contents.typed:
            return column_of_type(name, cells, marks, named=named, values=values)
        column = column_of_text(
            name,
            cells,
            marks,
            decimal=self._decimal,
            delimiter=self._contents.delimiter,
            named=named,
            values=values,
        )
        self._found.append(column)
        return column

    def notes(self, path: str) -> list[Remark]:
        """Return what was found of the way numbers are written."""
        said = {"comma": "a decimal comma", "thousands": "commas between thousands"}
        notes = []
        for spelling, what in said.items():
            columns = [column.name for column in self._found if column.spelling == spelling]
            if columns and self._decimal is None:
                listed = ", ".join(map(repr, columns[:MOST_NAMED]))
                notes.append(
                    Remark("decimal_found", f"{path}: numbers with {what} in {listed}; `decimal` says otherwise")
                )
        units = sorted({column.unit for column in self._found if column.unit})
        for unit in units:
            listed = ", ".join([repr(column.name) for column in self._found if column.unit == unit][:MOST_NAMED])
            what = "12% is 12" if unit == "%" else f"{unit}12 is 12"
            notes.append(
                Remark(
                    "unit_found",
                    f"{path}: numbers with {unit!r} in {listed} are read as numbers ({what}); name the column in "
                    "`categorical` if they are names",
                )
            )
        return notes
