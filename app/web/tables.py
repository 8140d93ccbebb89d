"""Tables as CSV, for those who ask for it."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Query, Response

from sufficiency.answers.tables import Table

CSV = "text/csv"
# For `responses` of an operation: the same answer as a table.
TABLE: dict[str, Any] = {"content": {CSV: {"schema": {"type": "string"}}}}


async def _asks_for_csv(
    accept: Annotated[Sequence[str], Header(include_in_schema=False)] = (),
    format: Annotated[Literal["json", "csv"] | None, Query(description="or send `Accept: text/csv`")] = None,
) -> bool:
    if format is not None:
        return format == "csv"
    weights = dict(_weights(",".join(accept)))
    return weights.get(CSV, 0.0) > max(weights.get("application/json", 0.0), 0.0)


def _weights(accept: str) -> Iterable[tuple[str, float]]:
    for part in accept.split(","):
        media_type, *parameters = (p.strip().lower() for p in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        yield media_type, weight


AsCsv = Annotated[bool, Depends(_asks_for_csv)]


def csv_response(table: Table, filename: str) -> Response:
    """Return a table as CSV."""
    headers = {"Content-Disposition": f'inline; filename="{filename}"', "Vary": "Accept"}
    return Response(table.csv(), media_type=CSV, headers=headers)
