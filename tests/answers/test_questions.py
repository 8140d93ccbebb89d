"""Questions to studies of plain rows: what is answered, and with what the others are refused."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sufficiency.answers.comparison import compare
from sufficiency.answers.curves import curves
from sufficiency.answers.errors import BadQuestion, QuestionError, Unanswerable, UnknownSubject
from sufficiency.answers.projection import inv_project, project
from sufficiency.answers.stopping import standing
from sufficiency.answers.study import choose, fit_study
from sufficiency.answers.targets import parse_targets
from sufficiency.answers.verdict import verdict
from sufficiency.method.power_law import PowerLawFit
from sufficiency.schemas.stopping import StopWhen
from sufficiency.schemas.words import SCALAR
from tests.answers.studies import SIZES, fitted, measured, scalars, study


def test_answers_need_neither_a_database_nor_http_nor_a_drawing_library() -> None:
    rooms = "comparison curves dataeval drawing errors export figure measured plotly projection study tables verdict"
    wanted = ", ".join(f"sufficiency.answers.{room}" for room in rooms.split())
    program = f"import sys, {wanted}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "sufficiency.answers.verdict" in loaded
    assert not {"app", "fastapi", "sqlalchemy", "celery", "redis", "matplotlib", "torch"} & set(loaded)


def test_project_and_inv_project_are_each_other_s_inverse() -> None:
    asked = fitted()
    [need] = inv_project(asked, [("Accuracy", 0.95)]).metrics["Accuracy"]
    assert need.n is not None
    before, at = project(asked, [need.n - 1, need.n]).metrics["Accuracy"]
    assert before.value < 0.95 <= at.value


def test_a_class_without_a_name_has_its_index() -> None:
    answer = project(fitted(), [2000])
    assert [point.class_ for point in answer.metrics["Recall"]] == ["cat", "dog", 2]
    assert [point.class_ for point in answer.metrics["Accuracy"]] == [None]


def test_a_fit_that_was_kept_is_not_made_again() -> None:
    first = fit_study(study(), measured(scalars), "power_law").curves[0]
    assert isinstance(first.fit, PowerLawFit)
    moved = first.fit.model_copy(update={"error_asymptote": first.fit.error_asymptote + 0.25})
    kept = {("Accuracy", SCALAR): (moved, first.backtest)}
    asked = fit_study(study(), measured(scalars), "power_law", kept)
    assert [one.stored for one in asked.curves] == [True, False]
    before, after = (project(one, [5000]).metrics["Accuracy"][0].value for one in (fitted(scalars, "power_law"), asked))
    assert before - after == pytest.approx(0.25)


def test_the_law_without_intervals_says_so_everywhere() -> None:
    asked = fitted(method="power_law")
    [point] = project(asked, [5000], of="one_training").metrics["Accuracy"]
    assert (point.lower, point.upper) == (None, None)
    assert {item.params is None for item in curves(asked).items} == {False}
    assert {item.params for item in curves(fitted()).items} == {None}
    with pytest.raises(ValueError, match="intervals"):
        verdict(asked)


def test_a_verdict_knows_the_noise_of_the_test_split_where_it_knows_its_items() -> None:
    told = verdict(fitted()).metrics
    assert told["Accuracy"][0].test_sd is not None
    assert told["Loss"][0].test_sd is None
    assert [one.test_sd is None for one in told["Recall"]] == [False] * 3
    unknown = verdict(fitted(test_size=None, test_class_counts=())).metrics
    assert {one.test_sd for of_metric in unknown.values() for one in of_metric} == {None}


@pytest.mark.parametrize(("code", "void"), [("one_class", True), ("one_target", True), ("single_item", False)])
def test_no_verdict_stands_on_data_that_say_nothing(code: str, void: bool) -> None:
    # Not even where the curve is perfectly level at its best value, as it is with one class.
    level = fitted(lambda run, n: {("Accuracy", SCALAR): 1.0}, doubts=[{"code": code, "detail": "all are alike"}])
    told = verdict(level)
    [one] = told.metrics["Accuracy"]
    assert told.warnings[0]["code"] == code
    assert told.warnings[0]["detail"] == "Dataset small: all are alike."
    if void:
        assert one.worth == "unclear"
        assert [limit.code for limit in one.limits] == ["data"]
        assert "says nothing about whether more data is worth it: all are alike" in one.sentence
    else:
        assert one.worth == "no"
        assert "Nothing is left to gain" in one.sentence


def test_the_first_metric_asked_for_answers_and_the_others_come_under_it() -> None:
    def disagreeing(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {**scalars(run, n), ("Recall", 0): 1.0, ("Recall", 1): 1.0 - 2.0 * n**-0.5}

    def overall(**changes: Any) -> Any:
        named = changes.pop("named", None)
        return verdict(fitted(disagreeing, test_size=None, test_class_counts=(), **changes), primary=named).overall

    assert overall().metric == "Accuracy"
    assert overall(asked=["loss", "accuracy"]).metric == "Loss"
    assert overall(asked=["recall_per_class"]).metric == "Recall"
    assert overall(asked=["loss"], primary="Accuracy").metric == "Accuracy"
    assert overall(asked=["loss"], primary="Accuracy", named="Recall").metric == "Recall"
    assert overall(primary="Zeal").metric == "Accuracy", "not measured: then as if none were named"
    assert (overall(named="Recall").class_, overall(named="Recall").worth) == ("dog", "yes"), "the class that gains"
    with pytest.raises(UnknownSubject):
        overall(named="Acuracy")


def test_what_counts_is_said_by_the_question_or_the_study() -> None:
    def told(*gains: Any, **changes: Any) -> tuple[float, str]:
        one = verdict(fitted(scalars, **changes), gains).metrics["Accuracy"][0]
        return one.min_gain, one.min_gain_by

    assert told()[1] == "default"
    assert told(min_gains={"Accuracy": 0.02}) == (0.02, "job")
    assert told((None, 0.03), min_gains={"Accuracy": 0.02}) == (0.03, "asked")
    assert told((None, 0.03), ("Accuracy", 0.04)) == (0.04, "asked")


def test_others_that_say_otherwise_are_named() -> None:
    def two(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {("Accuracy", SCALAR): 1.0 - 2.0 * n**-0.5, ("Recall", 0): 1.0}

    answer = verdict(fitted(two, test_size=None, test_class_counts=()))
    assert answer.overall.worth == "yes"
    assert answer.overall.sentence.endswith("By Recall it is hardly worth it.")
    assert answer.overall.statements[-1].kind == "others"


def test_no_advice_is_given_twice_and_nothing_is_missing_while_a_study_goes_on() -> None:
    def holes(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {("Accuracy", SCALAR): None if run and n == 1000 else 1.0 - 2.0 * n**-0.5}

    def codes(state: str) -> list[str]:
        return [warning["code"] for warning in verdict(fitted(holes, state=state)).warnings]

    assert "missing_values" in codes("completed")
    assert "missing_values" not in codes("running")
    short = fit_study(study(), [one.within(160, 1000) for one in measured(scalars)])
    told = verdict(short)
    assert "steps" in [limit.code for limit in told.metrics["Accuracy"][0].limits]
    assert "too_short" not in [warning["code"] for warning in told.warnings]
    projected = project(short, [2000]).warnings
    assert any(one["code"] == "too_short" and "add smaller sizes" in one["detail"] for one in projected)


def test_only_studies_known_to_share_their_subsets_are_paired() -> None:
    def pairs(first: Any, second: Any) -> int:
        two = [fitted(scalars, number=k, subsets=subsets) for k, subsets in enumerate((first, second))]
        return len(compare(two, ["Accuracy"]).metrics["Accuracy"][0].pairs[0].paired)

    assert pairs(("data", 0), ("data", 0)) == len(SIZES)
    assert pairs(("data", 0), ("data", 1)) == 0
    assert pairs(None, None) == 0


def test_what_only_some_studies_have_is_left_out_in_the_order_of_the_first() -> None:
    def only(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {("Accuracy", SCALAR): 1.0 - n**-0.5}

    def more(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {**scalars(run, n), ("F1", SCALAR): 1.0 - n**-0.5, ("Zeal", SCALAR): 1.0 - n**-0.5}

    answer = compare([fitted(more, number=1), fitted(only, number=2)])
    assert list(answer.metrics) == ["Accuracy"]
    assert [warning["metric"] for warning in answer.warnings] == ["F1", "Loss", "Zeal"]


def test_studies_that_read_a_metric_otherwise_are_told_so() -> None:
    def per_cent(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {("Accuracy", SCALAR): 100 - 100 * n**-0.5 - run}

    [series] = measured(per_cent)
    one = fitted(scalars)
    other = fit_study(study(2), [replace(series, bounds=(0.0, 100.0))])
    told = [warning for warning in compare([one, other]).warnings if warning["code"] == "other_ranges"]
    assert [warning["metric"] for warning in told] == ["Accuracy"]
    assert "[0, 1], [0, 100]" in told[0]["detail"]
    assert not [warning for warning in compare([one, one]).warnings if warning["code"] == "other_ranges"]
    lower = fit_study(study(2), [replace(series, direction="minimize")])
    with pytest.raises(Unanswerable, match="Accuracy is left out: the jobs do not agree whether higher or lower"):
        compare([one, lower])


def test_a_share_of_one_is_no_target_of_a_metric_in_per_cent() -> None:
    [series] = [one for one in measured() if one.metric == "Accuracy"]
    rows = replace(series, values=100 * series.values, bounds=(0.0, 100.0))
    asked = fit_study(study(), [rows])
    with pytest.raises(BadQuestion, match=r"Accuracy lies in \[0, 100\], in per cent: write 95"):
        inv_project(asked, [(None, 0.95)])
    with pytest.raises(BadQuestion, match="measured in per cent, from 0 to 100: write 95"):
        inv_project(asked, [("Accuracy", 0.95)])
    assert inv_project(asked, [(None, 95.0)]).metrics["Accuracy"][0].status == "needs"
    share, per_cent = StopWhen(target=0.5, n=4000), StopWhen(target=50.0, n=4000)
    assert [standing(study(), rows, stop).decided for stop in (share, per_cent)] == [False, True]
    errors = fit_study(study(), [replace(rows, values=100 - rows.values, direction="minimize")])
    assert inv_project(errors, [(None, 0.95)]).metrics["Accuracy"], "of an error one in a hundred may be asked for"


def nothing(run: int, n: int) -> dict[tuple[str, int], float | None]:
    return {}


def little(run: int, n: int) -> dict[tuple[str, int], float | None]:
    return {("Accuracy", SCALAR): 0.5 if n == 10 else None}


def mostly(run: int, n: int) -> dict[tuple[str, int], float | None]:
    return {**scalars(run, n), ("Loss", SCALAR): None}


@pytest.mark.parametrize(
    ("ask", "kind", "code", "pointer"),
    [
        (lambda: fitted(nothing), Unanswerable, "not_enough_data", None),
        (lambda: fitted(little), Unanswerable, "not_enough_data", None),
        (lambda: choose(study(), measured(), ["Acuracy"]), UnknownSubject, "unknown_metric", "metric"),
        (lambda: choose(study(), measured(), None, ["cow"]), UnknownSubject, "unknown_class", "class"),
        (lambda: choose(study(), [], ["Acuracy"]), UnknownSubject, "unknown_metric", "metric"),
        (lambda: parse_targets(["Accuracy:"]), BadQuestion, "invalid_target", "target"),
        (lambda: parse_targets(["some"], "min_gain"), BadQuestion, "invalid_min_gain", "min_gain"),
        (lambda: inv_project(fitted(), [(None, -1.0)]), BadQuestion, "target_out_of_bounds", "target"),
        (lambda: inv_project(fitted(), [("Accuracy", 1.5)]), BadQuestion, "target_out_of_bounds", "target"),
        (lambda: inv_project(fitted(), [("F1", 0.5)]), UnknownSubject, "unknown_metric", "target"),
        (lambda: inv_project(fitted(mostly), [("Loss", 0.5)]), Unanswerable, "not_enough_data", None),
        (lambda: verdict(fitted(), [(None, 0.0)]), BadQuestion, "invalid_gain", "min_gain"),
        (lambda: verdict(fitted(), [("F1", 0.1)]), UnknownSubject, "unknown_metric", "min_gain"),
        (lambda: compare([fitted(), fitted()], ["F1"]), UnknownSubject, "unknown_metric", "metric"),
        (lambda: compare([fitted(mostly), fitted()], ["Loss"]), Unanswerable, "nothing_in_common", None),
    ],
)
def test_what_gets_no_answer_says_why(ask: Any, kind: type[QuestionError], code: str, pointer: str | None) -> None:
    with pytest.raises(kind) as refused:
        ask()
    assert (refused.value.code, refused.value.pointer) == (code, pointer)
    assert str(refused.value) == refused.value.detail != ""


def test_what_is_too_little_is_said_once() -> None:
    with pytest.raises(Unanswerable) as refused:
        fitted(little)
    assert refused.value.detail.endswith(
        "cells are measured. Accuracy has values at 1 of 5 steps; a curve needs at least 3"
    )


def test_before_anything_is_measured_a_declared_metric_is_known() -> None:
    assert choose(study(), [], ["Accuracy"]) == []


@pytest.mark.parametrize("name", ["dog", "1"])
def test_a_class_goes_by_name_or_index_and_leaves_scalars_alone(name: str) -> None:
    chosen = choose(study(), measured(), ["Recall", "Loss"], [name])
    assert [(one.metric, one.class_index) for one in chosen] == [("Loss", None), ("Recall", 1)]
