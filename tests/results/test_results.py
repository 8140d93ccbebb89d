"""Measurements, projections, curves and exports of jobs whose cells were recorded as a worker records them."""

import csv
import io
import math
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from dataeval.performance._output import SufficiencyOutput
from sqlalchemy import select, update

from app.db.tables import Curve, Dataset, Job
from sufficiency.method.methods import METHOD_VERSIONS
from tests.support.finished import STEPS, finished
from tests.support.service import CLASSES, Service, pointers, power_law, problem

# Curves are only ever written together with their job, by whose version answers are kept.
TOUCH = update(Job).values(deaths=Job.deaths)


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_cells_come_page_by_page_in_order(service: Service) -> None:
    address = f"/jobs/{finished(service)}/measurements"
    whole = service.client.get(address, params={"view": "cells"}).json()
    assert whole["next_cursor"] is None
    assert len(whole["items"]) == 2 * 5 * 5
    first = whole["items"][0]
    assert {key: first[key] for key in ("run", "step", "n", "n_unique", "metric", "class", "device", "attempt")} == {
        "run": 0,
        "step": 0,
        "n": 10,
        "n_unique": 10,
        "metric": "Accuracy",
        "class": None,
        "device": "cpu",
        "attempt": 1,
    }
    assert [item["class"] for item in whole["items"][2:5]] == CLASSES
    pages: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = service.client.get(address, params={"view": "cells", "limit": 7, "cursor": cursor or ""}).json()
        pages += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == whole["items"]
    problem(service.client.get(address, params={"view": "cells", "cursor": "bm90IG9uZQ"}), 422)
    problem(service.client.get(address, params={"view": "both"}), 422)


def test_averages_are_means_and_deviations_over_runs(service: Service) -> None:
    job_id = finished(service)
    items = service.client.get(f"/jobs/{job_id}/measurements").json()["items"]
    accuracy = [item for item in items if item["metric"] == "Accuracy"]
    assert [item["n"] for item in accuracy] == STEPS
    assert accuracy[4]["mean"] == pytest.approx(1 - 2 / math.sqrt(1000) + 5e-5)
    assert accuracy[4]["sd"] == pytest.approx(1e-4 / math.sqrt(2), rel=1e-6)
    assert accuracy[4]["runs"] == 2
    assert {item["class"] for item in items if item["metric"] == "Recall"} == set(CLASSES)
    rows = table(service.client.get(f"/jobs/{job_id}/measurements?format=csv"))
    assert list(rows[0]) == ["step", "Accuracy", "Loss", "Recall_cat", "Recall_dog", "Recall_hen"]
    assert [int(row["step"]) for row in rows] == STEPS
    cells = table(service.client.get(f"/jobs/{job_id}/measurements?view=cells", headers={"accept": "text/csv"}))
    assert len(cells) == 10
    assert float(cells[-1]["Recall_hen"]) == pytest.approx(1 - 0.1 - 2 / math.sqrt(1000))
    assert table(service.client.get(f"/jobs/{job_id}/export?format=csv")) == cells


def test_one_run_has_no_deviation(service: Service) -> None:
    job_id = finished(service, runs=1)
    assert service.client.get(f"/jobs/{job_id}/measurements").json()["items"][0]["sd"] is None


