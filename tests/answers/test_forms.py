"""Answers in other forms: tables, DataEval's, and figures."""

import csv
import io
from xml.etree import ElementTree

import numpy as np
import pytest

from sufficiency.answers.dataeval import SufficiencyOutput
from sufficiency.answers.drawing import draw
from sufficiency.answers.errors import OutOfBounds, Unanswerable
from sufficiency.answers.export import dataeval_export
from sufficiency.answers.figure import figure
from sufficiency.answers.measured import CellValue, averages, cell_measurement, cells_table
from sufficiency.answers.plotly import plotly_figure
from sufficiency.answers.projection import inv_project, project
from sufficiency.answers.study import choose, distinct_names, fit_study
from sufficiency.answers.tables import Table, averages_table, inverse_table, projection_table
from sufficiency.schemas.words import SCALAR
from tests.answers.studies import SIZES, fitted, measured, scalars, study


def rows(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv())))


def test_a_row_a_size_and_a_column_a_metric_of_a_class() -> None:
    answer = project(fitted(), [4000, 2000])
    [at_2000, at_4000] = rows(projection_table(answer))
    assert list(at_2000) == ["step", "Accuracy", "Loss", "Recall_cat", "Recall_dog", "Recall_2"]
    assert (at_2000["step"], at_4000["step"]) == ("2000", "4000")
    assert float(at_4000["Loss"]) == answer.metrics["Loss"][0].value


def test_classes_of_one_name_keep_a_column_each() -> None:
    asked = fitted(class_names=["crane", "duck", "crane"])
    answer = project(asked, [4000])
    [row] = rows(projection_table(answer))
    assert list(row) == ["step", "Accuracy", "Loss", "Recall_crane (0)", "Recall_duck", "Recall_crane (2)"]
    assert float(row["Recall_crane (2)"]) == answer.metrics["Recall"][2].value != answer.metrics["Recall"][0].value
    both = choose(asked.study, measured(), classes=["crane"])
    assert [one.class_index for one in both] == [None, None, 0, 2]
    [second] = [one for one in choose(asked.study, measured(), classes=["crane (2)"]) if one.class_index is not None]
    assert second.class_index == 2


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a (0)", "a (1)", "a (2)"]),
        (["a", "a (0)", "a"], ["a (0)'", "a (0)", "a (2)"]),
        (["", ""], [" (0)", " (1)"]),
    ],
)
def test_no_two_labels_are_alike(names: list[str], made: list[str]) -> None:
    assert distinct_names(names) == made


def test_a_metric_called_as_a_class_of_another_keeps_its_column() -> None:
    both = fitted(lambda run, n: {("Recall_cat", SCALAR): 1 - 2 * n**-0.5, ("Recall", 0): 0.9 - 2 * n**-0.5})
    [row] = rows(projection_table(project(both, [4000])))
    assert list(row) == ["step", "Recall_cat", "Recall_cat (2)"] or list(row) == [
        "step",
        "Recall_cat (2)",
        "Recall_cat",
    ]
    assert len(set(row.values())) == 3


def test_a_target_out_of_reach_is_minus_one_as_dataeval_has_it() -> None:
    answer = inv_project(fitted(method="power_law"), [("Accuracy", 0.97), ("Recall", 0.97)])
    [row] = rows(inverse_table(answer))
    assert row["target"] == "0.97"
    assert int(row["Accuracy"]) > 1000
    assert row["Recall_2"] == "-1"


def test_averages_and_cells_name_classes_alike() -> None:
    means = averages(study(), measured())
    assert [mean.step for mean in means[:5]] == [0, 1, 2, 3, 4]
    assert [row["step"] for row in rows(averages_table(means))] == [str(n) for n in SIZES]
    cells = [
        CellValue(run, 0, 10, 10, metric, c, 0.5, 1.0, "cpu", 1)
        for run in range(2)
        for metric, c in (("Accuracy", SCALAR), ("Recall", 1))
    ]
    assert [cell_measurement(study(), cell).class_ for cell in cells[:2]] == [None, "dog"]
    first, second = rows(cells_table(study(), cells))
    assert (first["run"], second["run"]) == ("0", "1")
    assert (first["Accuracy"], first["Recall_dog"]) == ("0.5", "0.5")


def test_a_metric_that_is_called_like_another_column_keeps_one_of_its_own() -> None:
    told = {("seconds", SCALAR): 0.1, ("Recall", 0): 0.2, ("Recall_cat", SCALAR): 0.3}
    cells = [CellValue(0, 0, 10, 10, metric, index, value, 1.5, "cpu", 1) for (metric, index), value in told.items()]
    [row] = rows(cells_table(study(), cells))
    assert (row["seconds"], row["seconds (2)"], row["Recall_cat"], row["Recall_cat (2)"]) == (
        "1.5",
        "0.1",
        "0.2",
        "0.3",
    )


def test_dataeval_s_form_and_its_face() -> None:
    exported = dataeval_export(study(), measured(), {})
    assert np.shape(exported.measures["Recall"]) == (2, len(SIZES), 3)
    assert np.shape(exported.averaged_measures["Recall"]) == (3, len(SIZES))
    output = SufficiencyOutput.of(exported.model_dump())
    assert output.steps.tolist() == SIZES
    frame = output.project(2000)
    [projected] = project(fitted(scalars, "power_law"), [2000]).metrics["Accuracy"]
    assert frame["Accuracy"].to_list() == pytest.approx([projected.value])


def test_dataeval_s_form_has_no_holes() -> None:
    def holed(run: int, n: int) -> dict[tuple[str, int], float | None]:
        return {**scalars(run, n), ("Loss", SCALAR): None if n == 40 else 0.5}

    exported = dataeval_export(study(), measured(holed), {})
    assert set(exported.measures) == {"Accuracy"}
    assert [warning["metric"] for warning in exported.warnings] == ["Loss"]
    with pytest.raises(Unanswerable) as refused:
        dataeval_export(study(state="running"), measured(), {})
    assert refused.value.code == "job_incomplete"


def test_a_picture_shows_what_the_answers_say() -> None:
    shown = figure(fitted(), target=0.95)
    [need] = inv_project(fitted(), [("Accuracy", 0.95)]).metrics["Accuracy"]
    words = " ".join(ElementTree.fromstring(draw(shown, "svg").decode()).itertext())
    assert "mlp on small" in words
    assert f"n = {need.n:,}" in words
    traces = [trace["name"] for trace in plotly_figure(shown)["data"]]
    assert traces == ["95 % interval", "50 % interval", "curve, measured", "curve, projected", "run", "mean ± SD"]
    assert shown.measured.any()
    assert (shown.measured | shown.ahead).all()
    with pytest.raises(OutOfBounds):
        figure(fitted(), target=2.0)


def test_a_law_without_intervals_is_drawn_without_bands() -> None:
    shown = figure(fitted(method="power_law"), target=0.9)
    assert list(shown.bands) == []
    assert draw(shown, "png").startswith(b"\x89PNG")
    assert plotly_figure(shown)["data"][0]["name"] == "curve, measured"


def test_the_figure_of_a_class_says_which() -> None:
    one = fit_study(study(), choose(study(), measured(), ["Recall"], ["dog"]))
    assert figure(one).metric == "Recall, class dog"
