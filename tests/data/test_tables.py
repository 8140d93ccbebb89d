"""What tables are made of: kinds of columns, gaps, indices, dates, and how files are written."""

import datetime
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.pairing import verify_splits
from sufficiency.data.splitting import part_of
from sufficiency.plugins.estimators import FitEstimator, sklearn_model
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.tabular import load_tabular
from sufficiency.settings import get_settings
from sufficiency.training.repeatable import seed_everything


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.fixture
def table(root: Path) -> Callable[..., Any]:
    """Write a CSV, and load it."""

    def write(lines: Sequence[str] | str, target: str = "label", *, name: str = "t.csv", **params: Any) -> Any:
        text = lines if isinstance(lines, str) else "\n".join(lines) + "\n"
        (root / name).write_text(text, encoding="utf-8", newline="")
        return load_tabular(name, target, **params)

    return write


def split(dataset: Any, **more: Any) -> tuple[ArrayDataset, ArrayDataset]:
    return finished(part_of(dataset, "train"), part_of(dataset, "test"), **more)


def codes(dataset: Any) -> list[str]:
    return [remark.code for remark in (*dataset.description.notes, *dataset.description.warnings)]


def accuracy(train: Any, test: Any, estimator: str = "RandomForestClassifier") -> float:
    seed_everything(np.random.SeedSequence(0))  # a forest draws from the generator that all tests have
    model = sklearn_model(train.num_classes, estimator)
    FitEstimator().train(model, train, list(range(len(train))))
    return Classification(["accuracy"]).evaluate(model, test)["Accuracy"]


# Labels are text


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["01", "02", "10"], ("01", "02", "10")),
        (["1", "01", "2"], ("01", "1", "2")),
        (["true", "false", "true"], ("false", "true")),
        (["+1", "-1", "+1"], ("-1", "+1")),
        (["1.50", "10", "9"], ("1.50", "9", "10")),
        (["2020", "2021", "19"], ("19", "2020", "2021")),
        (["yes", " yes", "no"], (" yes", "no", "yes")),
        (["1e3", "500", "1e3"], ("500", "1e3")),
    ],
)
def test_a_label_is_the_text_that_stands_in_the_file(table: Any, labels: list[str], classes: tuple[str, ...]) -> None:
    dataset = table(["x,label", *(f"{k * 3},{label}" for k, label in enumerate(labels))])
    assert dataset.class_names == classes
    assert [classes[k] for k in dataset.y] == labels


def test_labels_that_differ_in_little_are_warned_about(table: Any) -> None:
    train, test = split(table(["x,label", *(f"{k % 7},{('1', '01', 'a', 'A ')[k % 4]}" for k in range(40))]))
    info, _ = verify_splits(train, test)
    said = [warning["detail"] for warning in info["warnings"] if warning["code"] == "names_alike"]
    assert any("'01' and '1'" in detail for detail in said)
    assert any("'A ' and 'a'" in detail for detail in said)


def test_long_numbers_that_differ_in_their_last_digit_are_not_alike(table: Any) -> None:
    train, test = split(table(["x,label", *(f"{k % 7},{2**60 + k % 3}" for k in range(60))]))
    info, _ = verify_splits(train, test)
    assert info["class_names"] == [str(2**60 + k) for k in range(3)]
    assert "names_alike" not in {warning["code"] for warning in info["warnings"]}


def test_classes_are_asked_for_as_they_are_written(table: Any) -> None:
    assert table("x,label\n3,02\n9,01\n", classes=["01", "02", "03"]).y.tolist() == [1, 0]
    with pytest.raises(DatasetError, match=r"'02' in the target 'label' \(row 0\) is not among the classes '1', '2'"):
        table("x,label\n3,02\n9,1\n", classes=["1", "2"])


@pytest.mark.parametrize(
    ("values", "given"), [([True, False], ["false", "true"]), ([1.0, 2.0], ["2", "1"]), ([1, 2], ["1.0", "2.0"])]
)
def test_typed_labels_may_be_named_in_other_spellings(root: Path, values: Any, given: list[str]) -> None:
    parquet.write_table(pa.table({"x": [4.0, 5.0], "y": values}), root / "t.parquet")
    dataset = load_tabular("t.parquet", "y", classes=given)
    assert dataset.class_names == tuple(given)
    written = [given[k].lower().removesuffix(".0") for k in dataset.y]
    assert written == [str(value).lower().removesuffix(".0") for value in values]


