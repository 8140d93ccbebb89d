"""Parameters that several questions take."""

from typing import Annotated

from fastapi import Query

from app.web.problem import documented
from sufficiency.schemas.limits import CHOSEN
from sufficiency.schemas.words import Method as MethodName

# What every question may be refused with, as its router documents it.
REFUSALS = documented(404, 422, 503)

# Nearer to 0 or 1 there is nothing to tell apart.
Level = Annotated[float, Query(ge=1e-6, le=1 - 1e-6, description="level of the intervals, where the method gives any")]
Method = Annotated[
    MethodName, Query(description="calibrated: with intervals; power_law: DataEval's law, a point without interval")
]
Version = Annotated[
    int | None,
    Query(
        ge=1,
        le=2**31 - 1,
        description="of the method, by which this completed job's curves are kept: what it said before it was fitted "
        "anew; null: the one that the job goes by",
    ),
]
Classes = Annotated[
    list[str] | None,
    Query(
        alias="class",
        max_length=CHOSEN,
        description="of metrics with a value a class, only these, by name or index; repeatable",
    ),
]
Metrics = Annotated[list[str] | None, Query(max_length=CHOSEN, description="only these metrics; repeatable")]
