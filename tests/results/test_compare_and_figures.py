"""Jobs beside each other, and curves as pictures, over HTTP."""

import io
import sys
import warnings
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from app.page.routes import FILES
from tests.support.finished import finished
from tests.support.service import CLASSES, Service, pointers, power_law, problem

EVIL = '<script>alert(1)</script> & $x_1$ "精度"'


def slow(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
    error = 0.5 * n**-0.25
    return [("Accuracy", -1, 1.0 - error + 2e-4 * run), ("Recall", 0, 1.0 - error), ("Recall", 1, 0.9 - error)]


@pytest.fixture(scope="module")
def jobs(standing: Service) -> list[str]:
    """Two jobs with the same subsets, and one on another seed."""
    return [finished(standing), finished(standing, slow), finished(standing, slow, seed=7)]


def test_jobs_side_by_side(standing: Service, jobs: list[str]) -> None:
    answer = standing.client.get("/compare", params={"job": jobs}).json()
    assert [one["job_id"] for one in answer["jobs"]] == jobs
    assert [one["shares_subsets"] for one in answer["jobs"]] == [True, True, False]
    assert list(answer["metrics"]) == ["Accuracy"]
    assert [warning["metric"] for warning in answer["warnings"]] == ["Loss"]
    [accuracy] = answer["metrics"]["Accuracy"]
    sizes = [[point["n"] for point in curve["points"]] for curve in accuracy["curves"]]
    assert sizes[0] == sizes[1] == sizes[2] == [10, 40, 160, 640, 1000, 2000, 4000, 8000, 16000]
    # 2·n^−0.5 = 0.5·n^−0.25 at n = 256
    crossing = accuracy["pairs"][0]["crossing"]
    assert crossing["n"] == pytest.approx(256, rel=0.1)
    assert (crossing["ahead_before"], crossing["ahead_after"]) == (jobs[1], jobs[0])
    last = accuracy["pairs"][0]["efficiency"][-1]
    assert last["ratio"] == pytest.approx(last["n"] / last["n_first"])
    assert [len(pair["paired"]) for pair in accuracy["pairs"]] == [5, 0]
    difference = accuracy["pairs"][0]["paired"][-1]
    assert difference["difference"] == pytest.approx(2.0 * 1000**-0.5 - 0.5 * 1000**-0.25 + 0.5e-4, abs=1e-9)
    for point, curve in zip(accuracy["curves"][0]["points"], accuracy["curves"][1]["points"], strict=True):
        assert point["measured_range"] == curve["measured_range"] == (point["n"] <= 1000)


def test_metrics_of_classes_are_compared_when_they_are_named(standing: Service, jobs: list[str]) -> None:
    answer = standing.client.get("/compare", params={"job": jobs[:2], "metric": "Recall"}).json()
    assert [one["class"] for one in answer["metrics"]["Recall"]] == CLASSES[:2]


def test_what_cannot_be_compared_is_explained(service: Service) -> None:
    def other(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Loss", -1, n**-0.5)]

    def turned(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, n**-0.5)]

    job, loss = finished(service), finished(service, other)
    only = finished(service, turned, metrics={"Accuracy": {"direction": "minimize"}})
    get = service.client.get
    problem(get("/compare", params={"job": [job]}), 422)
    problem(get("/compare"), 422)
    assert pointers(problem(get("/compare", params={"job": [job, job]}), 422)) == ["job"]
    problem(get("/compare", params={"job": [job, str(uuid4())]}), 404)
    problem(get("/compare", params={"job": [job, "x"]}), 422)
    problem(get("/compare", params={"job": [job] * 11}), 422)
    problem(get("/compare", params={"job": [job, loss], "metric": "Nothing"}), 404, "unknown_metric")
    assert "Accuracy" in problem(get("/compare", params={"job": [only, loss]}), 409, "nothing_in_common")["detail"]
    problem(get("/compare", params={"job": [job, only]}), 409, "nothing_in_common")
    begun = str(service.submit(schedule=[10, 40, 160])["id"])
    problem(get("/compare", params={"job": [job, begun]}), 409, "not_enough_data")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(standing: Service, jobs: list[str], theme: str) -> None:
    address = f"/jobs/{jobs[0]}/plot"
    wanted = {"theme": theme, "target": 0.95, "metric": "Accuracy"}
    svg = standing.client.get(f"{address}.svg", params=wanted)
    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.content == standing.client.get(f"{address}.svg", params=wanted).content
    words = " ".join(ElementTree.fromstring(svg.text).itertext())
    [need] = standing.client.get(f"/jobs/{jobs[0]}/inv_project?target=Accuracy:0.95").json()["metrics"]["Accuracy"]
    assert f"n = {need['n']:,}" in words
    png = standing.client.get(f"{address}.png", params=wanted)
    assert png.headers["content-type"] == "image/png"
    image = matplotlib.image.imread(io.BytesIO(png.content))
    assert image.shape[:2] == (736, 1280)
    corner = image[2, 2, :3].mean()
    assert corner > 0.9 if theme == "light" else corner < 0.2
    assert np.ptp(image[..., :3]) > 0.5


def test_a_picture_without_the_extra_is_answered_by_its_name(
    standing: Service, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    answer = problem(standing.client.get(f"/jobs/{jobs[0]}/plot.svg"), 501, "extra_missing")
    assert "pip install 'sufficiency[plot]'" in answer["detail"]
    assert standing.client.get(f"/jobs/{jobs[0]}/figure").status_code == 200


def test_a_figure_for_plotly_shows_what_the_api_answers(standing: Service, jobs: list[str]) -> None:
    address = f"/jobs/{jobs[0]}"
    figure = standing.client.get(f"{address}/figure", params={"metric": "Accuracy", "target": 0.95}).json()
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert set(traces) == {"95 % interval", "50 % interval", "curve, measured", "curve, projected", "run", "mean ± SD"}
    means = standing.client.get(f"{address}/measurements", params={"metric": "Accuracy"}).json()["items"]
    assert traces["mean ± SD"]["x"] == [item["n"] for item in means]
    assert traces["mean ± SD"]["y"] == pytest.approx([item["mean"] for item in means])
    assert len(traces["run"]["x"]) == 10
    last = traces["curve, projected"]
    [point] = standing.client.get(
        f"{address}/project", params={"n": round(last["x"][-1]), "metric": "Accuracy"}
    ).json()["metrics"]["Accuracy"]
    assert last["y"][-1] == pytest.approx(point["value"], abs=1e-6)
    assert figure["layout"]["xaxis"]["type"] == "log"
    plotly = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed")
    assert len(plotly.Figure(figure).data) == len(figure["data"])


def test_pictures_of_odd_jobs(service: Service) -> None:
    def named(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [(EVIL, -1, 1.0 - n**-0.5), ("L" * 190, -1, 5.0), ("Recall", 1, 0.9 - n**-0.5)]

    job = finished(service, named)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in (EVIL, "L" * 190):
            for kind in ("svg", "png"):
                assert service.client.get(f"/jobs/{job}/plot.{kind}", params={"metric": metric}).status_code == 200
    svg = service.client.get(f"/jobs/{job}/plot.svg", params={"metric": EVIL})
    assert "default-src 'none'" in svg.headers["content-security-policy"]
    tree = ElementTree.fromstring(svg.text)
    assert EVIL in " ".join(tree.itertext())
    assert not [element for element in tree.iter() if element.tag.endswith("script")]
    figure = service.client.get(f"/jobs/{job}/figure", params={"metric": EVIL}).json()
    assert "<" not in figure["layout"]["yaxis"]["title"]["text"]
    by_class = {"metric": "Recall", "class": "dog"}
    assert "class dog" in service.client.get(f"/jobs/{job}/plot.svg", params=by_class).text
    get = service.client.get
    problem(get(f"/jobs/{job}/plot.svg", params={"metric": "Recall", "class": "cow"}), 404, "unknown_class")
    problem(get(f"/jobs/{job}/plot.svg", params={"metric": "No"}), 404, "unknown_metric")
    problem(get(f"/jobs/{job}/plot.svg", params={"target": 7, "metric": EVIL}), 422, "target_out_of_bounds")
    problem(get(f"/jobs/{job}/plot.svg", params={"target": "nan"}), 422)
    problem(get(f"/jobs/{job}/plot.pdf"), 422)
    problem(get(f"/jobs/{job}/plot.svg", params={"theme": "pink"}), 422)
    problem(get(f"/jobs/{uuid4()}/figure"), 404)
    begun = str(service.submit(schedule=[10, 40, 160])["id"])
    problem(get(f"/jobs/{begun}/plot.png"), 409, "not_enough_data")


def test_curves_and_verdict_of_one_class_and_cells_of_one_metric(standing: Service, jobs: list[str]) -> None:
    address = f"/jobs/{jobs[0]}"
    for named in ("hen", "2"):
        items = standing.client.get(f"{address}/curves", params={"metric": "Recall", "class": named}).json()["items"]
        assert [item["class"] for item in items] == ["hen"]
    curves = standing.client.get(f"{address}/curves").json()
    assert curves["reading"]["horizon"] >= curves["reading"]["reliable"] > 1
    assert {(item["metric"], item["direction"], tuple(item["bounds"])) for item in curves["items"]} == {
        ("Accuracy", "maximize", (0.0, 1.0)),
        ("Loss", "minimize", (0.0, None)),
        ("Recall", "maximize", (0.0, 1.0)),
    }
    verdicts = standing.client.get(f"{address}/verdict", params={"metric": "Recall", "class": "hen"}).json()
    assert [one["class"] for one in verdicts["metrics"]["Recall"]] == ["hen"]
    cells = standing.client.get(f"{address}/measurements", params={"view": "cells", "metric": "Loss"}).json()["items"]
    assert {cell["metric"] for cell in cells} == {"Loss"}
    assert len(cells) == 10
    assert power_law(0, 0, 10)[1][2] == pytest.approx(cells[0]["value"])


def page_files() -> list[str]:
    return sorted(FILES)


@pytest.mark.parametrize("path", page_files())
def test_every_file_of_the_page_is_whole_and_asks_nobody_else(standing: Service, path: str) -> None:
    answer = standing.client.get(f"/ui/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = standing.client.get(f"/ui/{path}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
    text = answer.text
    for said in ("http://www.w3.org/2000/svg", "`http://` or `https://`"):  # a name, and what a field takes
        text = text.replace(said, "")
    assert "http://" not in text
    assert "https://" not in text
    again = standing.client.get(f"/ui/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_s_address(standing: Service) -> None:
    get: Any = standing.client.get
    for address in ("/", "/ui"):
        answer = get(address, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "ui/")
    assert get("/", follow_redirects=True).text == get("/ui/index.html").text
    assert "<script src=" in get("/ui/").text
    assert standing.client.head("/ui/").status_code == 200
    for path in ("nothing.js", "../main.py", "..%2F..%2Fmain.py", "views/", "%2e%2e/%2e%2e/settings.py"):
        problem(get(f"/ui/{path}"), 404)
    problem(get("/ui/%00"), 422)
    problem(standing.client.post("/ui/"), 405)
    assert not [path for path in get("/openapi.json").json()["paths"] if path.startswith("/ui")]