# Kinds are those of the whole column


def test_a_column_is_what_all_its_rows_are_wherever_they_stand(table: Any) -> None:
    rows = 60_000
    lines = [f"{k % 90}{'.5' if k >= rows - 5 else ''},{k % 9 if k < rows - 5 else 'A7'},{k % 2}" for k in range(rows)]
    first = table(["reading,code,label", *lines])
    again = table(["reading,code,label", *reversed(lines)])
    assert first.feature_names == ("reading", *(f"code={k}" for k in range(9)), "code=A7") == again.feature_names
    assert first.x[-1].tolist()[0] == pytest.approx((rows - 1) % 90 + 0.5)
    assert np.array_equal(again.x[::-1], first.x)


def test_numbers_with_a_few_marks_are_no_categories(table: Any) -> None:
    lines = ["x,label", *(f"{'-' if k in (7, 9) else k * 0.5},{k % 2}" for k in range(300))]
    with pytest.raises(DatasetError, match=r"'x' holds numbers but for 2 cells \('-' in row 7\).*missing_values"):
        table(lines)
    train, _ = split(table(lines, missing="impute", missing_values=["-"]))
    assert train.feature_names[0] == "x"
    assert len(train.feature_names) <= 2
    assert len(table(lines, categorical=["x"]).feature_names) == 299


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        pytest.param("soon", r"'x' holds dates but for 1 cell \('soon' in row 70\).*missing_values", id="text"),
        pytest.param("2023-02-29", r"'x' holds dates but for 1 cell \('2023-02-29' in row 70\)", id="no-such-day"),
        pytest.param("31/12/2023", r"'x' holds dates that are written in several ways.*2020-12-31", id="other-way"),
    ],
)
@pytest.mark.parametrize("dates", ["refuse", "ordinal"])
def test_dates_with_an_odd_cell_are_no_categories(table: Any, odd: str, said: str, dates: str) -> None:
    lines = [f"2024-01-{k % 28 + 1:02d},{k % 2}" for k in range(90)]
    lines[70] = f"{odd},0"
    with pytest.raises(DatasetError, match=said):
        table(["x,label", *lines], dates=dates)


def test_numbers_that_are_names_are_categories_where_asked(table: Any) -> None:
    dataset = table(["zip,label", *(f"0{k % 3},{k % 2}" for k in range(12))], categorical=["zip"])
    assert dataset.feature_names == ("zip=00", "zip=01", "zip=02")


# Missing values


def people(rows: int = 300, gap: str = "", every: int = 10, column: str = "age") -> list[str]:
    """Rows of numbers and wards; the older are ill."""
    rng = np.random.default_rng(0)
    lines = ["age,ward,new,label"]
    for k in range(rows):
        age = int(rng.integers(20, 90))
        cells = {"age": str(age), "ward": ("north", "south", "east")[k % 3], "new": ("true", "false")[k % 2]}
        cells["label"] = "ill" if age > 55 else "well"
        if k % every == 0:
            cells[column] = gap
        lines.append(",".join(cells.values()))
    return lines


@pytest.mark.parametrize(
    "gap", ["", "NA", "?", " ? ", "null", "NaN", "None", "N/A", "\\N", "(null)", "n.a.", "#DIV/0!", "#REF!"]
)
@pytest.mark.parametrize("column", ["age", "ward", "new", "label"])
def test_a_missing_value_is_no_category_and_no_class(table: Any, gap: str, column: str) -> None:
    with pytest.raises(DatasetError, match=rf"{column}'.* 30 empty values of 300 .*row 0.*missing=drop"):
        table(people(gap=gap, column=column))
    dropped = table(people(gap=gap, column=column), missing="drop")
    assert len(dropped) == 270
    assert dropped.feature_names == ("age", "ward=east", "ward=north", "ward=south", "new")
    assert dropped.class_names == ("ill", "well")
    train, test = split(dropped)
    assert accuracy(train, test) > 0.97
    info, _ = verify_splits(train, test)
    assert info["missing"]["files"][0]["rows_dropped"] == 30


