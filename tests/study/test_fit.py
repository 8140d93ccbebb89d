"""Curves measured elsewhere: whatever they come in, the answers of a study; and what is wrong, by its place."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
import torch

import sufficiency
from sufficiency import InvalidStudy
from sufficiency.method.measurements import series_from_rows
from sufficiency.method.power_law import fit_power_law
from sufficiency.schemas.words import SCALAR

N = [50, 100, 200, 400]
RUNS = np.array([[0.71, 0.78, 0.83, 0.865], [0.70, 0.79, 0.84, 0.87]])


def means(study: Any) -> dict[tuple[str, Any, int], float]:
    return {(row["metric"], row["class"], row["n"]): row["mean"] for row in study.measurements()}


def test_the_answers_are_those_of_a_study_that_measured_the_same() -> None:
    study = sufficiency.fit(N, RUNS, metric="Accuracy")
    rows = [(run, step, n, "Accuracy", SCALAR, RUNS[run, step]) for run in range(2) for step, n in enumerate(N)]
    [series] = series_from_rows(rows, {})
    law = fit_power_law(series)
    [answer] = study.project(5000, method="power_law")
    assert answer["value"] == float(law.value(5000))
    assert (study.state, study["progress"]["cells_done"]) == ("completed", 8)
    assert "Accuracy" in study.verdict()[0]["sentence"]
    assert study.to_dataeval().measures["Accuracy"].tolist() == RUNS.tolist()


def test_the_first_verdict_is_that_of_the_metric_which_answers_for_the_study() -> None:
    study = sufficiency.fit(pandas.DataFrame({"n": [*N, *N], "AUROC": RUNS.ravel(), "Accuracy": RUNS.ravel()}))
    rows = study.verdict()
    assert [row["metric"] for row in rows] == ["Accuracy", "AUROC"]
    assert rows[0]["metric"] == rows.answer["overall"]["metric"]
    assert [row["metric"] for row in study.verdict(primary="AUROC")] == ["AUROC", "Accuracy"]


LONG = pandas.DataFrame(
    [{"train_size": n, "fold": f"f{run}", "score": RUNS[run, k]} for run in range(2) for k, n in enumerate(N)]
)
WIDE = pandas.DataFrame({"n": [*N, *N], "Accuracy": RUNS.ravel(), "model": "cnn"})


@pytest.mark.parametrize(
    "given",
    [
        {"n": N, "values": RUNS},
        {"n": N[::-1], "values": RUNS[:, ::-1]},
        {"n": [*N, *N], "values": RUNS.ravel()},
        {"n": np.array(N, dtype=float), "values": {"Accuracy": RUNS.tolist()}},
        {"n": LONG},
        {"n": LONG.sample(frac=1, random_state=0)},
        {"n": polars.DataFrame(LONG.to_dict("list"))},
        {"n": LONG.set_index("train_size")},
        {"n": WIDE},
        {"n": WIDE.to_dict("list")},
        {"n": (np.array(N), RUNS.T, RUNS.T)},
        {"n": LONG.rename(columns={"train_size": "images"}), "columns": {"n": "images"}},
        {"n": N, "values": torch.tensor(RUNS, requires_grad=True)},
    ],
)
def test_whatever_the_values_come_in(given: dict[str, Any]) -> None:
    study = sufficiency.fit(**given, metric="Accuracy")
    assert means(study) == pytest.approx({("Accuracy", None, n): RUNS[:, k].mean() for k, n in enumerate(N)})
    assert study["spec"]["runs"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "n,Accuracy\n50,.71\n100,.78\n200,.83\n400,.865\n",
        "n;Accuracy\n50;0,71\n100;0,78\n200;0,83\n400;0,865\n",
        "\ufeffTrain Size\tAccuracy\r\n400\t0.865\r\n50\t0.71\r\n100\t0.78\r\n200\t0.83\r\n",
        "metric,n,value,class\nAccuracy,50,7.1e-1,\nAccuracy,100,0.78,\nAccuracy,200,0.83,\nAccuracy,400,0.865,NA\n",
        "step,Accuracy\n50,0.71\n100,0.78\n200,0.83\n400,0.865\n",
    ],
)
def test_a_csv_of_any_tool(tmp_path: Path, text: str) -> None:
    file = tmp_path / "curve.csv"
    file.write_text(text, encoding="utf-8")
    assert means(sufficiency.fit(file)) == {("Accuracy", None, n): RUNS[0, k] for k, n in enumerate(N)}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('n,Accuracy\n"1,000",71%\n"2,000",78 %\n"4,000",\n"8,000",86.5%\n', id="english"),
        pytest.param("n;Accuracy\n1.000;71,0\n2.000;78,0\n4.000;-\n8.000;86,5\n", id="german"),
        pytest.param("n;Accuracy\n1.000;71,000%\n2.000;78 %\n4.000;\n8.000;86,5 %\n", id="german-per-cent"),
        pytest.param("n;Accuracy\n1,000;71.000%\n2,000;78.0%\n4,000;\n8,000;86.5%\n", id="english-per-cent"),
        pytest.param("n;Accuracy\n1,000;71.0\n2,000;78.0\n4,000;NA\n8,000;86.5\n", id="english-with-semicolons"),
        pytest.param("n\tAccuracy\n1k\t71\n2K\t78\n.004M\t\n8.0k\t86.5\n", id="thousands"),
        pytest.param("n,Accuracy\n1000.000,71.000\n2000.000,78.000\n4000.000,nan\n8000.000,86.500\n", id="decimals"),
    ],
)
def test_numbers_as_people_write_them(tmp_path: Path, text: str) -> None:
    file = tmp_path / "curve.csv"
    file.write_text(text, encoding="utf-8")
    study = sufficiency.fit(file)
    found = {n: mean for (_, _, n), mean in means(study).items() if mean is not None}
    assert found == {1000: 71.0, 2000: 78.0, 8000: 86.5}


ROWS = [{"n": n, "Accuracy": value} for n, value in zip(N, RUNS[0].tolist(), strict=True)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(ROWS), id="rows"),
        pytest.param(json.dumps({"n": N, "Accuracy": RUNS[0].tolist()}, indent=1), id="columns"),
        pytest.param("\n".join(map(json.dumps, ROWS)) + "\n", id="a-row-a-line"),
        pytest.param(
            "| n | Accuracy |\n|--:|:---|\n" + "".join(f"| {r['n']} | {r['Accuracy']} |\n" for r in ROWS), id="markdown"
        ),
        pytest.param("n  Accuracy\n" + "".join(f"{r['n']:>4}  {r['Accuracy']}\n" for r in ROWS), id="spaces"),
        pytest.param(pandas.DataFrame(ROWS).to_csv(index=False).encode("utf-16"), id="utf-16"),
        pytest.param(
            pandas.DataFrame(ROWS).to_csv(index=False, lineterminator="\r").encode("utf-16-le"), id="unmarked"
        ),
    ],
)
def test_a_file_of_any_tool(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "curve.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert means(sufficiency.fit(file)) == {("Accuracy", None, n): RUNS[0, k] for k, n in enumerate(N)}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "has no rows", id="empty"),
        pytest.param(gzip.compress(b"n,a"), "packed by gzip", id="gzip"),
        pytest.param(b"PAR1\0\0", "is a Parquet or Feather file; read it with pandas", id="parquet"),
        pytest.param(b"\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22brain.Event:2", "TensorBoard's log", id="tensorboard"),
        pytest.param(b"<table><tr><td>n</td></tr>\n</table>", "is HTML or XML", id="html"),
        pytest.param(b"\x01\0\xff\xfe\x07", "is no text", id="bytes"),
        pytest.param(b"100 0.7\n200 0.8\n", "begins with numbers, and no names", id="no-names"),
        pytest.param(b'{"n": [1, 2], "a": [1]}', "different lengths: n 2, a 1", id="uneven"),
        pytest.param(b'{"n": [1, 2]', "is no JSON", id="cut-off"),
        pytest.param(b"[" * 20000, "is no JSON", id="deep"),
        pytest.param(b"[1, 2]", "no list of rows", id="numbers"),
        pytest.param(
            b"n;a\n1,000;71\n2,000;78\n4,000;83\n", "'1,000' may be read with .* such as 1000", id="one-or-1000"
        ),
        pytest.param(b"n\ta\n1.000\t71\n2.000\t78\n4.000\t83\n", "'1.000' may be read", id="one-or-1000-by-points"),
    ],
)
def test_what_a_file_is_instead_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "curve.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidStudy, match=told):
        sufficiency.fit(file)


def test_a_study_that_was_saved_is_not_fitted(tmp_path: Path) -> None:
    sufficiency.fit(N, RUNS).save(tmp_path / "own")
    with pytest.raises(InvalidStudy, match=r"sufficiency\.load reads it"):
        sufficiency.fit(tmp_path / "own")


def test_the_product_s_own_tables_are_read_again(tmp_path: Path) -> None:
    study = sufficiency.fit(N, {"Accuracy": RUNS, "Recall": np.stack([RUNS, RUNS - 0.1], axis=-1)})
    file = tmp_path / "cells.csv"
    file.write_bytes(study.export("csv"))
    again = means(sufficiency.fit(file))
    assert again["Accuracy", None, 400] == pytest.approx(RUNS[:, 3].mean())
    assert again["Recall_1", None, 400] == pytest.approx(RUNS[:, 3].mean() - 0.1)
    assert means(sufficiency.fit(study.measurements("cells").to_pandas())) == pytest.approx(means(study))


def test_scikit_learn_s_learning_curve() -> None:
    from sklearn.datasets import load_iris
    from sklearn.model_selection import learning_curve
    from sklearn.naive_bayes import GaussianNB

    x, y = load_iris(return_X_y=True)
    sizes, _, scores = found = learning_curve(
        GaussianNB(), x, y, train_sizes=[0.2, 0.4, 0.7, 1.0], cv=3, shuffle=True, random_state=0
    )
    study = sufficiency.fit(found, metric="Accuracy")
    assert study["steps"] == sizes.tolist()
    assert study["spec"]["runs"] == 3
    assert means(study) == pytest.approx(
        {("Accuracy", None, int(n)): s.mean() for n, s in zip(sizes, scores, strict=True)}
    )


def test_missing_values_and_classes_by_name() -> None:
    holes = RUNS.copy()
    holes[0, 1] = np.nan
    holes[1, 3] = np.inf
    assert means(sufficiency.fit(N, holes))["value", None, 100] == 0.79
    frame = pandas.DataFrame([{"n": n, "class": name, "value": 0.5 + n / 1000} for n in N for name in ("dog", "cat")])
    study = sufficiency.fit(frame, class_names=["cat", "dog"])
    assert {row["class"] for row in study.measurements()} == {"cat", "dog"}
    assert study.project(1000, **{"class": "dog"})[0]["class"] == "dog"


def test_columns_beside_the_values_and_seeds_of_any_size() -> None:
    table = WIDE.assign(Accuracy_std=0.01, epoch=[9, 9, 12, 8, 9, 7, 12, 9], seed=np.repeat([12_345, 2**63], 4))
    study = sufficiency.fit(table)
    assert means(study).keys() == {("Accuracy", None, n) for n in N}
    assert study["spec"]["runs"] == 2
    masked = np.ma.masked_equal([0.71, 0.1, 0.78, 0.83, 0.865], 0.1)
    assert ("value", None, 70) not in {
        place for place, mean in means(sufficiency.fit([50, 70, *N[1:]], masked)).items() if mean
    }


LOG = pandas.DataFrame([{"n": n, "epoch": e, "acc": 0.6 + n / 2000 + e / 50} for n in N for e in range(3)])
SQUARE = np.array(N)[:, None] / 1000 + 0.001 * np.arange(4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"n": LOG}, "column 'epoch': it has a row for each epoch of a training, and each would count as a run"),
        ({"n": N, "values": SQUARE}, "seems to be sizes by runs.*give its transpose"),
        ({"n": [50, 100], "values": [0.7, 0.8]}, "a curve needs at least 3"),
        ({"n": [50, 100, 0, 2.5], "values": [0.7, 0.8, 0.9, 1]}, r"n\[2\]: 0.0 is no training-set size.*n\[3\]: 2.5"),
        ({"n": [50, np.nan, 200], "values": [0.7, 0.8, 0.9]}, r"n\[1\]: nan is no training-set size"),
        ({"n": N, "values": [0.7, 0.8]}, "has 2 sizes, and n has 4"),
        ({"n": N, "values": RUNS.T}, "sizes by runs: give its transpose"),
        ({"n": N, "values": [0.7, "x", 0.8, "y"]}, r"value\[0, 1\]: 'x' is no number.*'y'"),
        ({"n": N, "values": [[0.7, 0.8], [0.7]]}, "must be"),
        ({"n": N, "values": [1j, 1, 1, 1]}, "complex"),
        ({"n": N}, "give values with the sizes"),
        ({"n": "missing.csv"}, "missing.csv: cannot be read"),
        ({"n": pandas.DataFrame({"images": N, "acc": RUNS[0]})}, "no column of training-set sizes.*n=.*images, acc"),
        ({"n": pandas.DataFrame({"n": N})}, "no column of values"),
        ({"n": pandas.DataFrame({"n": N, "acc": RUNS[0], "model": list("abcd")})}, "'model' holds text of several"),
        ({"n": pandas.DataFrame({"n": N, "acc": [0.1, 0.2, 0.3, "95 %"]})}, "'95 %' is per cent, and 0.1 says nothing"),
        (
            {"n": pandas.DataFrame({"n": N, "acc": ["71 ± 1", "78(1)", "83 +/- 1", "86.5"]})},
            "'83 \\+/- 1' is a number and",
        ),
        ({"n": pandas.DataFrame({"n": ["10%", "20%", "50%", "100%"], "acc": RUNS[0]})}, "'10%' is a share, and no"),
        ({"n": pandas.DataFrame({"n": [10, 10, 20], "run": [0, 0, 0], "acc": [1, 1, 1]})}, "n = 10 is there twice"),
        (
            {
                "n": pandas.DataFrame({"n": N, "class": ["cat", "cow", "cat", "cat"], "value": RUNS[0]}),
                "class_names": ["cat"],
            },
            "no class 'cow'; there is cat",
        ),
        ({"n": pandas.DataFrame([[50, 0.5, 0.6]], columns=["n", "acc", "acc"])}, "has two columns 'acc'"),
        ({"n": {"n": N, "acc": [0.7]}}, "different lengths: n 4, acc 1"),
        ({"n": {"n": 50, "acc": RUNS[0]}}, "no list of values in 'n'"),
        ({"n": {"n": [50, 100, 10**400], "acc": [0.7, 0.8, 0.9]}}, "row 3: 10+… is too large"),
        ({"n": {"n": N, "acc": [0.7, 0.8, 0.9, 10**400]}}, "row 4: 10+… is too large"),
        ({"n": pandas.DataFrame}, "give values with the sizes"),
        ({"n": "a\0b"}, "cannot be read: embedded null"),
        ({"n": N, "values": RUNS, "metrics": {"Acuracy": {}}}, "names Acuracy, and what was measured is value"),
        ({"n": N, "values": RUNS, "bounds": (1, 0)}, "lower bound"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidStudy, match=f"(?s){told}"):
        sufficiency.fit(**given)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (",\n,\n", "has no rows"),
        ("|---|\n|---|\n", "has no rows"),
        ("n,acc\n,\n", "has no rows"),
        ("n,acc\n50,0.5\n100,0.6\n1e400,0.9\n", "row 3: '1e400' is no training-set size"),
        (f"n,acc\n50,0.5\n100,0.6\n{'9' * 400},0.9\n", "row 3: '9+' is no training-set size"),
    ],
    ids=["commas", "rules", "empty_row", "infinite", "long"],
)
def test_a_file_without_a_curve_is_told_so(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "odd").write_text(content)
    with pytest.raises(InvalidStudy, match=told):
        sufficiency.fit(tmp_path / "odd")


@pytest.mark.parametrize(
    "label",
    [[1], {"a": 1}, np.array([1, 2]), float("inf"), 10**400, pandas.Timestamp("2020-01-01"), True],
    ids=["list", "mapping", "array", "infinity", "huge", "time", "truth"],
)
@pytest.mark.parametrize("column", ["run", "class"])
def test_runs_and_classes_may_be_called_anything(column: str, label: Any) -> None:
    study = sufficiency.fit({"n": N, "value": RUNS[0], column: [label] * 4, "metric": ["acc"] * 4})
    assert [row["mean"] for row in study.measurements()] == RUNS[0].tolist()


def test_what_pandas_does_not_know_is_missing() -> None:
    frame = pandas.DataFrame({"n": [*N, 800], "acc": pandas.array([*RUNS[0], None], dtype="Float64")})
    frame["class"] = pandas.array([None] * 5, dtype="string")
    shares = frame.assign(acc=pandas.array(["71%", "78%", "83%", "86.5%", None], dtype="string"))
    assert [row["mean"] for row in sufficiency.fit(frame).measurements()][:4] == RUNS[0].tolist()
    assert [row["mean"] for row in sufficiency.fit(shares).measurements()][:4] == [71, 78, 83, 86.5]


@pytest.mark.parametrize("keep", [False, True], ids=["index", "both"])
@pytest.mark.parametrize("names", [["n"], ["n", "run"]], ids=["n", "n_and_run"])
def test_what_the_index_is_called_by_is_a_column(names: list[str], keep: bool) -> None:
    frame = pandas.DataFrame({"n": N, "run": 0, "acc": RUNS[0]}).set_index(names, drop=not keep)
    assert [row["mean"] for row in sufficiency.fit(frame).measurements()] == RUNS[0].tolist()
