"""Questions to the curves of a job, over HTTP: project, inv_project, verdict, and the curves themselves."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.curves.details import trained_of
from app.curves.keeping import fitted_study, measured_study
from app.jobs.service import get_job
from app.results.parameters import REFUSALS, Classes, Level, Method, Metrics, Version
from app.web.problem import documented
from app.web.session import SessionDep
from app.web.tables import TABLE, AsCsv, csv_response
from sufficiency.answers.curves import curves
from sufficiency.answers.gate import gate as met_surely
from sufficiency.answers.projection import inv_project as sizes_at
from sufficiency.answers.projection import project as values_at
from sufficiency.answers.tables import inverse_table, projection_table
from sufficiency.answers.targets import parse_targets
from sufficiency.answers.verdict import verdict as judge
from sufficiency.method.curve import ASSURANCE, DEFAULT_LEVEL
from sufficiency.schemas.gates import GateView
from sufficiency.schemas.limits import QUESTIONS
from sufficiency.schemas.results import Curves, InverseProjection, Projection
from sufficiency.schemas.verdicts import Verdicts
from sufficiency.schemas.words import DEFAULT_METHOD, Of

router = APIRouter(tags=["results"], responses=REFUSALS)


@router.get("/jobs/{job_id}/project", responses={200: TABLE, **documented(409)})
def project(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    n: Annotated[
        list[Annotated[int, Query(ge=1, le=2**53)]],
        Query(min_length=1, max_length=QUESTIONS, description="training-set sizes; repeatable", examples=[[5000]]),
    ],
    metric: Metrics = None,
    level: Level = DEFAULT_LEVEL,
    method: Method = DEFAULT_METHOD,
    method_version: Version = None,
    of: Annotated[
        Of,
        Query(
            description="whose interval: mean, of the mean over as many runs as the job has, on the same test split; "
            "one_training, of one new training on it; population, of the mean on all data that the test split was "
            "drawn from, where the test split's own noise is known, which more runs do not make smaller"
        ),
    ] = "mean",
) -> Projection:
    """Return what each metric is expected to be at training-set sizes.

    Within the measured range the answer is what was measured, with the scatter between runs; beyond it the projection.
    """
    fitted = fitted_study(session, get_job(session, job_id), metric, method, version=method_version)
    answer = values_at(fitted, n, level, of)
    if as_csv:
        return csv_response(projection_table(answer), f"{job_id}-project.csv")  # type: ignore[return-value]
    return answer


@router.get("/jobs/{job_id}/inv_project", responses={200: TABLE, **documented(409)})
def inv_project(
    session: SessionDep,
    job_id: UUID,
    as_csv: AsCsv,
    target: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=QUESTIONS,
            description="0.93 for every metric whose bounds admit it, or Accuracy:0.93; repeatable",
            examples=[["0.93"]],
        ),
    ],
    level: Level = DEFAULT_LEVEL,
    method: Method = DEFAULT_METHOD,
    method_version: Version = None,
) -> InverseProjection:
    """Return how many training items it takes to reach targets. In the CSV form −1 is a target out of reach."""
    targets = parse_targets(target)
    fitted = fitted_study(session, get_job(session, job_id), method=method, version=method_version)
    answer = sizes_at(fitted, targets, level)
    if as_csv:
        return csv_response(inverse_table(answer), f"{job_id}-inv-project.csv")  # type: ignore[return-value]
    return answer


@router.get("/jobs/{job_id}/verdict", responses=documented(409))
def verdict(
    session: SessionDep,
    job_id: UUID,
    metric: Metrics = None,
    class_: Classes = None,
    level: Level = DEFAULT_LEVEL,
    min_gain: Annotated[
        list[str] | None,
        Query(
            max_length=QUESTIONS,
            description="what doubling the data must bring to be worth it, in the metric's units: 0.01 for all, "
            "or Accuracy:0.01; repeatable. Else what the job says, or a tenth of what is left to the best value, but "
            "at least .005 and at most .01 of the range; of a metric without a range 5 % of its present value",
            examples=[["Accuracy:0.01"]],
        ),
    ] = None,
    primary: Annotated[
        str | None,
        Query(description="the metric that answers for the job; default the job's, or the first asked for"),
    ] = None,
) -> Verdicts:
    """Return whether more data is worth it: what it would bring, where the ceiling is, what limits, what to do next."""
    gains = parse_targets(min_gain or [], "min_gain")
    job = get_job(session, job_id)
    trained = trained_of(session, job_id)  # before the fits, for which the transaction is ended
    return judge(measured_study(session, job, metric, class_), gains, level, primary, trained)


@router.get("/jobs/{job_id}/gate", responses=documented(409))
def gate(
    session: SessionDep,
    job_id: UUID,
    target: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=QUESTIONS,
            description="0.93 for every metric whose bounds admit it, or Accuracy:0.93; repeatable",
            examples=[["Accuracy:0.93"]],
        ),
    ],
    probability: Annotated[float, Query(gt=0, lt=1, description="with which each target has to be met")] = ASSURANCE,
    n: Annotated[
        int | None, Query(ge=1, le=2**53, description="at that training-set size; default the largest one measured")
    ] = None,
    class_: Classes = None,
    level: Level = DEFAULT_LEVEL,
) -> GateView:
    """Return whether every target is met surely enough, on any test split where its noise is known."""
    targets = parse_targets(target)
    return met_surely(measured_study(session, get_job(session, job_id), None, class_), targets, probability, n, level)


@router.get("/jobs/{job_id}/curves", responses=documented(409))
def list_curves(
    session: SessionDep,
    job_id: UUID,
    metric: Metrics = None,
    class_: Classes = None,
    method: Method = DEFAULT_METHOD,
    method_version: Version = None,
) -> Curves:
    """Return the fitted curves with their back-test: those kept at completion, or made of what there is so far."""
    return curves(fitted_study(session, get_job(session, job_id), metric, method, class_, method_version))