def test_what_is_a_value_by_name_is_not_missing(table: Any) -> None:
    lines = ["x,label", *(f"{k},{('None', 'crack')[k % 2]}" for k in range(0, 40, 3))]
    with pytest.raises(DatasetError, match="empty values"):
        table(lines)
    assert table(lines, missing_values=[""]).class_names == ("None", "crack")
    assert table(lines, classes=["None", "crack"]).class_names == ("None", "crack")


def test_all_faults_of_a_file_are_said_at_once(table: Any) -> None:
    lines = ["id,when,age,ward,note,label"]
    lines += [
        f"p{k},2020-01-{k % 28 + 1:02d},{k if k % 9 else ''},{'n' if k % 7 else 'NA'},,{'a' if k % 5 else ''}"
        for k in range(1200)
    ]
    with pytest.raises(DatasetError) as caught:
        table(lines)
    said = str(caught.value)
    assert said.startswith("t.csv has 6 faults: (1) the target 'label' has 240 empty values")
    for what in (
        "'id' has 1200 categories: leave it out with `leave_out`",
        "'when' holds dates",
        "'age' has 134 empty",
    ):
        assert what in said
    assert "'ward' has 172 empty" in said
    assert "'note' has 1200 empty" in said
    dataset = table(lines, leave_out=["id", "note"], dates="parts", missing="drop")
    assert dataset.feature_names[:5] == ("when.year", "when.month", "when.day", "when.weekday", "age")


def test_gaps_are_filled_by_the_training_split_alone(table: Any) -> None:
    train = table(["a,c,label", "1,u,x", "3,u,y", "100,v,x", ",,y"], name="train.csv", missing="impute")
    test = table(["a,c,label", ",,x", "7,v,y", "5000,w,y"], name="test.csv", missing="impute")
    first, second = finished(train, test)
    assert first.feature_names == ("a", "a missing", "c=u", "c=v") == second.feature_names
    assert first.x.tolist() == [[1, 0, 1, 0], [3, 0, 1, 0], [100, 0, 0, 1], [3, 1, 1, 0]]
    assert second.x.tolist() == [[3, 1, 1, 0], [7, 0, 0, 1], [5000, 0, 0, 0]]
    info, _ = verify_splits(first, second)
    assert info["missing"]["columns"] == [
        {"name": "a", "value": 3.0, "train": 1, "test": 1, "flagged": True},
        {"name": "c", "value": "u", "train": 1, "test": 1, "flagged": False},
    ]
    assert [warning["code"] for warning in info["warnings"]] == ["test_items_in_train", "unseen_category"]
    assert "'w'" in info["warnings"][-1]["detail"]
    changed = table(["a,c,label", ",,x", "-900,u,y"], name="other.csv", missing="impute")
    assert np.array_equal(finished(train, changed)[0].x, first.x)
    assert finished(train, changed)[1].x[0].tolist() == [3, 1, 1, 0]


def test_gaps_of_one_source_are_filled_by_its_training_part(table: Any) -> None:
    whole = table(people(column="age"), missing="impute")
    train, test = split(whole)
    ages = train.x[train.x[:, 1] == 0, 0]
    assert set(train.x[train.x[:, 1] == 1, 0]) == {np.median(ages)} == set(test.x[test.x[:, 1] == 1, 0])
    assert accuracy(train, test) > 0.85
    assert finished(part_of(whole, "train"), part_of(whole, "test"), standardise=True)[0].x.mean(
        axis=0
    ) == pytest.approx(0, abs=1e-6)


def test_a_row_without_a_target_is_never_filled(table: Any) -> None:
    dataset = table(people(column="label"), missing="impute")
    assert len(dataset) == 270
    assert dataset.description.missing == {"path": "t.csv", "rows_dropped": 30, "without_target": 30}


def test_typed_gaps_are_missing_too(root: Path) -> None:
    columns = {
        "a": pa.array([1, None, 3, 5]),
        "b": [0.5, float("nan"), 1.5, 1.5],
        "c": pa.array(["u", "?", None, "u"]).dictionary_encode(),
        "d": pa.array([True, None, True, False]),
        "y": ["k", "l", "k", "l"],
    }
    parquet.write_table(pa.table(columns), root / "t.parquet")
    with pytest.raises(
        DatasetError, match=r"4 faults: .*'a' has 1 empty value.*row 1.*'b' .*row 1.*'c' has 2 empty.*'d'"
    ):
        load_tabular("t.parquet", "y")
    dataset = load_tabular("t.parquet", "y", missing="impute")
    assert dataset.feature_names == ("a", "a missing", "b", "b missing", "c=u", "d", "d missing")
    assert dataset.x.tolist() == [
        [1, 0, 0.5, 0, 1, 1, 0],
        [3, 1, 1.5, 1, 1, 1, 1],
        [3, 0, 1.5, 0, 1, 1, 0],
        [5, 0, 1.5, 0, 1, 0, 0],
    ]


