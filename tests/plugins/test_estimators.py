"""Estimators answer for themselves: scikit-learn's are held to their own `score`, and odd ones to their `predict`."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import f1_score, log_loss, r2_score, recall_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators, get_tags

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.components import estimators_in
from sufficiency.plugins.estimators import EstimatorModel, FitEstimator, sklearn_model
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.regression import Regression
from sufficiency.study.errors import StudyFailed
from sufficiency.study.result import StudyResult
from sufficiency.study.running import run

# They want other estimators, or targets of several columns, and so cannot be made, or given a dataset's targets.
NEED_ESTIMATORS = {
    "ClassifierChain", "FixedThresholdClassifier", "GridSearchCV", "MultiOutputClassifier", "MultiOutputRegressor",
    "OneVsOneClassifier", "OneVsRestClassifier", "OutputCodeClassifier", "RandomizedSearchCV", "RegressorChain",
    "SelfTrainingClassifier",
    "StackingClassifier", "StackingRegressor", "TunedThresholdClassifierCV", "VotingClassifier", "VotingRegressor",
}  # fmt: skip
SEVERAL_COLUMNS = {
    "CCA",
    "PLSCanonical",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
}

# Their score is the deviance explained.
SCORE_IS_NO_R2 = {"GammaRegressor", "PoissonRegressor"}


def constructible(kind: str) -> dict[str, Any]:
    """Return scikit-learn's estimators of a kind that can be made without arguments, each made."""
    made = {}
    for name, estimator in all_estimators(type_filter=kind):
        if name in NEED_ESTIMATORS | SEVERAL_COLUMNS:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of those that are to be removed
            made[name] = estimator()
    return made


CLASSIFIERS, REGRESSORS = constructible("classifier"), constructible("regressor")


