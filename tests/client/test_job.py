"""A job in Python: waiting with a bar, tables as frames, DataEval's face, and what a notebook shows."""

import json
import sys
import threading
import types
import warnings
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from IPython.core.formatters import DisplayFormatter

from sufficiency import Client, Job, Reply, Rows, WaitTimeout
from sufficiency.schemas.paging import Page
from tests.support.listening import SPEC, HandWorker
from tests.support.script import Script


def test_a_job_is_the_answer_and_a_handle(client: Client, worker: HandWorker) -> None:
    job = client.submit(SPEC)
    assert job["id"] == job.id
    assert json.loads(json.dumps(job))["spec"]["dataset"] == "digits"
    assert (job.state, job.refresh().state) == ("queued", "queued")
    with pytest.raises(WaitTimeout, match="it goes on"):
        job.wait(0.01)
    assert job.cancel().state == job["state"] == "cancelled"
    assert job.retry().state == "queued"
    thread = threading.Thread(target=worker.measure, args=(job.id,))
    thread.start()
    assert job.wait(30) is job
    thread.join()
    assert job.state == "completed"
    assert repr(job) == f"<Job {job.id} completed, 10/10 cells>"
    assert all(isinstance(one, Job) for one in client.jobs())
    assert job.extend(runs=3).state == "queued"
    assert (job["progress"]["cells_done"], job["progress"]["cells_total"]) == (10, 15)
    job.cancel()
    client.delete(job.id)


def test_rows_become_frames(job: Job) -> None:
    means = job.measurements()
    assert isinstance(means, Rows)
    for frame, kind in ((means.to_pandas(), pandas.DataFrame), (means.to_polars(), polars.DataFrame)):
        assert isinstance(frame, kind)
        assert list(frame.columns) == ["step", "n", "metric", "class", "mean", "sd", "runs"]
        assert len(frame) == 5 * 3
    assert len(job.measurements("cells").to_polars()) == 2 * 5 * 3
    ahead = job.project(800, 1600)
    assert {row["n"] for row in ahead} == {800, 1600}
    frame = ahead.to_pandas()
    scalar = frame[frame.metric == "Accuracy"]
    assert (scalar.lower < scalar.value).all()
    assert (scalar.value < scalar.upper).all()
    assert ahead.answer["method"] == "calibrated"
    needs = job.inv_project(0.9, "Recall:0.8").to_polars()
    assert set(needs["metric"]) == {"Accuracy", "Recall"}
    assert {"metric", "worth", "sentence"} <= set(job.verdict().to_pandas().columns)


def test_without_pandas_it_is_said_what_to_install(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        job.measurements().to_pandas()


def test_the_bar_of_a_terminal(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.wait(progress=True)
    assert "10/10 cells" in capsys.readouterr().err
    job.wait()
    assert capsys.readouterr().err == ""


def test_the_bar_of_a_notebook(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython import display

    shown: list[str] = []

    class Handle:
        def update(self, bar: Any) -> None:
            shown.append(bar.data)

    def show(bar: Any, display_id: bool) -> Handle:
        shown.append(bar.data)
        return Handle()

    monkeypatch.setattr(display, "display", show)
    monkeypatch.setattr("IPython.get_ipython", lambda: types.SimpleNamespace(kernel=object()))
    job.wait()
    assert shown == ['<progress max="1" value="1.0000"></progress> completed, 10/10 cells']


def test_dataeval_s_output_projects_as_dataeval_s_own(client: Client, job: Job) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = pytest.importorskip("dataeval.performance._output", reason="dataeval 1.1.4 is not installed")
    ours = job.to_dataeval()
    theirs = output.SufficiencyOutput(ours.steps, ours.measures, dict(ours.averaged_measures), ours.unit_interval)
    theirs._params = {1000: ours.params}
    theirs._params_cache_keys = [1000]
    assert ours.to_dataframe().equals(theirs.to_dataframe())
    mine, peer = ours.project([100, 1000, 10_000]), theirs.project([100, 1000, 10_000])
    assert mine.columns == peer.columns
    assert np.allclose(mine.to_numpy(), peer.to_numpy())
    assert ours.project(100).rows()[0][0] == 100
    for targets in (np.array([0.5, 0.9, 0.95]), {"Accuracy": np.array([0.9]), "Recall": np.array([0.8, 0.999])}):
        needed, cut = ours.inv_project(targets), theirs.inv_project(targets)
        assert needed.columns == cut.columns
        # Theirs are cut to whole items: at one fewer than ours the curve is still below the target.
        for mine, peer in zip(needed.drop("target").rows(), cut.drop("target").rows(), strict=True):
            assert [n if n in (None, -1) else n - 1 for n in mine] == list(peer)


def test_dataeval_plots_draws_it(job: Job) -> None:
    plots = pytest.importorskip("dataeval_plots")
    pytest.importorskip("matplotlib").use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures = plots.plot(job.to_dataeval(), backend="matplotlib", class_names=["cat", "dog"])
    assert figures[0].axes[0].get_title() == "Accuracy Sufficiency"
    assert len(figures) == 3


SVG = (200, {"Content-Type": "image/svg+xml"}, "<svg/>")


def test_a_notebook_shows_the_figure(script: Script, job: Job) -> None:
    script.answers = [SVG]
    with Client(script.url) as client:
        shown, _ = DisplayFormatter().format(Job(client, job))
    assert shown == {"text/plain": repr(job), "image/svg+xml": "<svg/>"}
    assert script.asked[0][0] == f"GET /jobs/{job.id}/plot.svg"


def test_without_figures_a_notebook_shows_the_table(
    script: Script, job: Job, nobody: str, patience: list[float]
) -> None:
    row = {"step": 0, "n": 1000, "metric": "<b>A&c</b>", "class": None, "mean": 0.5, "sd": None, "runs": 1}
    nothing = (404, {}, json.dumps({"title": "Not Found", "code": "not_found"}))
    script.answers = [nothing, (200, {}, json.dumps({"items": [row], "next_cursor": None}))]
    with Client(script.url) as client:
        shown = Job(client, job)._repr_mimebundle_()
    assert "<th>&lt;b&gt;A&amp;c&lt;/b&gt;</th>" in shown["text/html"]
    assert "<td>1,000</td><td>0.5000</td>" in shown["text/html"]
    with Client(nobody) as client:  # a dead service must not break the notebook
        assert "no answer" in Job(client, job)._repr_mimebundle_()["text/html"]


def test_rows_in_a_notebook_are_a_short_table() -> None:
    html = Rows([{"n": n, "value": n / 7} for n in range(100)], Reply({}, Page))._repr_html_()
    assert html.count("<tr>") == 61
    assert "40 more rows" in html
