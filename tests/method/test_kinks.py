"""Which thresholds of a learner lie between which sizes, and what of a series belongs to one curve."""

import re
from pathlib import Path

import pytest

from sufficiency.method.kinks.between import drifts, left_out_warning, one_curve, warnings_between
from sufficiency.method.kinks.learner import Component, Data, Learner, learner_of, with_params
from sufficiency.method.kinks.rules import Met, met_by
from sufficiency.method.kinks.table import KINKS, markdown

BALANCED = Data(features=20, classes=2, rarest=0.5)
ONE_IN_TEN = Data(features=20, classes=2, rarest=0.1)


def met(estimator: str, data: Data = BALANCED, **params: object) -> list[Met]:
    return met_by(Learner((Component(estimator, (estimator,), params),)), data)


def thresholds(estimator: str, data: Data = BALANCED, **params: object) -> dict[str, int]:
    return {one.kink.code: one.n for one in met(estimator, data, **params) if one.n is not None}


def test_the_page_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "size-dependent-defaults.md"
    assert markdown() in page.read_text()
    assert len(KINKS) == 25
    assert all(re.search(r"\d", kink.version) for kink in KINKS)


@pytest.mark.parametrize(
    ("estimator", "data", "params", "expected"),
    [
        (
            "HistGradientBoostingClassifier",
            BALANCED,
            {},
            {"histogram_leaf": 40, "histogram_bins": 256, "histogram_early_stopping": 10_001},
        ),
        (
            "HistGradientBoostingClassifier",
            ONE_IN_TEN,
            {"max_bins": 63, "early_stopping": False},
            {"histogram_leaf": 200} | {"histogram_bins": 64},
        ),
        (
            "HistGradientBoostingRegressor",
            Data(5),
            {"min_samples_leaf": 1, "early_stopping": True},
            {"histogram_bins": 256} | {"histogram_leaf": 0},
        ),
        ("LGBMClassifier", BALANCED, {}, {"lightgbm_leaf": 40}),
        ("LGBMClassifier", BALANCED, {"min_child_samples": 1}, {"lightgbm_leaf": 6}),
        ("LGBMClassifier", BALANCED, {"min_data_in_leaf": 5, "min_data_in_bin": 1}, {"lightgbm_leaf": 10}),
        ("LGBMClassifier", BALANCED, {"min_child_samples": 1, "min_data_in_bin": 1}, {}),
        ("XGBClassifier", BALANCED, {"min_child_weight": None}, {"xgboost_leaf": 8}),
        ("XGBClassifier", ONE_IN_TEN, {}, {"xgboost_leaf": 40}),
        ("XGBClassifier", BALANCED, {"min_child_weight": 0}, {}),
        ("XGBClassifier", Data(20, 3, 1 / 3), {}, {"xgboost_leaf": 9}),
        ("XGBClassifier", Data(20, 10, 0.02), {}, {"xgboost_leaf": 300}),
        (
            "LGBMClassifier",
            BALANCED,
            {"categorical_feature": [0], "min_child_samples": 1, "min_data_in_bin": 1},
            {"lightgbm_categories": 200},
        ),
        (
            "LGBMRegressor",
            Data(5),
            {"categorical_feature": [0], "min_data_per_group": 10},
            {"lightgbm_categories": 20, "lightgbm_leaf": 40},
        ),
        ("LinearRegression", Data(40), {}, {"least_squares_rank": 82}),
        ("LinearRegression", Data(40), {"positive": True}, {}),
        ("LinearDiscriminantAnalysis", BALANCED, {}, {"least_squares_rank": 42}),
        ("LinearDiscriminantAnalysis", BALANCED, {"solver": "lsqr", "shrinkage": "auto"}, {}),
        ("CatBoostClassifier", BALANCED, {}, {"catboost_subsample": 100}),
        ("CatBoostClassifier", BALANCED, {"subsample": 0.8}, {}),
        ("SGDClassifier", BALANCED, {"early_stopping": True}, {"early_stopping_split": 11}),
        ("SGDClassifier", BALANCED, {"n_iter_no_change": 3}, {}),
        ("GradientBoostingClassifier", BALANCED, {"n_iter_no_change": 3}, {"early_stopping_split": 11}),
        ("GridSearchCV", ONE_IN_TEN, {}, {"folds": 50}),
        ("GridSearchCV", ONE_IN_TEN, {"cv": 3}, {"folds": 30}),
        ("SVC", BALANCED, {"probability": True}, {"folds": 10}),
        ("SVC", BALANCED, {}, {}),
        ("QuadraticDiscriminantAnalysis", BALANCED, {}, {"discriminant_rank": 42}),
        ("QuadraticDiscriminantAnalysis", BALANCED, {"solver": "eigen", "shrinkage": "auto"}, {}),
        ("PCA", Data(600), {"n_components": 10}, {"pca_solver": 6000}),
        ("PCA", Data(600), {"n_components": 10, "svd_solver": "full"}, {}),
        ("QuantileTransformer", BALANCED, {"n_quantiles": 50, "subsample": None}, {}),
        ("SMOTE", ONE_IN_TEN, {}, {"smote_neighbours": 60}),
        ("SMOTE", ONE_IN_TEN, {"k_neighbors": 2}, {"smote_neighbours": 30}),
        ("MLPClassifier", BALANCED, {}, {"mlp_batch": 201}),
        ("MLPClassifier", BALANCED, {"batch_size": 50}, {}),
        ("MLPClassifier", BALANCED, {"solver": "lbfgs"}, {}),
        ("GaussianNB", BALANCED, {}, {}),
    ],
)
def test_a_threshold_follows_the_actual_parameters_and_the_data(
    estimator: str, data: Data, params: dict[str, object], expected: dict[str, int]
) -> None:
    assert thresholds(estimator, data, **params) == {code: n for code, n in expected.items() if n}