def test_project_reads_the_curve_at_sizes(service: Service) -> None:
    job_id = finished(service)
    answer = service.client.get(f"/jobs/{job_id}/project?n=160&n=4000&level=0.8").json()
    assert (answer["job_id"], answer["method"], answer["level"], answer["of"]) == (job_id, "calibrated", 0.8, "mean")
    assert (answer["n_observed"], answer["provisional"], answer["warnings"]) == (1000, False, [])
    near, far = answer["metrics"]["Accuracy"]
    assert near["value"] == pytest.approx(1 - 2 / math.sqrt(160) + 5e-5, abs=1e-9), "as it was measured"
    assert near["lower"] < near["value"] < near["upper"]
    assert far["lower"] < 1 - 2 / math.sqrt(4000) < far["upper"]
    assert far["value"] == pytest.approx(1 - 2 / math.sqrt(4000), abs=0.01)
    assert (near["n"], near["measured_range"], far["measured_range"]) == (160, True, False)
    assert "class" not in far
    trust = answer["trust"]["Accuracy"]
    assert 0 <= trust["backtest_error"] < 0.05
    assert (trust["inside_interval"], trust["predictions"]) == (1.0, 2)
    assert [(p["class"], p["n"]) for p in answer["metrics"]["Recall"]] == [(c, n) for c in CLASSES for n in (160, 4000)]
    only = service.client.get(f"/jobs/{job_id}/project?n=5000&metric=Loss&metric=Accuracy").json()
    assert set(only["metrics"]) == {"Loss", "Accuracy"}
    rows = table(service.client.get(f"/jobs/{job_id}/project?n=4000&n=2000&format=csv"))
    assert [row["step"] for row in rows] == ["2000", "4000"]
    assert float(rows[1]["Accuracy"]) == far["value"]
    assert list(rows[0])[-1] == "Recall_hen"
    astray = service.client.get(f"/jobs/{job_id}/project?n={2**53}").json()
    assert {w["code"] for w in astray["warnings"]} == {"far_extrapolation"}
    by_class = next(w for w in astray["warnings"] if w["metric"] == "Recall")
    assert by_class["class"] is None
    assert "3 classes" in by_class["detail"]


def test_the_power_law_is_there_for_who_wants_it(service: Service) -> None:
    job_id = finished(service)
    answer = service.client.get(f"/jobs/{job_id}/project?n=4000&method=power_law").json()
    assert answer["method"] == "power_law"
    [far] = answer["metrics"]["Accuracy"]
    assert far["value"] == pytest.approx(1 - 2 / math.sqrt(4000), abs=1e-4)
    assert (far["lower"], far["upper"]) == (None, None)
    assert answer["trust"]["Accuracy"]["inside_interval"] is None
    answer = service.client.get(f"/jobs/{job_id}/inv_project?target=Accuracy:0.97&method=power_law").json()
    [needed] = answer["metrics"]["Accuracy"]
    assert needed["n"] == pytest.approx((2 / 0.03) ** 2, rel=0.02)
    assert (needed["lower"], needed["probability"], needed["n_assured"]) == (None, None, None)


def test_one_new_training_scatters_more_than_the_mean(service: Service) -> None:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, 1 - 2 * n**-0.5 + 0.01 * run)]

    job_id = finished(service, measure)
    widths = []
    for of in ("mean", "one_training"):
        points = service.client.get(f"/jobs/{job_id}/project?n=1000&n=3000&of={of}").json()["metrics"]["Accuracy"]
        widths.append([point["upper"] - point["lower"] for point in points])
    assert widths[0][0] < widths[1][0]
    assert widths[0][1] < widths[1][1]