def table(estimator: Any, classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return items that an estimator's tags accept, and their classes."""
    tags = get_tags(estimator)
    if tags.classifier_tags is not None and not tags.classifier_tags.multi_class:
        classes = 2
    x, y = make_classification(
        400, 6, n_informative=4, n_redundant=0, n_classes=classes, flip_y=0.1, class_sep=0.7, random_state=1
    )
    whole = tags.input_tags.categorical or tags.input_tags.positive_only
    # Near enough to each other for neighbours within a radius.
    x = np.clip(np.round(x + 4), 0, 8) if whole else 0.2 * x
    if tags.input_tags.categorical:
        x[:9] = np.arange(9)[:, None]  # every category is met in training
    return x.astype(np.float32), y


def halves(x: NDArray[Any], y: NDArray[Any], classes: int | None) -> tuple[ArrayDataset, ArrayDataset]:
    names = None if classes is None else [str(k) for k in range(classes)]
    return ArrayDataset(x[:200], y[:200], names), ArrayDataset(x[200:], y[200:], names)


def trained(model: EstimatorModel, train: ArrayDataset) -> EstimatorModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, on so few items
        np.random.seed(0)  # noqa: NPY002
        FitEstimator().train(model, train, np.random.default_rng(0).permutation(len(train)).tolist())  # as cells draw
    return model


def fitted(estimator: Any, x: NDArray[Any], y: NDArray[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(0)  # noqa: NPY002
        return estimator.fit(x, y)


def test_what_cannot_be_tried_is_what_is_known_of() -> None:
    told = {name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)}
    assert told - set(CLASSIFIERS) - set(REGRESSORS) <= NEED_ESTIMATORS | SEVERAL_COLUMNS
    assert len(CLASSIFIERS) > 30
    assert len(REGRESSORS) > 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_has_its_own_score(name: str) -> None:
    x, y = table(CLASSIFIERS[name], 5)
    classes = int(y.max()) + 1
    train, test = halves(x, y, classes)
    own = fitted(CLASSIFIERS[name], train.x, train.y)
    model = trained(sklearn_model(classes, name), train)
    measured = Classification(["accuracy", "auroc", "f1", "recall_per_class"]).evaluate(model, test)
    decided = own.predict(test.x)
    assert measured["Accuracy"] == pytest.approx(own.score(test.x, test.y), abs=1e-9)
    assert measured["F1"] == pytest.approx(f1_score(test.y, decided, average="macro"), abs=1e-6)
    assert measured["Recall"] == pytest.approx(recall_score(test.y, decided, average=None))
    if hasattr(own, "predict_proba"):
        scores = own.predict_proba(test.x)
        by_class = [roc_auc_score(test.y == k, scores[:, k]) for k in range(classes)]
        assert measured["AUROC"] == pytest.approx(np.mean(by_class), abs=1e-5)
        loss = Classification(["log_loss"]).evaluate(model, test)["LogLoss"]
        assert loss == pytest.approx(log_loss(test.y, scores), rel=1e-4)
    elif hasattr(own, "decision_function"):
        margins = own.decision_function(test.x)
        margins = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
        by_class = [roc_auc_score(test.y == k, margins[:, k]) for k in range(classes)]
        assert measured["AUROC"] == pytest.approx(np.mean(by_class), abs=1e-5)
    else:
        assert np.isnan(measured["AUROC"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REGRESSORS)
def test_every_regressor_has_its_own_score(name: str) -> None:
    x, kind = table(REGRESSORS[name], 5)
    if get_tags(REGRESSORS[name]).input_tags.one_d_array:  # isotonic regression
        x = x[:, :1]
    y = np.exp(0.3 * x[:, 0] + 0.1 * kind) + 1  # positive, as some losses need it
    train, test = halves(x, y, None)
    own = fitted(REGRESSORS[name], train.x, train.y)
    model = trained(sklearn_model(1, name), train)
    measured = Regression().evaluate(model, test)
    answers = np.asarray(own.predict(test.x), dtype=np.float64).reshape(-1)
    assert measured["MAE"] == pytest.approx(np.abs(answers - test.y).mean(), rel=1e-4, abs=1e-6, nan_ok=True)
    if np.isfinite(answers).all():
        score = r2_score(test.y, answers) if name in SCORE_IS_NO_R2 else own.score(test.x, test.y)
        assert measured["R2"] == pytest.approx(score, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("wrapped", ["bare", "pipeline", "search"])
def test_votes_of_pairs_are_those_of_one_against_the_rest(classes: int, wrapped: str) -> None:
    x, y = table(SVC(), classes)
    train, test = halves(x, y, classes)

    def made(shape: str) -> Any:
        estimator = SVC(decision_function_shape=shape)
        if wrapped == "pipeline":
            return make_pipeline(StandardScaler(), estimator)
        return GridSearchCV(estimator, {"C": [1.0]}, cv=2) if wrapped == "search" else estimator

    pairs, rest = (trained(EstimatorModel(made(shape), classes), train) for shape in ("ovo", "ovr"))
    evaluation = Classification(["accuracy", "auroc", "tpr_at_fpr"])
    assert evaluation.evaluate(pairs, test) == evaluation.evaluate(rest, test)
    assert torch.allclose(pairs(torch.from_numpy(test.x)), rest(torch.from_numpy(test.x)), atol=1e-5)


def test_a_moved_threshold_moves_the_labels_and_not_the_scores() -> None:
    x, y = make_classification(800, 8, n_informative=4, weights=[0.9], class_sep=0.6, random_state=3)
    train, test = halves(x.astype(np.float32), y, 2)
    at = FixedThresholdClassifier(LogisticRegression(), threshold=0.1, response_method="predict_proba")
    own = fitted(LogisticRegression(), train.x, train.y)
    evaluation = Classification(["accuracy", "auroc", "recall_per_class"])
    moved = evaluation.evaluate(trained(EstimatorModel(at, 2), train), test)
    usual = evaluation.evaluate(trained(EstimatorModel(LogisticRegression(), 2), train), test)
    decided = own.predict_proba(test.x)[:, 1] >= 0.1
    assert moved["Recall"] == pytest.approx(recall_score(test.y, decided, average=None))
    assert moved["Recall"][1] > usual["Recall"][1] + 0.3
    assert moved["AUROC"] == usual["AUROC"]


def test_large_margins_keep_their_order() -> None:
    x, y = table(SGDClassifier(), 2)
    train, test = halves(x * 5000, y, 2)
    own = fitted(SGDClassifier(random_state=0), train.x, train.y)
    margins = own.decision_function(test.x)
    assert np.median(np.abs(margins)) > 100  # a logistic in float32 calls them all 0 or 1
    model = trained(EstimatorModel(SGDClassifier(random_state=0), 2), train)
    measured = Classification(["auroc"], batch_size=7).evaluate(model, test)
    assert measured["AUROC"] == pytest.approx(roc_auc_score(test.y, margins), abs=1e-6)


class WithoutGaps(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Wants its labels as XGBoost's classifier does, and tells nothing but `predict`."""

    def fit(self, x: Any, y: Any) -> "WithoutGaps":
        found = np.unique(y)
        if not np.array_equal(found, np.arange(len(found))):
            raise ValueError(f"Invalid classes inferred from unique values of `y`. Expected: ..., got {found}")
        self.centres = np.stack([x[y == k].mean(axis=0) for k in found])
        return self

    def predict(self, x: Any) -> Any:
        return np.linalg.norm(x[:, None] - self.centres, axis=2).argmin(axis=1)


class WithProbabilities(WithoutGaps):
    """Knows its classes, as it was given them."""

    def fit(self, x: Any, y: Any) -> "WithProbabilities":
        super().fit(x, y)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Any) -> Any:
        near = np.exp(-np.linalg.norm(x[:, None] - self.centres, axis=2))
        return near / near.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", [WithoutGaps, WithProbabilities])
def test_labels_with_a_gap_are_numbered_anew_where_the_estimator_wants_it(kind: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 4
    x = (rng.normal(size=(120, 2)) * 0.1 + np.array([[0, 0], [0, 5], [5, 0], [5, 5]])[y]).astype(np.float32)
    data = ArrayDataset(x, y, list("abcd"))
    model = EstimatorModel(kind(), 4)
    FitEstimator().train(model, data, np.flatnonzero(np.isin(y, [1, 3])).tolist())
    measured = Classification(["accuracy", "recall_per_class"]).evaluate(model, data)
    assert measured["Recall"].tolist() == [0, 1, 0, 1]
    assert set(model(torch.from_numpy(x)).argmax(1).tolist()) == {1, 3}
    FitEstimator().train(model, data, range(120))  # and none of it is left when there is no gap
    assert Classification(["accuracy"]).evaluate(model, data)["Accuracy"] == 1


def test_labels_that_parameters_name_are_kept() -> None:
    x, y = table(LogisticRegression(), 3)
    data = ArrayDataset(x, y, list("abc"))
    model = EstimatorModel(LogisticRegression(class_weight={0: 1.0, 2: 1000.0}), 3)
    FitEstimator().train(model, data, np.flatnonzero(y != 1).tolist())
    assert model.predict(torch.from_numpy(x)).eq(2).double().mean() > 0.95


def test_another_fault_is_told_as_it_was_raised() -> None:
    x, y = table(LogisticRegression(), 3)
    model = EstimatorModel(LogisticRegression(C=-1), 3)
    with pytest.raises(ValueError, match="'C' parameter"):
        FitEstimator().train(model, ArrayDataset(x, y, list("abc")), np.flatnonzero(y != 1).tolist())


def test_numbers_and_classes_are_not_taken_for_each_other() -> None:
    x, y = table(Ridge(), 3)
    classes, numbers = ArrayDataset(x, y, list("abc")), ArrayDataset(x, y * 1.5, None)
    with pytest.raises(TypeError, match=r"LogisticRegression is a classifier.*use a regressor"):
        FitEstimator().train(EstimatorModel(LogisticRegression(), 1), numbers, range(100))
    model = EstimatorModel(Ridge(), 3)
    FitEstimator().train(model, classes, range(100))
    with pytest.raises(TypeError, match=r"Ridge answers numbers.*regression"):
        Classification().evaluate(model, classes)


def test_what_an_estimator_does_not_say_is_not_made_up() -> None:
    x, y = table(LogisticRegression(), 3)
    data = ArrayDataset(x, y, list("abc"))
    model = trained(EstimatorModel(LinearSVC(random_state=0), 3), data)
    with pytest.raises(TypeError, match=r"log_loss needs probabilities.*LinearSVC has none.*CalibratedClassifierCV"):
        Classification(["log_loss"]).evaluate(model, data)
    silent = trained(EstimatorModel(WithoutGaps(), 3), data)
    assert np.isnan(Classification(["auroc"]).evaluate(silent, data)["AUROC"])
    silent.estimator.predict_proba = lambda x: np.full((len(x), 3), np.nan)
    assert np.isnan(Classification(["auroc"]).evaluate(silent, data)["AUROC"])
    with pytest.raises(TypeError, match="tpr_at_fpr needs scores"):
        Classification(["tpr_at_fpr"]).evaluate(silent, data)


@pytest.mark.filterwarnings("ignore")
def test_an_estimator_of_another_library_answers_for_itself() -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    x, y = table(LogisticRegression(), 4)
    train, test = halves(x, y, 4)
    own = fitted(lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1), train.x, train.y)
    model = trained(EstimatorModel(lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1), 4), train)
    measured = Classification(["accuracy", "log_loss"]).evaluate(model, test)
    assert measured["Accuracy"] == pytest.approx(own.score(test.x, test.y))
    assert measured["LogLoss"] == pytest.approx(log_loss(test.y, own.predict_proba(test.x)), rel=1e-6)
    FitEstimator().train(model, train, np.flatnonzero(np.isin(train.y, [1, 3])).tolist())
    assert set(model.predict(torch.from_numpy(test.x)).tolist()) == {1, 3}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(make_pipeline(StandardScaler(), SVC()), id="pipeline"),
        pytest.param(lambda: LogisticRegression(C=0.5), id="function"),
        pytest.param(LogisticRegression(), id="instance"),
    ],
)
@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_a_bare_estimator_is_a_model(model: Any, protocol: str) -> None:
    x, y = make_classification(200, 6, n_informative=4, n_classes=3, random_state=0)
    x = x.astype(np.float32)
    study = run(
        model=model,
        training="fit-estimator",
        evaluation={"name": "classification", "params": {"metrics": ["accuracy"]}},
        train=(x[:120], y[:120]),
        test=(x[120:], y[120:]),
        runs=1,
        schedule=[40, 80, 120],
        protocol=protocol,
    )
    own = model if hasattr(model, "fit") else model()
    measured = study.measurements()[-1]["mean"]
    if protocol == "independent":
        assert measured == pytest.approx(own.fit(x[:120], y[:120]).score(x[120:], y[120:]), abs=1e-9)
    assert measured > 0.4


def test_a_bare_estimator_of_numbers_is_a_model_too() -> None:
    x = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    y = x @ np.array([1.0, 2.0, 3.0], dtype=np.float32)
    dataset = ArrayDataset(x, y, None)
    model = FitEstimator().adopt(Ridge(), dataset)
    FitEstimator().train(model, dataset, range(60))
    assert Regression(["r2"]).evaluate(model, dataset)["R2"] > 0.99
    assert FitEstimator().adopt(model, dataset) is model


def _digits_of(model: Any) -> StudyResult:
    x, y = load_digits(return_X_y=True)
    return run(
        model=model,
        training="fit-estimator",
        evaluation={"name": "classification", "params": {"metrics": ["accuracy"]}},
        train=(x[:400], y[:400]),
        test=(x[400:800], y[400:800]),
        runs=1,
        schedule=[100, 200, 400],
    )


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda stacked: stacked, id="alone"),
        pytest.param(lambda stacked: make_pipeline(StandardScaler(), stacked), id="in-a-pipeline"),
        pytest.param(lambda stacked: GridSearchCV(stacked, {"passthrough": [False]}, cv=2), id="searched"),
    ],
)
def test_what_can_be_asked_once_it_is_fitted_is_an_estimator(wrap: Any) -> None:
    stacked = wrap(StackingClassifier([("bayes", GaussianNB())], cv=2))
    assert not hasattr(stacked, "predict")
    measured = _digits_of(stacked).measurements()[-1]["mean"]
    x, y = load_digits(return_X_y=True)
    assert measured == pytest.approx(stacked.fit(x[:400], y[:400]).score(x[400:800], y[400:800]), abs=1e-9)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(make_pipeline(StandardScaler(), MinMaxScaler()), "Pipeline has no predict", id="ends-in-a-scaler"),
        pytest.param(GridSearchCV(GaussianNB(), {}, refit=False), r"refit=True", id="search-without-a-best"),
        pytest.param(
            StackingClassifier([("bayes", GaussianNB())], cv="prefit"),
            r"cv='prefit'\) is for parts",
            id="stack-of-fitted",
        ),
        pytest.param(
            make_pipeline(SelectFromModel(LogisticRegression(), prefit=True), GaussianNB()),
            "FrozenEstimator",
            id="select",
        ),
    ],
)
def test_what_cannot_be_asked_or_copied_is_told_what_to_be(model: Any, said: str) -> None:
    with pytest.raises(StudyFailed, match=said):
        _digits_of(model)