def test_what_lies_between_the_first_step_and_the_size_asked_for_is_named() -> None:
    found = met("HistGradientBoostingClassifier")
    within = warnings_between(found, [50, 500, 8000])
    assert [one["kink"] for one in within] == ["histogram_bins"]
    beyond = warnings_between(found, [50, 500, 8000], 20_000)
    assert [one["kink"] for one in beyond] == ["histogram_bins", "histogram_early_stopping"]
    assert "n = 10,001, beyond the largest step" in beyond[-1]["detail"]
    assert "early stopping switches on" in beyond[-1]["detail"]
    assert "early_stopping=False" in beyond[-1]["detail"]
    assert "between the steps" in warnings_between(found, [50, 12_000])[-1]["detail"]
    pinned = met("HistGradientBoostingClassifier", early_stopping=False)
    assert [one["kink"] for one in warnings_between(pinned, [50, 500, 8000], 20_000)] == ["histogram_bins"]


def test_steps_that_leave_a_small_last_batch_are_named() -> None:
    [one] = warnings_between(met("MLPClassifier", batch_size=100), [99, 101, 200, 399, 401, 1000])
    assert one["kink"] == "mlp_batch"
    assert "101, 401" in one["detail"]
    steps = [25, 41, 69, 116, 193, 322, 538, 898, 1498, 2500]
    by_hand = Learner(training="my-training", training_params={"batch_size": 8, "epochs": 10})
    [one] = warnings_between(met_by(by_hand, BALANCED), steps)
    assert "n = 25, 41, 193, 322, 538, 898, …" in one["detail"]
    weighted = Learner(training="sgd-classifier", training_params={"batch_size": 8, "last_batch": "weighted"})
    assert met_by(weighted, BALANCED) == []


def test_what_changes_with_every_item_is_told_apart() -> None:
    assert [one["kink"] for one in drifts(met("SVC"))] == ["summed_loss", "svc_gamma"]
    assert [one["kink"] for one in drifts(met("SVC", gamma=0.1))] == ["summed_loss"]
    assert [one["kink"] for one in drifts(met("CatBoostClassifier"))] == ["catboost_rate"]
    assert drifts(met("CatBoostClassifier", learning_rate=0.03)) == []
    assert drifts(met("CatBoostRegressor", l2_leaf_reg=3)) == []
    assert drifts(met("LogisticRegression", penalty=None)) == []
    assert warnings_between(met("LogisticRegression"), [10, 1000]) == []


