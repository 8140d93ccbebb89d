"""Rows of an answer: dictionaries that become frames of pandas and polars, and tables in a notebook."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Generic

from sufficiency.client.replies import M, Reply
from sufficiency.extras import installed
from sufficiency.schemas.text import count, number, spread

SHOWN_ROWS = 60


class Rows(list[dict[str, Any]], Generic[M]):
    """Rows of an answer, a dictionary each; as a frame with `to_pandas` or `to_polars`, as a table in a notebook.

    Attributes
    ----------
    answer : Reply
        The whole answer of the API, which says more than its rows: method, level, warnings. ``rows.answer.view`` is
        its model.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], answer: Reply[M]) -> None:
        super().__init__(dict(row) for row in rows)
        self.answer = answer

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``."""
        pandas = installed("pandas")
        return pandas.DataFrame(list(self))

    def to_polars(self) -> Any:
        """Return the rows as a ``polars.DataFrame``."""
        polars = installed("polars")
        return polars.DataFrame(list(self), infer_schema_length=None)

    def _repr_html_(self) -> str:
        columns = list(dict.fromkeys(key for row in self for key in row))
        body = [[_text(row.get(column)) for column in columns] for row in self[:SHOWN_ROWS]]
        more = len(self) - len(body)
        return html_table(columns, body) + (f"<p>… and {more} more rows</p>" if more > 0 else "")


def by_metric(answer: Reply[M]) -> Rows[M]:
    """Return the rows of an answer that is grouped by metric."""
    return Rows(({"metric": metric, **row} for metric, rows in answer["metrics"].items() for row in rows), answer)


def means_table(means: Iterable[Mapping[str, Any]]) -> str:
    """Return mean ± SD of the scalar metrics as HTML, a row a step.

    Parameters
    ----------
    means : iterable of mapping
        Rows of ``measurements("averages")``.
    """
    scalars = [row for row in means if row["class"] is None and row["mean"] is not None]
    metrics = list(dict.fromkeys(row["metric"] for row in scalars))
    cells = {(row["n"], row["metric"]): spread(row["mean"], row["sd"]) for row in scalars}
    sizes = sorted({n for n, _ in cells})
    body = [[count(n), *(cells.get((n, metric), "–") for metric in metrics)] for n in sizes]
    return html_table(["n", *metrics], body)


def html_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML; every text is escaped."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    return number(value) if value is None or isinstance(value, float) else str(value)
