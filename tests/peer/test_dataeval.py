"""Side by side with DataEval 1.1.4: same steps, a fit never worse, the same numbers where both do the same."""

import warnings
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    dataeval = pytest.importorskip("dataeval.performance", reason="dataeval 1.1.4 is not installed")
    from dataeval.performance._output import SufficiencyOutput, calc_params
    from dataeval.performance.schedules import GeometricSchedule

from sufficiency.method.power_law import fit_power_law
from sufficiency.method.projection import inv_project, project
from sufficiency.method.sampling import with_replacement_order
from sufficiency.method.schedule import geometric_steps
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.loop import run_cells
from sufficiency.training.unit import UnitPlan
from tests.method.curves import ACCURACY, N, series

TABLE = {
    "TPR at 0.5 Fixed FPR": [
        0.785096, 0.904829, 0.966797, 0.972837, 0.987903,
        0.994969, 0.997902, 0.999165, 0.999524, 1.0,
    ],
    "Accuracy": ACCURACY,
    "AUROC": [0.745283, 0.852118, 0.915369, 0.935306, 0.959055, 0.977919, 0.987117, 0.99064, 0.993399, 0.995968],
}  # fmt: skip


def theirs(values: np.ndarray, n_iter: int = 50) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(0)  # noqa: NPY002  (theirs draws from the global generator)
        return calc_params(1 - values, N.astype(int), n_iter, True)


def sse(params: Any, values: np.ndarray) -> float:
    return float(((1 - values - (params[0] * N ** -params[1] + params[2])) ** 2).sum())


@pytest.mark.parametrize("size", [1000, 2500, 60000])
@pytest.mark.parametrize("substeps", [2, 5, 10, 25])
def test_same_steps(size: int, substeps: int) -> None:
    expected = GeometricSchedule(substeps).get_steps(size).tolist()
    assert geometric_steps(size, substeps, classes=5) == expected
    assert geometric_steps(size, substeps, classes=100, protocol="dataeval") == expected


@pytest.mark.parametrize("size", [5, 42, 99, 110])
def test_same_steps_but_for_zeros_and_repeats(size: int) -> None:
    theirs = GeometricSchedule(12).get_steps(size)
    steps = geometric_steps(size, 12, protocol="dataeval")
    assert len(steps) < len(theirs)
    assert steps == [int(n) for n in np.unique(theirs) if n > 0]


# The tutorial's own answers for its table. Its sizes are truncated: at one fewer than ours its curve is still below.
PUBLISHED = {
    "TPR at 0.5 Fixed FPR": ([0.997696, 0.998039, 0.998103], [39, 49, 174]),
    "Accuracy": ([0.899963, 0.922592, 0.931999], [1001, 4177, -1]),
    "AUROC": ([0.990228, 0.993654, 0.994772], [63, 90, 961]),
}


@pytest.mark.parametrize("metric", PUBLISHED)
def test_the_tutorials_answers(metric: str) -> None:
    projections, sizes = PUBLISHED[metric]
    curve = series(TABLE[metric])
    fit = fit_power_law(curve)
    assert [p.value for p in project(curve, fit, [1000, 2500, 5000])] == pytest.approx(projections, abs=1e-4)
    for target, size in zip((0.90, 0.93, 0.99), sizes, strict=True):
        answer = inv_project(curve, fit, target)
        if size == -1:
            assert answer.status == "unreachable"
        else:
            assert answer.n is not None
            assert size <= answer.n <= size + max(2, size // 500)


@pytest.mark.parametrize("metric", TABLE)
def test_never_worse_on_the_tutorials_table(metric: str) -> None:
    values = np.array(TABLE[metric])
    assert fit_power_law(series(values)).sse <= sse(theirs(values), values) * (1 + 1e-9)


def test_never_worse_on_twenty_curves_and_the_same_where_theirs_is_optimal() -> None:
    rng = np.random.default_rng(4)
    same = 0
    for _ in range(20):
        values = 1 - (rng.uniform(0.5, 9) * N ** -rng.uniform(0.2, 1.2) + rng.uniform(0, 0.3)) + rng.normal(0, 0.01, 10)
        values = np.clip(values, 0, 1)
        fit, peer = fit_power_law(series(values)), theirs(values, n_iter=15)
        assert fit.sse <= sse(peer, values) * (1 + 1e-9)
        if sse(peer, values) <= fit.sse * (1 + 1e-6):
            same += 1
            projected = 1 - (peer[0] * np.array([1000, 2500, 5000.0]) ** -peer[1] + peer[2])
            assert fit.value([1000, 2500, 5000]) == pytest.approx(projected, abs=1e-3)
    assert same >= 4


class Centroids:
    """A model with nothing random in it: the mean of the items it was trained on, step after step."""

    def __init__(self) -> None:
        self.seen: list[int] = []


class Study:
    """Strategies as a DataEval user writes them; the measurement depends on every index that was trained on."""

    def train(self, model: Centroids, dataset: Any, indices: list[int]) -> None:
        model.seen.extend(indices)

    def evaluate(self, model: Centroids, dataset: Any) -> dict[str, float]:
        weights = np.sin(np.asarray(model.seen) + 1.0) * np.cos(np.arange(len(model.seen)))
        return {"Accuracy": float(1 / (1 + np.exp(-weights.sum()))), "Size": float(len(model.seen) / 1e6)}


class Builder:
    train = test = np.zeros(300)
    labels = None
    training = evaluation = Study()
    reset = None
    class_names = ()
    names: dict[str, str] = {kind: kind for kind in ("model", "training", "evaluation", "reset")}  # noqa: RUF012

    def model(self) -> Centroids:
        return Centroids()


def test_the_dataeval_protocol_measures_what_dataeval_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, steps = 3, geometric_steps(300, 6, protocol="dataeval")
    drawn = iter(range(runs))
    monkeypatch.setattr(np.random, "randint", lambda *_, **__: with_replacement_order(300, 0, next(drawn)))
    study = dataeval.Sufficiency(
        model=Centroids(), training_strategy=Study(), evaluation_strategy=Study(), runs=runs, substeps=6
    )
    output = study.evaluate(np.zeros(300), np.zeros(300), schedule=steps)
    ours = np.full((2, runs, len(steps)), np.nan)
    cells = [UnitCell(run, step, n) for run in range(runs) for step, n in enumerate(steps)]

    class Recorder:
        def started(self, cell: UnitCell) -> None:
            """Not of interest."""

        def record(self, result: CellResult) -> None:
            for metric, _, value in result.values:
                ours[["Accuracy", "Size"].index(metric), result.run, result.step] = value

    run_cells(UnitPlan(0, "dataeval", "cpu", cells), Builder(), Recorder())
    assert ours[0] == pytest.approx(output.measures["Accuracy"])
    assert ours[1] == pytest.approx(output.measures["Size"])


def test_our_export_draws_with_dataeval_plots() -> None:
    plots = pytest.importorskip("dataeval_plots")
    pytest.importorskip("matplotlib").use("Agg")
    values = np.array([ACCURACY, ACCURACY])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = SufficiencyOutput(N.astype(int), {"Accuracy": values}, {"Accuracy": values.mean(axis=0)}, True)
        # The fit that the export carries takes the place of its own search.
        output._params = {1000: {"Accuracy": np.array(fit_power_law(series(values)).params())}}
        figures = plots.plot(output, backend="matplotlib")
    assert len(figures) == 1