# Indices and identifiers


def noise(rows: int = 600) -> tuple[Any, Any, Any]:
    """Features that say nothing, and labels in their order."""
    rng = np.random.default_rng(0)
    return rng.normal(size=rows), rng.normal(size=rows), np.arange(rows) // (rows // 2)


@pytest.mark.parametrize("header", ["", "Unnamed: 0", "row", "X", "__index_level_0__", '""'])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("shuffled", [False, True])
def test_what_counts_the_rows_is_no_feature(table: Any, header: str, first: int, shuffled: bool) -> None:
    a, b, y = noise()
    rows = [f"{k + first},{a[k]:.5f},{b[k]:.5f},c{y[k]}" for k in range(600)]
    if shuffled:
        rows = [rows[k] for k in np.random.default_rng(1).permutation(600)]
    train, test = split(table([f"{header},a,b,label", *rows]))
    assert train.feature_names == ("a", "b")
    assert "index_left_out" in codes(train)
    assert accuracy(train, test) == pytest.approx(0.5, abs=0.12)  # it was 1.0 with the index


def test_an_unnamed_column_is_no_feature_whatever_it_holds(table: Any) -> None:
    a, b, y = noise()
    train, _ = split(table([",a,b,label", *(f"{7 * k + 3},{a[k]:.5f},{b[k]:.5f},c{y[k]}" for k in range(600))]))
    assert train.feature_names == ("a", "b")
    both = table([",a,,label", *(f"{k},{a[k]:.5f},{k % 3},c{y[k]}" for k in range(600))])
    assert both.feature_names == ("a",)


def test_what_is_asked_for_is_a_feature_and_warned_about(table: Any) -> None:
    a, _, y = noise()
    train, _ = split(table(["n,a,label", *(f"{k},{a[k]:.5f},c{y[k]}" for k in range(600))], features=["n", "a"]))
    assert train.feature_names == ("n", "a")
    assert {"identifier", "predicts_target"} <= set(codes(train))


@pytest.mark.parametrize("named", ["__index_level_0__", "patient"])
def test_the_index_that_parquet_knows_of_is_no_feature(root: Path, named: str) -> None:
    a, b, y = noise()
    about = {b"pandas": f'{{"index_columns": ["{named}"], "columns": []}}'.encode()}
    columns = {"a": a, "b": b, "label": [f"c{k}" for k in y], named: np.arange(600) * 3 + 5}
    parquet.write_table(pa.table(columns).replace_schema_metadata(about), root / "t.parquet")
    train, test = split(load_tabular("t.parquet", "label"))
    assert train.feature_names == ("a", "b")
    assert accuracy(train, test) == pytest.approx(0.5, abs=0.12)
    assert load_tabular("t.parquet", "label", features=["a", named]).feature_names == ("a", named)
    grouped = load_tabular("t.parquet", "label", metadata=[named])
    assert grouped.item_metadata[named].tolist() == (np.arange(600) * 3 + 5).tolist()