def test_inv_project_reads_sizes_at_targets(service: Service) -> None:
    job_id = finished(service)
    answer = service.client.get(f"/jobs/{job_id}/inv_project?target=0.97&target=Accuracy:0.5&target=Loss:0.11").json()
    reached, needed = sorted(answer["metrics"]["Accuracy"], key=lambda a: a["target"])
    assert reached["status"] == "reached"
    assert 10 < reached["n"] <= 40
    assert needed["status"] == "needs"
    # What is measured is a law, and half a ten-thousandth more by the second run: its own size is the answer.
    assert 1000 < needed["lower"] < needed["n"] < needed["upper"]
    assert needed["n"] == pytest.approx((2 / (0.03 + 5e-5)) ** 2, rel=2e-3)
    assert needed["probability"] > 0.9
    assert needed["n"] <= needed["n_assured"]
    assert [a["target"] for a in answer["metrics"]["Loss"]] == [0.97, 0.11]
    narrow = service.client.get(f"/jobs/{job_id}/inv_project?target=Accuracy:0.97&level=0.5").json()
    [inner] = narrow["metrics"]["Accuracy"]
    assert needed["lower"] < inner["lower"] < inner["n"] == needed["n"] < inner["upper"]
    law = service.client.get(f"/jobs/{job_id}/inv_project?target=0.97&method=power_law").json()
    hen = next(a for a in law["metrics"]["Recall"] if a["class"] == "hen")
    assert (hen["status"], hen["n"]) == ("unreachable", None)
    rows = table(service.client.get(f"/jobs/{job_id}/inv_project?target=0.97&format=csv&method=power_law"))
    assert (rows[0]["target"], rows[0]["Recall_hen"]) == ("0.97", "-1")
    rows = table(service.client.get(f"/jobs/{job_id}/inv_project?target=0.97&format=csv"))
    assert int(rows[0]["Accuracy"]) == needed["n"]
    # Above the bounds of the others, so it is for the one metric that can take it.
    assert set(service.client.get(f"/jobs/{job_id}/inv_project?target=1.5").json()["metrics"]) == {"Loss"}


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("project", 422, "n"),
        ("project?n=0", 422, "n"),
        ("project?n=-5", 422, "n"),
        ("project?n=9007199254740993", 422, "n"),
        ("project?n=1e400", 422, "n"),
        ("project?n=many", 422, "n"),
        ("project?n=10&level=1", 422, "level"),
        ("project?n=10&level=0", 422, "level"),
        ("project?n=10&level=nan", 422, "level"),
        ("project?n=10&method=wisdom", 422, "method"),
        ("project?n=10&of=everything", 422, "of"),
        ("verdict?min_gain=0", 422, "min_gain"),
        ("verdict?min_gain=-0.1", 422, "min_gain"),
        ("verdict?min_gain=some", 422, "min_gain"),
        ("verdict?min_gain=Acuracy:0.1", 404, "min_gain"),
        ("verdict?metric=Acuracy", 404, "metric"),
        ("verdict?primary=Acuracy", 404, "primary"),
        ("verdict?level=1", 422, "level"),
        ("curves?method=wisdom", 422, "method"),
        ("project?n=10&metric=Acuracy", 404, "metric"),
        ("project?n=10&format=xml", 422, "format"),
        ("inv_project", 422, "target"),
        ("inv_project?target=", 422, "target"),
        ("inv_project?target=Accuracy", 422, "target"),
        ("inv_project?target=Accuracy:", 422, "target"),
        ("inv_project?target=:0.9", 422, "target"),
        ("inv_project?target=nan", 422, "target"),
        ("inv_project?target=inf", 422, "target"),
        ("inv_project?target=1e999", 422, "target"),
        ("inv_project?target=1_0", 422, "target"),
        ("inv_project?target=-0.1", 422, "target"),
        ("inv_project?target=Accuracy:1.01", 422, "target"),
        ("inv_project?target=Loss:-1", 422, "target"),
        ("inv_project?target=Acuracy:0.9", 404, "target"),
        ("inv_project?target=0.9&level=2", 422, "level"),
        ("export?format=parquet", 422, "format"),
    ],
)
def test_bad_questions_are_refused(shared: tuple[Service, str], query: str, status: int, parameter: str) -> None:
    service, job_id = shared
    body = problem(service.client.get(f"/jobs/{job_id}/{query}"), status)
    assert {where.split("/")[0] for where in pointers(body)} == {parameter}
    if status == 404:
        assert body["code"] == "unknown_metric"
        assert "Accuracy, Loss, Recall" in body["detail"]


@pytest.fixture(scope="module")
def shared(standing: Service) -> tuple[Service, str]:
    return standing, finished(standing)