def test_categories_that_need_their_items_are_said_where_columns_are_named() -> None:
    told = [one["kink"] for one in drifts(met("HistGradientBoostingClassifier", categorical_features=[0, 2]))]
    assert told == ["histogram_categories"]
    assert drifts(met("HistGradientBoostingClassifier", categorical_features="from_dtype")) == []
    assert "lightgbm_categories" not in thresholds("LGBMClassifier", categorical_feature="auto")


def test_how_many_features_an_estimator_has_is_unknown_behind_a_step_that_makes_others() -> None:
    def known(*steps: tuple[str, ...]) -> set[str]:
        learner = Learner(tuple(Component(bases[0], bases) for bases in steps))
        return {one.kink.code for one in met_by(learner, BALANCED) if one.n is not None}

    scaler = ("StandardScaler", "OneToOneFeatureMixin", "TransformerMixin")
    reducer = ("PCA", "ClassNamePrefixFeaturesOutMixin", "TransformerMixin")
    discriminant = (
        "LinearDiscriminantAnalysis",
        "ClassNamePrefixFeaturesOutMixin",
        "ClassifierMixin",
        "TransformerMixin",
    )
    assert known(scaler, discriminant) == {"least_squares_rank"}
    assert known(reducer, discriminant) == set()
    assert known(discriminant, ("QuadraticDiscriminantAnalysis",)) == {"least_squares_rank", "discriminant_rank"}


def test_of_least_squares_the_sizes_beyond_the_peak_belong_to_the_curve() -> None:
    found = met("LinearRegression", Data(40))
    assert one_curve(found, [10, 20, 41, 82, 160, 320]) == (82, 320)
    warning = left_out_warning(found, [10, 20, 41, 82, 160, 320], 82, 320)
    assert warning is not None
    assert "as many items as features (40)" in warning["detail"]


@pytest.mark.parametrize(("batches", "said"), [(None, []), (1, []), (4, ["epoch_units"])])
def test_batches_that_are_gathered_are_of_an_epoch(batches: int | None, said: list[str]) -> None:
    learner = Learner(training="mine", training_params={"accumulate_grad_batches": batches})
    assert [one["kink"] for one in drifts(met_by(learner, BALANCED))] == said


def test_few_optimiser_steps_under_batch_normalisation() -> None:
    learner = Learner((), "sgd-classifier", {"batch_size": 8, "epochs": 10, "last_batch": "weighted"}, batch_norm=True)
    [one] = met_by(learner, BALANCED)
    assert (one.kink.code, one.n) == ("batch_norm_steps", 73)  # ten batches of eight, ten times
    assert learner.optimiser_steps(72) == 90
    assert learner.optimiser_steps(73) == 100


def test_the_side_of_the_larger_sizes_belongs_to_the_curve() -> None:
    found = met("HistGradientBoostingClassifier")
    assert one_curve(found, [10, 20, 40, 80, 160]) == (40, 160)
    assert one_curve(found, [50, 100, 200]) == (50, 200)
    assert one_curve(met("HistGradientBoostingClassifier", min_samples_leaf=1), [10, 20, 40]) == (10, 40)
    # One step beyond 10,001 makes no curve of its own: it is left out, and that is said.
    sizes = [40, 80, 160, 320, 12_000]
    assert one_curve(found, sizes) == (40, 320)
    warning = left_out_warning(found, sizes, 40, 320)
    assert warning is not None
    assert warning["sizes"] == [12_000]
    assert "10,001" in warning["detail"]
    assert "learner before it" in warning["detail"]
    # Two steps on either side: no side makes a curve, so all of it is taken.
    assert one_curve(found, [10, 20, 40, 80]) == (10, 80)


def test_the_learner_is_taken_from_the_job_or_from_what_a_trainer_found() -> None:
    spec = {
        "model": {"name": "sklearn", "params": {"estimator": "SVC", "settings": {"gamma": 0.5}}},
        "training": {"name": "fit-estimator", "params": {}},
    }
    assert learner_of(spec).components[0].params == {"gamma": 0.5}
    known = {"components": [Component("PCA", ("PCA",), {"n_components": 3}).to_dict()], "batch_norm": True}
    assert learner_of(spec, known).components[0].estimator == "PCA"
    assert learner_of(spec, known).batch_norm
    [changed] = with_params(known["components"], {"n_components": 5, "other": 1})
    assert changed["params"] == {"n_components": 5}