def test_pandas_writes_what_is_read(root: Path) -> None:
    pandas = pytest.importorskip("pandas")
    a, b, y = noise()
    frame = (
        pandas.DataFrame({"a": a, "b": b, "label": [f"c{k}" for k in y]}).sample(frac=0.7, random_state=0).sort_index()
    )
    frame.to_csv(root / "t.csv")
    frame.to_parquet(root / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        dataset = load_tabular(name, "label")
        assert dataset.feature_names == ("a", "b")
        assert len(dataset) == 420


def test_an_index_that_two_files_share_is_no_feature(table: Any) -> None:
    a, _, y = noise()
    order = np.random.default_rng(3).permutation(600)
    files = []
    for name, rows in (("train.csv", order[:450]), ("test.csv", order[450:])):
        files.append(table(["n,a,label", *(f"{k},{a[k]:.5f},c{y[k]}" for k in rows)], name=name))
    train, test = finished(*files)
    assert train.feature_names == test.feature_names == ("a",)
    assert accuracy(train, test) == pytest.approx(0.5, abs=0.12)


def test_suspects_are_named_and_kept(table: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    lines = ["serial,name,leak,ward,fair,label"]
    lines += [
        f"{9000 + 7 * k},n{k},{y[k] * 3 + rng.random():.4f},{'ab'[y[k]]},{rng.normal() + y[k]:.4f},c{y[k]}"
        for k in range(400)
    ]
    train, test = split(table(lines))
    said = {warning.code: [] for warning in train.description.warnings}
    for warning in train.description.warnings:
        said[warning.code].append(warning.detail.split("'")[1])
    assert said["identifier"] == ["serial", "name"]
    assert said["predicts_target"] == ["leak", "ward"]
    assert {"serial", "leak", "fair"} <= set(train.feature_names)
    assert len(test) == 80


def test_a_number_that_tells_the_target_is_named_in_a_regression_too(table: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=300) * 10
    lines = ["double,fair,target", *(f"{2 * v:.3f},{v + rng.normal() * 9:.3f},{v:.3f}" for v in y)]
    train, _ = split(table(lines, "target", task="regression"))
    said = [warning.detail for warning in train.description.warnings if warning.code == "predicts_target"]
    assert len(said) == 1
    assert "'double' alone" in said[0]


# Dates


def test_dates_are_days_or_parts_by_choice(table: Any) -> None:
    lines = ["when,label", "1970-01-02 12:00:00,a", "2024-02-29 23:59:58,b"]
    with pytest.raises(DatasetError, match=r"'when' holds dates.*dates=ordinal or dates=parts"):
        table(lines)
    days = table(lines, dates="ordinal")
    assert days.x[:, 0] == pytest.approx([1.5, 19782 + 86398 / 86400])
    parts = table(lines, dates="parts")
    assert parts.feature_names == tuple(
        f"when.{p}" for p in ("year", "month", "day", "weekday", "hour", "minute", "second")
    )
    assert parts.x.tolist() == [[1970, 1, 2, 4, 12, 0, 0], [2024, 2, 29, 3, 23, 59, 58]]
    assert parts.description.features == ()
    assert finished(parts, parts)[0].description.features[0].kind == "date"


@pytest.mark.parametrize(
    ("written", "day"),
    [
        (["31.12.2020", "01.02.2021"], ["2020-12-31", "2021-02-01"]),
        (["31/12/2020", "1/2/2021"], ["2020-12-31", "2021-02-01"]),
        (["12/31/2020", "2/1/2021"], ["2020-12-31", "2021-02-01"]),
        (["2020/12/31", "2021/2/1"], ["2020-12-31", "2021-02-01"]),
        (["2020-12-31T22:00:00Z", "2021-02-01T00:00:00+00:00"], ["2020-12-31T22", "2021-02-01"]),
    ],
)
def test_dates_as_they_are_written(table: Any, written: list[str], day: list[str]) -> None:
    dataset = table(["when,label", *(f"{date},{k}" for k, date in enumerate(written))], dates="ordinal")
    since = [(np.datetime64(d, "s") - np.datetime64("1970-01-01", "s")).astype(int) / 86400 for d in day]
    assert dataset.x[:, 0] == pytest.approx(since)


def test_a_date_of_two_readings_is_refused(table: Any) -> None:
    with pytest.raises(DatasetError, match="day and month cannot be told apart"):
        table("when,label\n01/02/2020,a\n03/04/2020,b\n", dates="ordinal")


def test_numbers_that_float64_would_take_for_each_other_are_refused(root: Path) -> None:
    ids = pa.array([2**63 + k % 5 for k in range(60)], pa.uint64())
    label = [f"g{k % 5}" for k in range(60)]
    parquet.write_table(pa.table({"x": ids, "label": label}), root / "t.parquet")
    with pytest.raises(
        DatasetError, match=r"'x' holds numbers beyond 2\*\*53, .* takes 4 for others: store them as text"
    ):
        load_tabular("t.parquet", "label")
    assert load_tabular("t.parquet", "x", features=["label"]).class_names == tuple(str(2**63 + k) for k in range(5))
    parquet.write_table(pa.table({"x": label, "y": ids}), root / "t.parquet")
    with pytest.raises(DatasetError, match=r"'y' holds numbers beyond 2\*\*53"):
        load_tabular("t.parquet", "y", task="regression")
    apart = pa.array([2**62 + k * 2**40 for k in range(60)], pa.uint64())
    parquet.write_table(pa.table({"x": apart, "label": label}), root / "t.parquet")
    assert load_tabular("t.parquet", "label").feature_names == ("x",)


def test_whole_numbers_of_a_text_file_are_not_rounded_in_silence(table: Any) -> None:
    lines = ["x,label", *(f"{2**64 + k % 5},{k % 2}" for k in range(60))]
    with pytest.raises(DatasetError, match=r"'x' holds whole numbers beyond 2\*\*53.* takes 4 for others.*categorical"):
        table(lines)
    assert len(table(lines, categorical=["x"]).feature_names) == 5
    with pytest.raises(DatasetError, match=r"'x' \(?.*beyond 2\*\*53"):
        table(lines, "x", task="regression")
    assert table(["x,label", *(f"{2**64 + k % 5 * 2**30},{k % 2}" for k in range(60))]).feature_names == ("x",)
    assert table(["x,label", *(f"{k}.1e30,{k % 2}" for k in range(60))]).feature_names == ("x",)


def test_typed_dates_and_times(root: Path) -> None:
    days = [datetime.date(2020, 1, 1), datetime.date(2020, 1, 3)]
    columns = {
        "day": days,
        "hour": pa.array([3600, 7200], pa.time32("s")),
        "took": pa.array([1_500_000_000, 10**9], pa.duration("ns")),
        "at": pa.array([datetime.datetime(2020, 1, 1, 6), None]).cast(pa.timestamp("ns", "Europe/Berlin")),
        "y": ["a", "b"],
    }
    parquet.write_table(pa.table(columns), root / "t.parquet")
    dataset = load_tabular("t.parquet", "y", dates="ordinal", missing="impute")
    assert dataset.feature_names == ("day", "hour", "took", "at", "at missing")
    assert dataset.x.tolist() == [[18262, 3600, 1.5, 18262.25, 0], [18264, 7200, 1, 18262.25, 1]]
    with pytest.raises(DatasetError, match="the target 'day' holds dates"):
        load_tabular("t.parquet", "day", dates="ordinal", features=["took"])
    with pytest.raises(DatasetError, match="needs numbers"):
        load_tabular("t.parquet", "y", task="regression", features=["took"])


def test_moments_within_a_day_are_told_apart(table: Any) -> None:
    start = datetime.datetime(2026, 3, 1)
    order = np.random.default_rng(0).permutation(400)
    lines = [f"{start + datetime.timedelta(seconds=int(k))},{'late' if k >= 200 else 'early'}" for k in order]
    train, test = split(table(["at,label", *lines], dates="ordinal"))
    assert "moved_for_precision" in codes(train)
    assert accuracy(train, test, "DecisionTreeClassifier") > 0.97


@pytest.mark.parametrize("unit", [1, 10**9])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_seconds_since_1970_are_told_apart(root: Path, unit: int, suffix: str) -> None:
    order = np.random.default_rng(0).permutation(240)
    at, label = 1_700_000_000 * unit + order * 2 + 1, np.where(order >= 120, "b", "a")
    if suffix == "csv":
        (root / "t.csv").write_text("\n".join(["at,label", *map(",".join, zip(map(str, at), label, strict=True))]))
    else:
        parquet.write_table(pa.table({"at": at, "label": label}), root / "t.parquet")
    for standardise in (False, True):
        train, test = split(load_tabular(f"t.{suffix}", "label"), standardise=standardise)
        assert "moved_for_precision" in codes(train)
        assert accuracy(train, test, "DecisionTreeClassifier") > 0.97
        assert accuracy(train, test, "KNeighborsClassifier") > 0.95


# How files are written


def test_line_breaks_in_quotes_are_read_wherever_blocks_end(root: Path) -> None:
    for shift in (0, 8, 11):
        reviews = (f'"The film was fine {k}.\nI would, all in all,\ncall it dull.",{k % 2}' for k in range(30_000))
        (root / "t.csv").write_text("\n".join(["review,opinion", f"{'x' * shift},0", *reviews]), newline="")
        assert len(load_tabular("t.csv", "opinion", text=["review"], text_features=2)) == 30_001


def test_a_cell_may_be_longer_than_a_block(table: Any) -> None:
    dataset = table('note,label\n"' + "word\n" * 700_000 + '",a\nshort,b\n', text=["note"], text_features=4)
    assert dataset.y.tolist() == [0, 1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_dialects_are_found(root: Path, delimiter: str, decimal: str, encoding: str) -> None:
    def cell(text: str) -> str:
        return f'"{text}"' if delimiter in text else text

    numbers = [0.5, -1234.25, 17.0]
    lines = [delimiter.join(("Größe", "Ort", "Etikett"))]
    for number, place in zip(numbers, ("Köln", "Genève; alt", "Köln"), strict=True):
        lines.append(
            delimiter.join((cell(str(number).replace(".", decimal)), cell(place), "ja" if number > 0 else "nein"))
        )
    (root / "t.csv").write_bytes("\r\n".join(lines).encode(encoding))
    dataset = load_tabular("t.csv", "Etikett")
    assert dataset.feature_names == ("Größe", "Ort=Genève; alt", "Ort=Köln")
    assert dataset.x[:, 0].tolist() == numbers
    assert dataset.class_names == ("ja", "nein")
    found = codes(dataset)
    assert ("delimiter_found" in found) == (delimiter != ",")
    assert ("decimal_found" in found) == (decimal == ",")
    assert ("encoding_found" in found) == (encoding not in ("utf-8", "utf-8-sig"))
    asked = load_tabular("t.csv", "Etikett", delimiter=delimiter, decimal=decimal, encoding=encoding)  # type: ignore[arg-type]
    assert asked.x.tolist() == dataset.x.tolist()
    assert codes(asked) == []


@pytest.mark.parametrize(
    ("text", "values", "params"),
    [
        ('a,label\n"1,234",x\n"12,345.5",y\n', [1234, 12345.5], {}),
        ('a,label\n"1,5",x\n"2,25",y\n', [1.5, 2.25], {}),
        ("a;label\n1.234,5;x\n12;y\n", [1234.5, 12], {}),
        ("a;label\n1.234;x\n12;y\n", [1.234, 12], {}),
        ("a;label\n1.234;x\n12;y\n", [1234, 12], {"decimal": ","}),
        ('a,label\n"1,234",x\n"5,678",y\n', [1.234, 5.678], {"decimal": ","}),
        ("sep=;\na;label\n1,5;x\n3;y\n", [1.5, 3], {}),
        ("a,label\n 1 ,x\n+2.5e1,y\n", [1, 25], {}),
    ],
)
def test_numbers_as_they_are_written(table: Any, text: str, values: list[float], params: dict[str, Any]) -> None:
    assert table(text, **params).x[:, 0] == pytest.approx(values)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        pytest.param(["12%", "3.5 %", "-1%"], [12, 3.5, -1], id="percent"),
        pytest.param(["$1.5", "-$2", '"$1,234.5"'], [1.5, -2, 1234.5], id="dollar"),
        pytest.param(["€ 3", '"4,5 €"', "€12"], [3, 4.5, 12], id="euro"),
    ],
)
def test_amounts_of_one_unit_are_numbers(table: Any, cells: list[str], values: list[float]) -> None:
    dataset = table(["v,label", *(f"{cell},{k % 2}" for k, cell in enumerate(cells))])
    assert dataset.feature_names == ("v",)
    assert dataset.x[:, 0] == pytest.approx(values)
    assert "unit_found" in codes(dataset)
    named = table(["v,label", *(f"{cell},{k % 2}" for k, cell in enumerate(cells))], categorical=["v"])
    assert len(named.feature_names) == 3


def test_amounts_of_two_units_are_not_mixed(table: Any) -> None:
    train = table(["v,label", "12%,a", "30%,b"], name="train.csv")
    with pytest.raises(DatasetError, match=r"'v' holds numbers with '%' in the training split, and without a unit"):
        finished(train, table(["v,label", "0.12,a", "0.3,b"], name="test.csv"))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        pytest.param(["$1", "€2", "$3", "€4"], r"'v' holds amounts such as '\$1', '€2'", id="currencies"),
        pytest.param(["1 kg", "2 kg", "3 kg", "4 kg"], r"'v' holds amounts such as '1 kg'", id="unit"),
        pytest.param(["1 000", "2 000", "3 500"], r"'v' holds amounts such as '1 000'", id="spaces"),
        pytest.param(["1", "2", "3", "unknown"], r"'v' holds numbers but for 'unknown'.*missing_values", id="mark"),
    ],
)
def test_numbers_that_become_categories_are_said(table: Any, cells: list[str], said: str) -> None:
    lines = ["v,label", *(f"{cells[k % len(cells)]},{k // 7 % 2}" for k in range(120))]
    train, _ = split(table(lines))
    assert len(train.feature_names) == len(cells)
    (doubt,) = [one.detail for one in train.description.warnings if one.code == "numbers_as_categories"]
    assert re.search(said + r".*`categorical`", doubt)
    train, _ = split(table(lines, categorical=["v"]))
    assert "numbers_as_categories" not in codes(train)


