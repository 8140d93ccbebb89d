"""A learning curve as a picture, over HTTP: a Plotly figure, SVG or PNG."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.curves.keeping import measured_study
from app.jobs.service import get_job
from app.results.parameters import REFUSALS
from app.web.headers import PICTURE_POLICY
from app.web.problem import documented
from app.web.session import SessionDep
from sufficiency.answers.drawing import draw
from sufficiency.answers.figure import Figure, figure
from sufficiency.answers.plotly import plotly_figure
from sufficiency.schemas.words import PictureKind, Theme

router = APIRouter(tags=["results"], responses=REFUSALS)

_MEDIA_TYPES: dict[PictureKind, str] = {"svg": "image/svg+xml", "png": "image/png"}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "image/svg+xml": {"schema": {"type": "string", "format": "binary"}, "example": "<svg …>"},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}
_FIGURE_EXAMPLE = {
    "data": [{"type": "scatter", "name": "mean ± SD", "x": [25, 2500], "y": [0.31, 0.946]}],
    "layout": {"xaxis": {"type": "log"}},
}

Target = Annotated[float | None, Query(allow_inf_nan=False, description="a value to mark, with the size it needs")]
OneMetric = Annotated[
    str | None, Query(description="which metric; default the first with one value, else the first there is")
]
OneClass = Annotated[
    str | None,
    Query(alias="class", description="of a metric with a value a class: by name or index; default the first"),
]


@router.get(
    "/jobs/{job_id}/figure",
    responses={200: {"content": {"application/json": {"example": _FIGURE_EXAMPLE}}}, **documented(409)},
)
def get_figure(
    session: SessionDep,
    job_id: UUID,
    metric: OneMetric = None,
    class_: OneClass = None,
    target: Target = None,
    theme: Theme = "light",
) -> dict[str, Any]:
    """Return one metric's learning curve as a Plotly figure: `plotly.graph_objects.Figure(answer)` shows it."""
    return plotly_figure(_figure(session, job_id, metric, class_, target), theme)


@router.get(
    "/jobs/{job_id}/plot.{kind}",
    response_class=Response,
    responses={**PICTURES, **documented(409)},
)
def plot_job(
    session: SessionDep,
    job_id: UUID,
    kind: PictureKind,
    metric: OneMetric = None,
    class_: OneClass = None,
    target: Target = None,
    theme: Theme = "light",
) -> Response:
    """Return one metric's learning curve as a picture, for a report."""
    return picture(draw(_figure(session, job_id, metric, class_, target), kind, theme), kind, f"{job_id}.{kind}")


def picture(content: bytes, kind: PictureKind, name: str) -> Response:
    """Return a picture as a response: a file that runs nothing, whatever is in it."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}"',
        "Content-Security-Policy": PICTURE_POLICY,
    }
    return Response(content, media_type=_MEDIA_TYPES[kind], headers=headers)


def _figure(session: SessionDep, job_id: UUID, metric: str | None, class_: str | None, target: float | None) -> Figure:
    job = get_job(session, job_id)
    fitted = measured_study(session, job, [metric] if metric else None, [class_] if class_ else None)
    return figure(fitted, target)