@pytest.mark.filterwarnings("ignore:.* frozen")
def test_parts_that_stay_as_they_were_are_named() -> None:
    x, y = load_digits(return_X_y=True)
    fitted = GaussianNB().fit(x[:400], y[:400])
    study = _digits_of(FrozenEstimator(fitted))
    assert len({one["mean"] for one in study.measurements()}) == 1
    [told] = [one["detail"] for one in study["warnings"] if "FittedBefore" in one["detail"]]
    assert "frozen GaussianNB: it learns nothing" in told
    stack = StackingClassifier([("bayes", FrozenEstimator(fitted))], cv="prefit")
    [told] = [one["detail"] for one in _digits_of(stack)["warnings"] if "FittedBefore" in one["detail"]]
    assert "GaussianNB in it is frozen" in told
    assert not any("FittedBefore" in one["detail"] for one in _digits_of(fitted)["warnings"])


def test_a_class_is_no_estimator() -> None:
    with pytest.raises(TypeError, match=r"LogisticRegression is a class: give an estimator of it, LogisticRegression"):
        EstimatorModel(LogisticRegression, 3)


@pytest.mark.parametrize("kind", ["list", "mapping"])
def test_a_parameter_that_holds_itself_is_looked_into_once(kind: str) -> None:
    held: Any = [] if kind == "list" else {}
    inner = LogisticRegression()
    if kind == "list":
        held += [held, ("inner", inner)]
    else:
        held |= {"self": held, "inner": inner}
    outer = LogisticRegression(class_weight=held)
    assert [id(one) for one, _ in estimators_in(outer)] == [id(outer), id(inner)]