def test_metric_names_may_hold_colons(service: Service) -> None:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("val:acc:top 1", -1, 1 - n**-0.5)]

    job_id = finished(service, measure)
    answer = service.client.get(f"/jobs/{job_id}/inv_project", params={"target": "val:acc:top 1:0.99"}).json()
    [needed] = answer["metrics"]["val:acc:top 1"]
    assert needed["status"] == "needs"
    assert needed["lower"] < 10_000 < needed["n"]


def test_too_little_for_a_fit_says_what_is_missing(service: Service) -> None:
    job_id = service.submit(schedule=STEPS)["id"]
    for question in ("project?n=10", "inv_project?target=0.5", "curves", "verdict"):
        refused = problem(service.client.get(f"/jobs/{job_id}/{question}"), 409, "not_enough_data")
        assert "0 of 10 cells" in refused["detail"]
    problem(service.client.get(f"/jobs/{job_id}/project?n=10&metric=Nonsense"), 404, "unknown_metric")
    problem(service.client.get(f"/jobs/{job_id}/project?n=10&metric=Accuracy"), 409, "not_enough_data")
    assert service.client.get(f"/jobs/{job_id}/measurements").json() == {"items": [], "next_cursor": None}
    assert service.client.get(f"/jobs/{job_id}/measurements?view=cells").json()["items"] == []
    assert service.client.get(f"/jobs/{job_id}/measurements?format=csv").text == "step\n"
    service.work(job_id, units=2)
    refused = problem(service.client.get(f"/jobs/{job_id}/project?n=10"), 409, "not_enough_data")
    assert "at least 3" in refused["detail"]


def test_answers_are_provisional_until_the_job_has_completed(service: Service) -> None:
    job_id = service.submit(schedule=STEPS)["id"]
    service.work(job_id, units=8)
    answer = service.client.get(f"/jobs/{job_id}/project?n=2000").json()
    assert answer["provisional"] is True
    assert service.client.get(f"/jobs/{job_id}/inv_project?target=0.9").json()["provisional"] is True
    curves = service.client.get(f"/jobs/{job_id}/curves").json()
    assert {curve["stored"] for curve in curves["items"]} == {False}
    problem(service.client.get(f"/jobs/{job_id}/export"), 409, "job_incomplete")
    assert table(service.client.get(f"/jobs/{job_id}/export?format=csv"))
    service.work(job_id)
    assert service.client.get(f"/jobs/{job_id}/project?n=2000").json()["provisional"] is False


def test_curves_kept_at_completion_are_what_is_answered_from(service: Service) -> None:
    job_id = finished(service)
    for method in ("calibrated", "power_law"):
        curves = service.client.get(f"/jobs/{job_id}/curves?method={method}").json()
        assert {(curve["stored"], curve["method"], curve["method_version"]) for curve in curves["items"]} == {
            (True, method, METHOD_VERSIONS[method])
        }
        assert [(c["metric"], c["class"]) for c in curves["items"]] == [
            ("Accuracy", None),
            ("Loss", None),
            *(("Recall", name) for name in CLASSES),
        ]
        assert all(len(curve["backtest"]["predictions"]) == 2 for curve in curves["items"])
    assert curves["items"][0]["params"] == pytest.approx([2.0, 0.5, -5e-5], abs=1e-3)
    with service.database.transaction() as session:
        kept = session.scalars(select(Curve).where(Curve.metric == "Accuracy", Curve.method == "power_law")).one()
        kept.fit = {**kept.fit, "error_asymptote": kept.fit["error_asymptote"] + 0.5}
        kept = session.scalars(select(Curve).where(Curve.metric == "Accuracy", Curve.method == "calibrated")).one()
        kept.fit = {**kept.fit, "z": [z + 1.0 for z in kept.fit["z"]]}
        session.execute(TOUCH)
    question = f"/jobs/{job_id}/project?n=1000&metric=Accuracy"
    changed = service.client.get(question + "&method=power_law").json()["metrics"]["Accuracy"][0]
    assert changed["value"] == pytest.approx(1 - 2 / math.sqrt(1000) - 0.5, abs=1e-3)
    changed = service.client.get(question).json()["metrics"]["Accuracy"][0]
    assert changed["value"] < 1 - 2 / math.sqrt(1000) - 0.01


