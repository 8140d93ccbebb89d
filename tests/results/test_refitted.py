"""A completed job keeps the version of the method that answered it, until it is fitted anew; both can be asked."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.tables import Curve, EarlierCurve, Job
from sufficiency.method.methods import METHOD_VERSIONS
from tests.support.finished import finished
from tests.support.service import Service, problem

PRESENT = METHOD_VERSIONS["calibrated"]


def of_an_earlier_version(service: Service) -> str:
    """Return a job that completed under version 1, whose curve was a little higher."""
    job_id = finished(service)
    with service.database.transaction() as session:
        for curve in session.scalars(select(Curve).where(Curve.method == "calibrated")):
            curve.fit = {**curve.fit, "z": [z - 0.5 for z in curve.fit["z"]]}
            curve.method_version = 1
        readings = session.scalars(select(Job.readings)).one()
        assert readings is not None
        session.execute(update(Job).values(readings={**readings, "methods": {**readings["methods"], "calibrated": 1}}))
    return job_id


def asked(service: Service, job_id: str, more: str = "") -> Any:
    reply = service.client.get(f"/jobs/{job_id}/project?n=4000&metric=Accuracy{more}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_completed_job_keeps_its_version_until_it_is_fitted_anew(service: Service) -> None:
    job_id = of_an_earlier_version(service)
    before = asked(service, job_id)
    assert before["method_version"] == 1
    told = service.client.get(f"/jobs/{job_id}/inv_project?target=0.97").json()
    judged = service.client.get(f"/jobs/{job_id}/verdict").json()
    assert [told["method_version"], judged["method_version"]] == [1, 1], "every answer names it"

    reply = service.client.post(f"/jobs/{job_id}/refit")
    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "job_id": job_id,
        "before": {**METHOD_VERSIONS, "calibrated": 1},
        "now": METHOD_VERSIONS,
    }
    now = asked(service, job_id)
    assert now["method_version"] == PRESENT
    assert now["metrics"]["Accuracy"][0]["value"] < before["metrics"]["Accuracy"][0]["value"]
    assert asked(service, job_id, "&method_version=1") == before, "what it said is there still"
    assert asked(service, job_id, f"&method_version={PRESENT}") == now
    for version in (1, PRESENT):
        curves = service.client.get(f"/jobs/{job_id}/curves?method_version={version}").json()["items"]
        assert {(one["method_version"], one["stored"]) for one in curves} == {(version, True)}


def test_fitting_anew_twice_is_fitting_anew_once(service: Service) -> None:
    job_id = of_an_earlier_version(service)
    for _ in range(2):
        assert service.client.post(f"/jobs/{job_id}/refit").json()["now"] == METHOD_VERSIONS
    with service.database.transaction() as session:
        kept = session.execute(select(EarlierCurve.method, EarlierCurve.method_version).distinct()).all()
    assert ("calibrated", 1) in [tuple(row) for row in kept]
    assert asked(service, job_id, "&method_version=1")["method_version"] == 1
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204
    with service.database.transaction() as session:
        assert session.scalars(select(EarlierCurve.metric)).all() == []


@pytest.mark.parametrize("version", [7, 99])
def test_a_version_by_which_nothing_is_kept_is_refused(service: Service, version: int) -> None:
    job_id = finished(service)
    reply = service.client.get(f"/jobs/{job_id}/project?n=4000&method_version={version}")
    refused = problem(reply, 422, "unknown_method_version")
    assert f"version {PRESENT}" in refused["detail"]


def test_what_has_not_completed_is_not_fitted_anew(service: Service) -> None:
    job_id = finished(service)
    with service.database.transaction() as session:
        session.execute(update(Job).values(state="cancelled"))
    problem(service.client.post(f"/jobs/{job_id}/refit"), 409, "job_not_completed")