@pytest.mark.parametrize("words", [["A1", "A2", "A3"], ["1A", "2B", "3C"], ["low", "high", "unknown"], ["1-5", "6-9"]])
def test_names_with_numbers_in_them_are_not_doubted(table: Any, words: list[str]) -> None:
    train, _ = split(table(["v,label", *(f"{words[k % len(words)]},{k // 7 % 2}" for k in range(120))]))
    assert "numbers_as_categories" not in codes(train)


@pytest.mark.parametrize("mark", ["-", ".", "unknown", "--", "(missing)"])
def test_many_marks_among_numbers_make_no_categories_either(table: Any, mark: str) -> None:
    lines = ["x,label", *(f"{mark if k % 3 == 0 else k * 0.5},{k % 2}" for k in range(300))]
    with pytest.raises(DatasetError, match=rf"'x' holds numbers but for 100 cells \('{re.escape(mark)}' in row 0\)"):
        table(lines)
    assert split(table(lines, missing="impute", missing_values=[mark]))[0].feature_names[0] == "x"


def test_parquet_s_numbers_as_text_are_said(root: Path) -> None:
    columns = {"x": [f"{k % 50}.5" for k in range(200)], "y": [f"{k // 7 % 2}" for k in range(200)]}
    parquet.write_table(pa.table(columns), root / "t.parquet")
    train, _ = split(load_tabular("t.parquet", "y"))
    assert "numbers_as_categories" in codes(train)