def test_a_fit_of_another_version_is_made_anew(service: Service) -> None:
    job_id = finished(service)
    question = f"/jobs/{job_id}/project?n=4000&metric=Accuracy"
    before = service.client.get(question).json()
    with service.database.transaction() as session:
        session.execute(update(Curve).values(method_version=99, fit={"of": "another time"}))
        session.execute(TOUCH)
    assert service.client.get(question).json() == before
    with service.database.transaction() as session:  # from before there was a back-test
        session.execute(update(Curve).values(method_version=METHOD_VERSIONS["calibrated"], backtest=None))
        session.execute(TOUCH)
    assert service.client.get(question).json() == before
    assert {c["stored"] for c in service.client.get(f"/jobs/{job_id}/curves").json()["items"]} == {False}


def test_the_verdict_says_whether_more_data_is_worth_it(service: Service) -> None:
    job_id = finished(service)
    answer = service.client.get(f"/jobs/{job_id}/verdict").json()
    [accuracy] = answer["metrics"]["Accuracy"]
    assert answer["n_observed"] == 1000
    # 200 test items tell 0.937 from 0.951 no better than by chance: no higher bar, but a reason not to know.
    assert accuracy["test_sd"] == pytest.approx((0.9368 * 0.0632 / 200) ** 0.5, rel=1e-3)
    assert (accuracy["min_gain"], accuracy["min_gain_by"]) == (pytest.approx(0.0063, abs=1e-4), "default")
    assert accuracy["worth"] == "yes"
    [strict] = service.client.get(f"/jobs/{job_id}/verdict?min_gain=0.018&metric=Accuracy").json()["metrics"][
        "Accuracy"
    ]
    assert (strict["worth"], strict["min_gain_by"], strict["limits"][0]["code"]) == ("unclear", "asked", "test_set")
    assert {one["kind"] for one in strict["statements"]} >= {"now", "expected", "cannot_be_told", "limit", "advice"}
    assert answer["overall"]["metric"] == "Accuracy"
    assert answer["overall"]["sentence"].startswith(accuracy["sentence"])
    by_loss = service.client.get(f"/jobs/{job_id}/verdict?primary=Loss").json()["overall"]
    assert (by_loss["metric"], by_loss["worth"]) == ("Loss", "yes")
    assert [gain["n"] for gain in accuracy["more"]] == [2000, 3000, 5000]
    assert [gain["n"] for gain in accuracy["more"]] == [(1 + gain["added"]) * 1000 for gain in accuracy["more"]]
    projected = service.client.get(f"/jobs/{job_id}/project?n=2000&metric=Accuracy").json()["metrics"]["Accuracy"][0]
    assert accuracy["more"][0]["value"] == projected["value"]
    assert accuracy["more"][0]["lower"] == projected["lower"]
    assert accuracy["now"] == pytest.approx(1 - 2 / math.sqrt(1000) + 5e-5)
    assert accuracy["more"][0]["gain"] == pytest.approx(projected["value"] - accuracy["now"])
    assert "Accuracy is 0.937 at n = 1,000" in accuracy["sentence"]
    assert len(accuracy["drivers"]["steps"]) == 5
    assert len(accuracy["backtest"]["predictions"]) == 2
    assert [one["class"] for one in answer["metrics"]["Recall"]] == CLASSES
    [loss] = answer["metrics"]["Loss"]
    assert loss["more"][0]["gain"] > 0
    assert loss["more"][0]["value"] < loss["now"]
    picky = service.client.get(f"/jobs/{job_id}/verdict?min_gain=0.5&min_gain=Accuracy:0.001").json()["metrics"]
    assert (picky["Accuracy"][0]["min_gain"], picky["Accuracy"][0]["worth"]) == (0.001, "yes")
    assert picky["Recall"][0]["worth"] == "no"
    only = service.client.get(f"/jobs/{job_id}/verdict?metric=Loss&level=0.5").json()
    assert set(only["metrics"]) == {"Loss"}
    gain = only["metrics"]["Loss"][0]["more"][0]
    assert gain["upper"] - gain["lower"] < loss["more"][0]["upper"] - loss["more"][0]["lower"]


