"""The decision of a job, over HTTP: what to buy now, and what that trades against what, as a picture."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.curves.keeping import measured_study
from app.errors import Invalid, field_error
from app.jobs.service import get_job
from app.results.parameters import REFUSALS, Level
from app.results.pictured import PICTURES, picture
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.answers.decision import decision
from sufficiency.answers.frontier import draw_frontier, frontier_figure
from sufficiency.method.curve import DEFAULT_LEVEL
from sufficiency.schemas.decisions import MOST_ROUNDS, DecisionTerms, DecisionView, contradictions
from sufficiency.schemas.fields import Money, Price
from sufficiency.schemas.words import PictureKind, Theme

router = APIRouter(tags=["results"], responses=REFUSALS)

_FIGURE_EXAMPLE = {
    "data": [{"type": "scatter", "name": "the best for the money", "x": [0, 410], "y": [0.0, 0.94]}],
    "layout": {"xaxis": {"title": {"text": "spent, on average"}}},
}
_FIELDS = DecisionTerms.model_fields


RoundCost = Annotated[Money, Query(description=_FIELDS["round_cost"].description)]
Rounds = Annotated[int, Query(ge=1, le=MOST_ROUNDS, description=_FIELDS["rounds"].description)]
Value = Annotated[Price | None, Query(description=_FIELDS["value"].description)]
Target = Annotated[
    str | None, Query(max_length=300, description=_FIELDS["target"].description, examples=["Accuracy:0.95"])
]
Penalty = Annotated[Price | None, Query(description=_FIELDS["penalty"].description)]
Budget = Annotated[Money | None, Query(description=_FIELDS["budget"].description)]


def agreeing(given: dict[str, Any]) -> DecisionTerms:
    """Return the terms.

    Raises
    ------
    Invalid
        Where they cannot be meant at once.
    """
    if faults := contradictions(given):
        raise Invalid(
            "; ".join(dict.fromkeys(detail for _, detail in faults)),
            code="contradicting_terms",
            errors=[field_error(name, detail) for name, detail in faults],
        )
    return DecisionTerms(**given)


def _terms(
    price: Annotated[Price, Query(description="of a label", examples=[0.1])],
    round_cost: RoundCost = 0.0,
    rounds: Rounds = 1,
    value: Value = None,
    target: Target = None,
    penalty: Penalty = None,
    budget: Budget = None,
) -> DecisionTerms:
    return agreeing(
        {
            "price": price,
            "round_cost": round_cost,
            "rounds": rounds,
            "value": value,
            "target": target,
            "penalty": penalty,
            "budget": budget,
        }
    )


Terms = Annotated[DecisionTerms, Depends(_terms)]
Metric = Annotated[
    str | None, Query(description="which metric it goes by; default the target's, or the one that answers for the job")
]
OneClass = Annotated[
    str | None,
    Query(alias="class", description="of a metric with a value a class: by name or index; default the first"),
]


@router.get("/jobs/{job_id}/decision", responses=documented(409))
def decision_of(
    session: SessionDep,
    job_id: UUID,
    terms: Terms,
    metric: Metric = None,
    class_: OneClass = None,
    level: Level = DEFAULT_LEVEL,
) -> DecisionView:
    """Return how many labels to buy now, 0 among the answers, what is to be expected of it, and what to know first."""
    return _decide(session, job_id, terms, metric, class_, level)


@router.get(
    "/jobs/{job_id}/decision/figure",
    responses={200: {"content": {"application/json": {"example": _FIGURE_EXAMPLE}}}, **documented(409)},
)
def decision_figure(
    session: SessionDep,
    job_id: UUID,
    terms: Terms,
    metric: Metric = None,
    class_: OneClass = None,
    theme: Theme = "light",
) -> dict[str, Any]:
    """Return what money buys at best, on average, as a Plotly figure."""
    return frontier_figure(_decide(session, job_id, terms, metric, class_), theme)


@router.get("/jobs/{job_id}/decision/plot.{kind}", response_class=Response, responses={**PICTURES, **documented(409)})
def plot_decision(
    session: SessionDep,
    job_id: UUID,
    kind: PictureKind,
    terms: Terms,
    metric: Metric = None,
    class_: OneClass = None,
    theme: Theme = "light",
) -> Response:
    """Return what money buys at best, on average, as a picture."""
    drawn = draw_frontier(_decide(session, job_id, terms, metric, class_), kind, theme)
    return picture(drawn, kind, f"{job_id}-decision.{kind}")


def _decide(
    session: SessionDep,
    job_id: UUID,
    terms: DecisionTerms,
    metric: str | None,
    class_: str | None,
    level: float = DEFAULT_LEVEL,
) -> DecisionView:
    fitted = measured_study(session, get_job(session, job_id), None, [class_] if class_ else None)
    return decision(fitted, terms, metric, level)
