"""A metric has one shape in all cells of a job."""

from sufficiency.method.shapes import shape_error, shapes_of

PLACE = {"run": 1, "step": 2, "n": 50}
SCALAR_AND_THREE = [("Accuracy", -1, 0.5), ("Recall", 0, 0.1), ("Recall", 1, None), ("Recall", 2, 0.3)]


def test_a_shape_is_one_number_or_so_many_classes() -> None:
    assert shapes_of(SCALAR_AND_THREE) == {"Accuracy": -1, "Recall": 3}


def test_metrics_may_come_and_go_and_not_change_their_shape() -> None:
    known = shapes_of(SCALAR_AND_THREE)
    assert shape_error(known, {"Accuracy": -1}, PLACE) is None
    assert shape_error(known, {"F1": 7}, PLACE) is None
    assert shape_error({}, known, PLACE) is None
    error = shape_error(known, {"Accuracy": -1, "Recall": 4}, PLACE)
    assert error is not None
    assert error["code"] == "invalid_metrics"
    for part in ("run 1, step 2 (n = 50)", "'Recall' has 4 values, one a class here, and 3 values", "labels="):
        assert part in error["detail"]
    scalar = shape_error(known, {"Recall": -1}, PLACE)
    assert scalar is not None
    assert "'Recall' has one number here" in scalar["detail"]