def test_what_cannot_be_fitted_is_warned_of_and_the_rest_answered(service: Service) -> None:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [*power_law(run, step, n)[:1], ("Loss", -1, None if step else 0.5)]

    job_id = finished(service, measure)
    answer = service.client.get(f"/jobs/{job_id}/project?n=2000").json()
    assert set(answer["metrics"]) == {"Accuracy"}
    assert [(w["code"], w["metric"]) for w in answer["warnings"]] == [("not_enough_data", "Loss")]
    problem(service.client.get(f"/jobs/{job_id}/project?n=2000&metric=Loss"), 409, "not_enough_data")
    problem(service.client.get(f"/jobs/{job_id}/inv_project?target=Loss:0.2"), 409, "not_enough_data")
    exported = service.client.get(f"/jobs/{job_id}/export").json()
    assert set(exported["measures"]) == {"Accuracy"}
    assert exported["warnings"][0]["metric"] == "Loss"


def test_a_metric_with_holes_everywhere_cannot_be_exported(service: Service) -> None:
    def measure(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, None if (run, step) == (1, 2) else 0.5)]

    job_id = finished(service, measure)
    problem(service.client.get(f"/jobs/{job_id}/export"), 409, "missing_values")


def test_the_export_is_what_dataeval_takes(service: Service) -> None:
    job_id = finished(service)
    exported = service.client.get(f"/jobs/{job_id}/export").json()
    assert exported["steps"] == STEPS
    assert exported["unit_interval"] is False  # Loss has no upper bound
    assert len(exported["measures"]["Accuracy"]) == 2
    assert len(exported["measures"]["Recall"][1][4]) == 3
    assert len(exported["averaged_measures"]["Recall"]) == 3
    assert exported["params"]["Accuracy"] == pytest.approx([2.0, 0.5, -5e-5], abs=1e-3)
    assert len(exported["params"]["Recall"]) == 3
    output = SufficiencyOutput(
        steps=np.array(exported["steps"]), measures={k: np.array(v) for k, v in exported["measures"].items()}
    )
    for metric, averaged in output.averaged_measures.items():
        assert averaged.tolist() == pytest.approx(np.array(exported["averaged_measures"][metric]), rel=1e-12)
    rows = table(service.client.get(f"/jobs/{job_id}/measurements?format=csv"))
    frame = output.to_dataframe()
    assert [name.split("_")[0] for name in frame.columns] == [name.split("_")[0] for name in rows[0]]


def test_a_job_that_did_not_complete_still_answers_from_what_it_has(service: Service) -> None:
    job_id = service.submit(schedule=STEPS)["id"]
    service.work(job_id, units=8)
    service.fail(job_id)
    answer = service.client.get(f"/jobs/{job_id}/project?n=2000").json()
    assert answer["provisional"] is True
    assert set(answer["metrics"]) == {"Accuracy", "Loss", "Recall"}


def test_classes_without_names_have_their_index(service: Service) -> None:
    job_id = finished(service)
    with service.database.transaction() as session:
        job = session.get_one(Job, UUID(job_id))
        session.execute(update(Dataset).where(Dataset.id == job.dataset_id).values(info={"train": {"size": 1000}}))
    recalls = service.client.get(f"/jobs/{job_id}/project?n=10").json()["metrics"]["Recall"]
    assert [point["class"] for point in recalls] == [0, 1, 2]
    assert "Recall_2" in service.client.get(f"/jobs/{job_id}/project?n=10&format=csv").text
