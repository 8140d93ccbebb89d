"""DataEval's class as it is documented: constructor, config, schedules, evaluate, output."""

import logging
from datetime import datetime
from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import polars
import pytest
import torch
from torch import nn

from sufficiency.compat.dataeval import Sufficiency, SufficiencyOutput, schedules
from tests.compat.subjects import Strategy, TheirOutput, Theirs, data, keep, quietly


def test_the_config_is_read_and_what_is_given_goes_before_it() -> None:
    training, evaluation = Strategy(), Strategy()
    config: Any = Sufficiency.Config(training_strategy=training, evaluation_strategy=evaluation, runs=3)
    assert (config.runs, config.substeps, config.unit_interval, config.reset_strategy) == (3, 5, True, None)
    study: Any = Sufficiency(model=object(), config=config, substeps=2, reset_strategy=keep)
    assert (study.runs, study.substeps, study.unit_interval) == (3, 2, True)
    assert study.training_strategy is training
    assert study.evaluation_strategy is evaluation
    assert study.reset_strategy is keep
    assert config.substeps == 5
    assert isinstance(study.config, Sufficiency.Config)
    assert "runs=3" in repr(config)
    assert repr(study).startswith("Sufficiency(training_strategy=")


@pytest.mark.parametrize("name", ["runs", "substeps"])
@pytest.mark.parametrize("number", [0, -1])
def test_what_is_not_positive_is_refused(name: str, number: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Sufficiency.Config(**{name: number})
    with pytest.raises(ValueError, match=f"{name} must be positive, got {number}"):
        Sufficiency(object(), Strategy(), Strategy(), **{name: number})
    with pytest.raises(ValueError, match="Extra inputs"):
        Sufficiency.Config(colour="red")
    with pytest.raises(ValueError, match="protocol must be"):
        Sufficiency(object(), protocol="other")  # type: ignore[arg-type]


def without_length() -> Any:
    dataset = MagicMock()
    del dataset.__len__
    return dataset


@pytest.mark.parametrize(("train", "test"), [(without_length(), data()), (data(), iter(()))])
def test_a_dataset_without_a_length(train: Any, test: Any) -> None:
    study: Any = Sufficiency(object(), Strategy(), Strategy(), reset_strategy=keep)
    with pytest.raises(TypeError, match="length"):
        study.evaluate(train, test)
    with pytest.raises(ValueError, match="greater than 0"):
        study.evaluate([], data())
    with pytest.raises(ValueError, match="training_strategy is required"):
        Sufficiency(object()).evaluate(data(), data())


def test_schedules() -> None:
    assert schedules.GeometricSchedule(5).get_steps(100).tolist() == [1, 3, 10, 31, 100]
    for points in ([10, 20], np.array([10, 20]), range(10, 21, 10), (n for n in (10, 20))):
        assert schedules.ManualSchedule(points).get_steps(5).tolist() == [10, 20]
    assert schedules.ManualSchedule(50).get_steps(5).dtype == np.intp
    with pytest.raises(ValueError, match="invalid literal"):
        schedules.ManualSchedule("hello")  # type: ignore[arg-type]

    class Linear:
        def get_steps(self, dataset_length: int) -> Any:
            return np.arange(0, dataset_length + 1, 50)

    strategy = Strategy()
    output = Sufficiency(object(), strategy, strategy, reset_strategy=keep).evaluate(data(), data(), schedule=Linear())
    assert output.steps.tolist() == [0, 50, 100, 150, 200]
    assert [len(indices) for indices in strategy.seen] == output.steps.tolist()


def test_evaluate_calls_what_is_given_with_what_is_given() -> None:
    model, train, test = nn.Linear(2, 2), data(), data(30)
    reset = MagicMock(return_value=model)
    training, evaluation = MagicMock(), MagicMock()
    evaluation.evaluate.return_value = {"Accuracy": 0.95, "Precision": [1.0, 2.0], "Matrix": np.eye(2)}
    study: Any = Sufficiency(model, training, evaluation, reset, runs=3, substeps=4)
    output = study.evaluate(train, test)
    assert reset.call_count == 3
    assert all(call.args == (model,) for call in reset.call_args_list)
    assert training.train.call_count == evaluation.evaluate.call_count == 12
    assert all(call.args[0] is model and call.args[1] is train for call in training.train.call_args_list)
    assert all(call.args == (model, test) for call in evaluation.evaluate.call_args_list)
    assert isinstance(training.train.call_args.args[2], list)
    assert output.measures["Accuracy"].shape == (3, 4)
    assert output.measures["Precision"].shape == (3, 4, 2)
    assert output.averaged_measures["Precision"].shape == (2, 4)
    assert output.measures["Matrix"].shape == (3, 4, 4)
    assert isinstance(output, SufficiencyOutput)
    assert output.params["Precision"].shape == (2, 3)


def test_tiny_data_and_mocks() -> None:
    dataset = MagicMock()
    dataset.__len__.return_value = 1
    evaluation = MagicMock()
    evaluation.evaluate.return_value = {"accuracy": 0.9}
    output = Sufficiency(MagicMock(), MagicMock(), evaluation, keep).evaluate(dataset, dataset)
    assert output.measures["accuracy"].shape == (1, 5)
    assert np.isnan(output.params["accuracy"]).all(), "one size is no curve"


def test_what_a_strategy_raises_is_raised() -> None:
    strategy: Any = Strategy()
    strategy.train = MagicMock(side_effect=NotImplementedError("not yet"))
    with pytest.raises(NotImplementedError, match="not yet"):
        Sufficiency(object(), strategy, strategy, keep).evaluate(data(), data())
    strategy = Strategy(lambda n: {"Accuracy": "good"})
    with pytest.raises(RuntimeError, match="not numeric"):
        Sufficiency(object(), strategy, strategy, keep).evaluate(data(), data())


def noisy(n: int) -> dict[str, Any]:
    return {"Accuracy": 1 - 1.5 * (n + 5) ** -0.5, "Recall": [0.9 - n**-0.5, 0.8 - n**-0.6]}


def measured(**options: Any) -> Any:
    strategy = Strategy(noisy)
    study: Any = Sufficiency(object(), strategy, strategy, keep, runs=2, substeps=4, **options)
    return study.evaluate(data(), data()).measures["Accuracy"].tolist(), strategy.seen


def test_the_same_seed_measures_the_same_and_another_does_not() -> None:
    np.random.seed(1)  # noqa: NPY002
    one = measured()
    assert measured() == one
    assert measured(seed=1)[1] != one[1]


@pytest.mark.slow  # of `sufficiency.run`, which does it, tests/study/test_run.py has it each time
def test_several_processes_measure_the_same() -> None:
    assert measured(workers=2)[0] == measured()[0]


def test_the_default_reset_is_a_copy_of_the_model_as_it_was_compiled_or_not() -> None:
    class Train:
        def train(self, model: Any, dataset: Any, indices: Any) -> None:
            with torch.no_grad():
                next(model.parameters()).add_(1.0)

    class Look:
        def evaluate(self, model: Any, dataset: Any) -> dict[str, Any]:
            return {"Weight": next(model.parameters()).detach().mean()}

    plain = nn.Linear(2, 2)
    for model in (plain, torch.compile(plain, backend="eager")):
        study: Any = Sufficiency(model, Train(), Look(), runs=2, unit_interval=False)
        values = study.evaluate(data(), data()).measures["Weight"]
        start = float(plain.weight.detach().mean())
        assert values.tolist() == [pytest.approx([start + k for k in range(1, 6)], abs=1e-5)] * 2
        fresh: Any = Sufficiency(model, Train(), Look(), runs=2, unit_interval=False, protocol="independent")
        assert fresh.evaluate(data(), data()).measures["Weight"] == pytest.approx(start + 1, abs=1e-5)


def output_pair(**options: Any) -> tuple[Any, Any]:
    steps = np.array([10, 20, 50, 100, 200])
    measures = {
        "Accuracy": np.array([1 - 1.5 * (steps + k) ** -0.5 for k in range(3)]),
        "Recall": np.stack([[0.95 - steps**-0.5, 0.9 - steps**-0.7]] * 3).transpose(0, 2, 1),
    }
    np.random.seed(0)  # noqa: NPY002
    return TheirOutput(steps, dict(measures), **options), SufficiencyOutput(steps, dict(measures), **options)


def test_the_output_answers_as_theirs_does() -> None:
    theirs, ours = output_pair()
    assert ours.to_dataframe().equals(theirs.to_dataframe())
    sizes = [100, 1000, 5000]
    mine, peer = ours.project(sizes), quietly(theirs.project, sizes)
    assert isinstance(mine, polars.DataFrame)
    assert mine.schema == peer.schema
    assert mine.to_numpy() == pytest.approx(peer.to_numpy(), abs=2e-3)
    targets: list[Any] = [
        [0.85, 0.8],
        {"Accuracy": np.array([0.9]), "Recall": np.array([0.7, 0.8]), "Precision": [0.5]},
        {"Recall": np.array([[0.7, 0.8], [0.6, 0.75]])},
    ]
    for target in targets:
        mine, peer = ours.inv_project(target), quietly(theirs.inv_project, target)
        assert mine.columns == peer.columns
        assert mine["target"].to_list() == peer["target"].to_list()
        for name in mine.columns[1:]:
            for a, b in zip(mine[name], peer[name], strict=True):
                assert (a is None) == (b is None)
                assert a is None or abs(a - b) <= max(2, 0.03 * b)
    assert len(ours.inv_project({})) == 0
    with pytest.raises(ValueError, match="has 2 classes, and 3 rows"):
        ours.inv_project({"Recall": np.ones((3, 1))})
    with pytest.raises(ValueError, match="must consist of numerical values"):
        ours.project("many")
    with pytest.raises(ValueError, match="from 1 on"):
        ours.project(0)


def test_an_output_of_means_alone_and_of_too_few_of_them() -> None:
    ours = SufficiencyOutput(np.array([10, 100, 1000]), {}, {"A": np.array([0.2, 0.6, 0.9])})
    assert ours.get_params(10) is ours.get_params(10)
    assert ours.project(100.0)["A"][0] == pytest.approx(0.6, abs=0.05)
    with pytest.raises(ValueError, match=r"does not contain the expected number \(2\)"):
        SufficiencyOutput(np.array([10, 100]), {}, {"A": np.array([0.2, 0.6, 0.9])})
    two = SufficiencyOutput(np.array([10, 100]), {"A": np.array([[0.2, 0.6]])})
    assert np.isnan(two.project(1000)["A"][0])
    assert two.inv_project(0.9)["A"].to_list() == [-1]


def test_params_that_are_given_are_read(caplog: pytest.LogCaptureFixture) -> None:
    steps = np.arange(20, 80, 10)
    ours = SufficiencyOutput(steps, {}, {"Accuracy": steps / 100})
    ours._params = {1000: {"Accuracy": np.array([-0.01, -1.0, 1.0])}}
    assert ours.inv_project({"Accuracy": np.array([0.4, 0.6])})["Accuracy"].to_list() == [40, 60]
    ours._params = {1000: {"Accuracy": np.array([12.2746, 0.8502, 0.0631])}}
    with caplog.at_level(logging.WARNING):
        needed = ours.inv_project([0.90, 0.93, 0.99])["Accuracy"].to_list()
    assert needed == [926, 6650, -1]
    assert "could not be determined for target(s): [0.99] with asymptote of 0.9369" in caplog.text


def test_a_loss_falls_to_its_target() -> None:
    steps = np.array([10, 20, 50, 100, 200])
    loss = SufficiencyOutput(steps, {"Loss": (2 * steps**-0.5 + 0.1)[None]}, unit_interval=False)
    [needed] = loss.inv_project(0.2)["Loss"]
    assert needed == pytest.approx(400, abs=2)
    assert loss.project(needed)["Loss"][0] <= 0.2 < loss.project(needed - 1)["Loss"][0]


def test_the_calibrated_method_answers_as_a_job_does() -> None:
    import sufficiency

    theirs_runs = {"Accuracy": np.array([1 - 1.5 * (np.array([10, 20, 50, 100, 200]) + k) ** -0.5 for k in range(3)])}
    study = sufficiency.fit([10, 20, 50, 100, 200], theirs_runs)
    ours = SufficiencyOutput(np.array([10, 20, 50, 100, 200]), theirs_runs, method="calibrated")
    assert ours.project([500])["Accuracy"][0] == pytest.approx(study.project(500)[0]["value"])
    assert ours.inv_project(0.93)["Accuracy"][0] == study.inv_project(0.93)[0]["n"]


def test_how_it_came_to_be_and_how_it_looks() -> None:
    strategy = Strategy(noisy)
    study: Any = Sufficiency(object(), strategy, strategy, keep, runs=2, substeps=4)
    output = study.evaluate(data(), data(), schedule=[10, 50, 200])
    meta = output.meta()
    assert meta.name.endswith("Sufficiency.evaluate")
    assert meta.arguments == {
        "train_dataset": "list: len=200",
        "test_dataset": "list: len=200",
        "schedule": "list: len=3",
    }
    assert (meta.state["runs"], meta.state["substeps"]) == (2, 4)
    assert isinstance(meta.execution_time, datetime)
    assert SufficiencyOutput(np.array([1]), {}).meta().name == ""
    assert repr(output).startswith("SufficiencyOutput(steps=ndarray(shape=(3,)")
    assert {"steps", "measures", "averaged_measures", "unit_interval"} <= set(output.data())


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_dataeval_plots_draws_it(backend: str) -> None:
    plots = pytest.importorskip("dataeval_plots")
    pytest.importorskip("matplotlib").use("Agg")
    _, ours = output_pair()
    figures = quietly(plots.plot, ours, backend=backend, reference_outputs=output_pair()[1])
    assert len(figures) == 3


def test_a_protocol_of_ours_differs_from_theirs_in_nothing_but_the_draws() -> None:
    strategies = {kind: Strategy(noisy) for kind in (Theirs, Sufficiency)}
    for kind, strategy in strategies.items():
        kind(object(), strategy, strategy, reset_strategy=keep, runs=2, substeps=4).evaluate(data(), data())
    mine, peer = strategies[Sufficiency].seen, strategies[Theirs].seen
    assert [len(one) for one in mine] == [len(one) for one in peer]
    assert all(a == b[: len(a)] for a, b in pairwise(mine[:4])), "each step goes on with the last's"