def test_a_folder_is_no_column(root: Path) -> None:
    (root / "year=2020").mkdir()
    parquet.write_table(pa.table({"a": [1.5, 2.5], "y": ["k", "l"]}), root / "year=2020" / "t.parquet")
    assert load_tabular("year=2020/t.parquet", "y").feature_names == ("a",)


# Two files


def test_columns_are_matched_by_name_and_classes_too(table: Any) -> None:
    train = table(["a,c,label", "1,u,x", "2,v,y", "5,u,z"], name="train.csv")
    test = table(["more,c,label,a", "0,v,z,7", "0,u,x,8"], name="test.csv")
    first, second = finished(train, test)
    assert second.feature_names == first.feature_names == ("a", "c=u", "c=v")
    assert second.x.tolist() == [[7, 0, 1], [8, 1, 0]]
    assert (second.class_names, second.y.tolist()) == (("x", "y", "z"), [2, 0])
    info, _ = verify_splits(first, second)
    assert info["test"]["class_counts"] == [1, 0, 1]
    assert info["features"] == [
        {"name": "a", "kind": "number", "numbers": 1},
        {"name": "c", "kind": "category", "numbers": 2},
    ]
    assert "columns_unused" in codes(second)


def test_a_test_file_is_read_as_the_training_file_is(table: Any) -> None:
    train = table(["a,c,label", "1,A7,x", "2,12,y"], name="train.csv")
    _, second = finished(train, table(["a,c,label", "1.5,12,x", "2,12,y"], name="test.csv"))
    assert second.x.tolist() == [[1.5, 1, 0], [2, 1, 0]]
    with pytest.raises(DatasetError, match=r"2 faults: .*'a' holds numbers .* such as 'one' \(row 0\).*no column 'c'"):
        finished(train, table(["a,label", "one,x", "two,y"], name="test.csv"))


def test_columns_that_are_no_numbers_say_what_they_are(root: Path) -> None:
    columns = {"x": [[1.0, 2.0], [3.0, 4.0]], "y": ["a", "b"]}
    parquet.write_table(pa.table(columns), root / "t.parquet")
    with pytest.raises(DatasetError, match=r"'x' holds list<.*leave_out"):
        load_tabular("t.parquet", "y")
