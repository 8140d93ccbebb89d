"""Where DataEval 1.1.4 is wrong and this is right: each row of the table in docs/moving-from-dataeval.md, both run."""

from typing import Any

import numpy as np
import pytest

from sufficiency.compat.dataeval import Sufficiency, SufficiencyOutput
from tests.compat.subjects import Strategy, TheirOutput, Theirs, data, keep, quietly

STEPS = np.array([25, 50, 100, 200, 400, 800])


def outputs(accuracy: Any, steps: Any = STEPS) -> tuple[Any, Any]:
    """Return theirs and ours of the same measurements."""
    measures = {"Accuracy": np.asarray(accuracy, dtype=float)[None]}
    np.random.seed(0)  # noqa: NPY002  (theirs draws from the global generator)
    return TheirOutput(np.asarray(steps), dict(measures)), SufficiencyOutput(np.asarray(steps), dict(measures))


def test_an_inverse_projection_reaches_its_target() -> None:
    theirs, ours = outputs(1 - (2.0 * STEPS**-0.6 + 0.05))
    targets = [0.87, 0.89, 0.91, 0.93]
    short = [
        t
        for t, n in zip(targets, theirs.inv_project(targets)["Accuracy"], strict=True)
        if theirs.project(n)["Accuracy"][0] < t
    ]
    assert short == targets, "DataEval's own projection misses every target at the size that it names"
    for target, n in zip(targets, ours.inv_project(targets)["Accuracy"], strict=True):
        assert ours.project(n)["Accuracy"][0] >= target > ours.project(n - 1)["Accuracy"][0]


def test_each_target_has_its_own_answer() -> None:
    theirs, ours = outputs(1 - 2.0 * STEPS**-0.25 / 4)
    assert quietly(theirs.inv_project, [0.9, 0.999999])["Accuracy"].to_list() == [-1, -1]
    near, far = ours.inv_project([0.9, 0.999999])["Accuracy"]
    assert near == ours.inv_project(0.9)["Accuracy"][0] > 0
    assert far == -1 or far > near


def test_a_target_below_the_curve_is_met_by_the_first_item() -> None:
    theirs, ours = outputs(1 - (0.4 * STEPS**-0.5 + 0.05))
    answers = {int(n) for n in quietly(theirs.inv_project, [0.3, 0.01])["Accuracy"]}
    assert answers <= {0, -1, 1}
    assert answers & {0, -1}
    assert ours.inv_project([0.3, 0.01])["Accuracy"].to_list() == [1, 1]


def test_a_flat_curve_is_reached_or_never() -> None:
    _, ours = outputs(np.full(6, 0.8))
    assert ours.inv_project([0.5, 0.8, 0.9])["Accuracy"].to_list() == [25, 25, -1]


def test_a_first_step_of_zero_items_leaves_the_fit_alone() -> None:
    steps = np.array([0, 3, 10, 31, 80])
    accuracy = np.r_[0.1, 1 - 0.8 * steps[1:] ** -0.5]
    theirs, ours = outputs(accuracy, steps)
    with np.errstate(all="ignore"):
        law = quietly(lambda: theirs.params["Accuracy"])
    error = 1 - (law[0] * steps[1:].astype(float) ** -law[1] + law[2]) - accuracy[1:]
    assert not np.all(np.abs(error) < 0.01), "DataEval's fit looks at none of them"
    assert ours.project(steps[1:])["Accuracy"].to_list() == pytest.approx(accuracy[1:], abs=1e-6)
    assert ours.to_dataframe()["step"].to_list() == steps.tolist()


def test_a_look_at_a_projection_leaves_the_next_study_alone() -> None:
    def second(kind: Any, look: bool, **options: Any) -> list[list[int]]:
        np.random.seed(7)  # noqa: NPY002
        strategy = Strategy()
        study = kind(object(), strategy, strategy, reset_strategy=keep, runs=1, substeps=4, **options)
        output = study.evaluate(data(50), data(50), schedule=[5, 10, 20, 50])
        if look:
            quietly(output.project, 100)
        strategy.seen.clear()
        study.evaluate(data(50), data(50), schedule=[5, 10, 20, 50])
        return list(strategy.seen)

    assert second(Theirs, look=False) != second(Theirs, look=True)
    assert second(Sufficiency, look=False) == second(Sufficiency, look=True)


def test_an_absent_metric_is_missing() -> None:
    def measure(n: int) -> dict[str, float]:
        return {"Accuracy": 0.5 + n / 1000} | ({"AUROC": 0.9} if n > 50 else {})

    found = {}
    for kind in (Theirs, Sufficiency):
        strategy = Strategy(measure)
        study = kind(object(), strategy, strategy, reset_strategy=keep, runs=2)
        found[kind] = study.evaluate(data(), data(), schedule=[20, 40, 100, 200]).averaged_measures["AUROC"]
    assert found[Theirs].tolist() == [0.0, 0.0, 0.9, 0.9]
    assert np.isnan(found[Sufficiency][:2]).all()
    assert found[Sufficiency][2:].tolist() == [0.9, 0.9]


def test_subsets_are_of_distinct_items_where_that_is_asked_for() -> None:
    distinct = {}
    for name, kind, options in (
        ("theirs", Theirs, {}),
        ("as theirs", Sufficiency, {}),
        ("ours", Sufficiency, {"protocol": "independent"}),
    ):
        strategy = Strategy()
        study = kind(object(), strategy, strategy, reset_strategy=keep, runs=1, **options)
        study.evaluate(data(), data(), schedule=[20, 200])
        distinct[name] = len(set(strategy.seen[-1]))
    assert distinct["theirs"] < 160
    assert distinct["as theirs"] < 160, "DataEval's protocol, for who compares with earlier studies"
    assert distinct["ours"] == 200


def test_a_step_beyond_the_data_is_refused() -> None:
    strategy = Strategy()
    Theirs(object(), strategy, strategy, reset_strategy=keep, runs=1).evaluate(data(50), data(50), schedule=[20, 500])
    assert len(strategy.seen[-1]) == 50, "DataEval trains on what there is, and says that it was 500"
    with pytest.raises(ValueError, match="names 500, and there are 50 training items"):
        Sufficiency(object(), strategy, strategy, reset_strategy=keep).evaluate(data(50), data(50), schedule=[20, 500])


def test_scalars_and_numpy_s_numbers_are_targets_and_sizes() -> None:
    theirs, ours = outputs(1 - (2.0 * STEPS**-0.6 + 0.05))
    with pytest.raises(TypeError):
        theirs.inv_project(0.9)
    for target in (0.9, np.float64(0.9), np.array(0.9), [0.9], (0.9,), np.array([0.9])):
        assert ours.inv_project(target)["Accuracy"].to_list() == ours.inv_project([0.9])["Accuracy"].to_list()
    for size in (800, 800.0, np.int64(800), np.array(800), [800], range(800, 801)):
        assert ours.project(size).equals(ours.project([800]))
