"""What in a learner changes with the size of its training set besides the data: the table, one row a setting.

A learning curve gets a kink there that is the library's and not the data's. Every row was measured on the version that
it names (November 2026, synthetic data, 5 to 10 seeds); where a row applies to a job is in `rules`.
"""

from dataclasses import dataclass
from typing import Literal

# threshold: at one size. sizes: at some sizes here and there. drift: from every size to the next.
Form = Literal["threshold", "sizes", "drift"]


@dataclass(frozen=True)
class Kink:
    """A setting whose value, or whose effect, depends on the number of training items.

    Attributes
    ----------
    code : str
        How warnings name it.
    library, version : str
        What it is of, and the version that it was measured on.
    estimators : tuple of str
        Class names that have it; empty where it belongs to a training loop.
    parameter : str
        The setting, with its default.
    form : {"threshold", "sizes", "drift"}
        Whether it is met at one size, at some sizes, or at every size.
    threshold : str
        Where it is met, for the table.
    effect : str
        What it does to a learning curve.
    remedy : str
        How to pin it.
    breaks : bool
        What is measured on the two sides belongs to two curves: only one of them is fitted.
    """

    code: str
    library: str
    version: str
    estimators: tuple[str, ...]
    parameter: str
    form: Form
    threshold: str
    effect: str
    remedy: str
    breaks: bool = False


_HISTOGRAM = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_LIGHTGBM = ("LGBMClassifier", "LGBMRegressor", "LGBMModel", "LGBMRanker")
_CATBOOST = ("CatBoostClassifier", "CatBoostRegressor")

KINKS: tuple[Kink, ...] = (
    Kink(
        "last_batch",
        "torch",
        "2.13.0",
        (),
        "DataLoader, and any loop that averages each batch: the last partial batch counts as a full one",
        "sizes",
        "n mod batch small, worst 1",
        "batch 32: log loss .562 / .467 / .563 at n = 128 / 129 / 192; BatchNorm1d raises on a batch of one",
        "weight each batch by its items (last_batch=weighted in the built-in trainings), drop_last where n ≥ batch, or "
        "a schedule of multiples of the batch (multiple_of)",
    ),
    Kink(
        "mlp_batch",
        "scikit-learn",
        "1.9.1",
        ("MLPClassifier", "MLPRegressor"),
        "batch_size=min(200, n)",
        "sizes",
        "201, and then 200k + 1",
        "log loss .305 / .286 / .294 at 400 / 401 / 600",
        "a batch_size that divides every n",
    ),
    Kink(
        "histogram_leaf",
        "scikit-learn",
        "1.9.1",
        _HISTOGRAM,
        "min_samples_leaf=20",
        "threshold",
        "40 rows balanced; about 20 of the rare class",
        "constant, then perfect",
        "lower min_samples_leaf",
        breaks=True,
    ),
    Kink(
        "histogram_bins",
        "scikit-learn",
        "1.9.1",
        _HISTOGRAM,
        "max_bins=255",
        "threshold",
        "256 distinct values of a feature",
        "on separated classes log loss .00002 with 254 rows, .09 with 256, .003 with 4,000",
        "there is none above 255: mind it, or bin the features alike before",
    ),
    Kink(
        "histogram_early_stopping",
        "scikit-learn",
        "1.9.1",
        _HISTOGRAM,
        'early_stopping="auto"',
        "threshold",
        "10,001",
        "small jump: a tenth of the items is held back, and fewer trees are grown",
        "early_stopping=False",
        breaks=True,
    ),
    Kink(
        "histogram_categories",
        "scikit-learn",
        "1.9.1",
        _HISTOGRAM,
        "categorical_features: a category is told apart from its tenth item on, a constant that no parameter sets",
        "drift",
        "10 items of a category",
        "accuracy .5 with nine rows of each category, 1.0 with ten, with min_samples_leaf=1 too",
        "pass them as numbers or 0/1 features, or begin where each category has ten items",
    ),
    Kink(
        "lightgbm_leaf",
        "LightGBM",
        "4.7.0",
        _LIGHTGBM,
        "min_child_samples=20, min_data_in_bin=3",
        "threshold",
        "40–42",
        "accuracy .5, then about .98",
        "lower both, min_child_samples and min_data_in_bin",
        breaks=True,
    ),
    Kink(
        "lightgbm_categories",
        "LightGBM",
        "4.7.0",
        _LIGHTGBM,
        "categorical_feature: min_data_per_group=100 on each side of a split, from four categories on",
        "threshold",
        "200",
        "accuracy .5 at 198 rows, 1.0 at 200, with min_child_samples=1 too",
        "lower min_data_per_group, and cat_smooth with it",
    ),
    Kink(
        "xgboost_leaf",
        "XGBoost",
        "3.2",
        ("XGBClassifier", "XGBRFClassifier"),
        "min_child_weight=1 (of the hessian)",
        "threshold",
        "8 balanced (9 fails, 10 works); 40 at one in ten; 3 to 6 of a class where there are more",
        "recall 0 → 1",
        "min_child_weight=0",
        breaks=True,
    ),
    Kink(
        "catboost_rate",
        "CatBoost",
        "1.2.10",
        _CATBOOST,
        "automatic learning_rate",
        "drift",
        "every n (.0039 .0103 .0275 at 100, 1,000, 10,000); off as soon as l2_leaf_reg is written down",
        "curves cross: .485 / .529 at 50, .281 / .279 at 3,200",
        "set learning_rate",
    ),
    Kink(
        "catboost_subsample",
        "CatBoost",
        "1.2.10",
        _CATBOOST,
        "subsample",
        "threshold",
        "100",
        "1 → .8",
        "set subsample",
    ),
    Kink(
        "early_stopping_split",
        "scikit-learn",
        "1.9.1",
        (
            *("MLPClassifier", "SGDClassifier", "Perceptron", "PassiveAggressiveClassifier"),
            *("HistGradientBoostingClassifier", "GradientBoostingClassifier"),
        ),
        "early stopping: 10 % stratified validation",
        "threshold",
        "⌈.1 n⌉ < classes",
        "ValueError (two classes: n ≤ 10)",
        "no early stopping, or start the schedule higher",
    ),
    Kink(
        "folds",
        "scikit-learn",
        "1.9.1",
        (
            *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
            *("CalibratedClassifierCV", "LogisticRegressionCV", "StackingClassifier", "TunedThresholdClassifierCV"),
            *("LassoCV", "ElasticNetCV", "LarsCV", "LassoLarsCV", "OrthogonalMatchingPursuitCV", "StackingRegressor"),
            *("SVC", "NuSVC", "RFECV"),
        ),
        "cross-validation, calibration, grid search: 5 folds",
        "threshold",
        "5 members of a class",
        "constants are averaged in; the first candidate wins",
        "start at 5 or more of each class",
        breaks=True,
    ),
    Kink(
        "summed_loss",
        "scikit-learn",
        "1.9.1",
        ("LogisticRegression", "SVC", "SVR", "LinearSVC", "LinearSVR", "Ridge", "RidgeClassifier", "MLPClassifier"),
        "penalty against a summed loss: C, alpha",
        "drift",
        "every n",
        "doubling the rows moves coefficients 17 % (LogisticRegression), 12 % (SVC), 1 % (Ridge); Lasso, ElasticNet 0",
        "scale C with 1/n, alpha with n",
    ),
    Kink(
        "svc_gamma",
        "scikit-learn",
        "1.9.1",
        ("SVC", "SVR", "NuSVC", "NuSVR", "OneClassSVM"),
        'gamma="scale"',
        "drift",
        "every n",
        "× .9–1.1 standardised, up to × 20 with heavy tails",
        "a fixed gamma",
    ),
    Kink(
        "discriminant_rank",
        "scikit-learn",
        "1.9.1",
        ("QuadraticDiscriminantAnalysis",),
        "full rank",
        "threshold",
        "features + 1 members of a class",
        "LinAlgError, then accuracy .54",
        'solver="eigen", shrinkage="auto"',
    ),
    Kink(
        "least_squares_rank",
        "scikit-learn",
        "1.9.1",
        ("LinearRegression", "LinearDiscriminantAnalysis"),
        "full rank: as many items as features",
        "threshold",
        "2 × (features + 1): worst at half of it",
        "digits: accuracy .62 / .35 / .73 at 40 / 65 / 90; 40 features: squared error 39 / 831 / 20 at 20 / 41 / 80",
        'shrinkage="auto" with solver="lsqr", or Ridge',
        breaks=True,
    ),
    Kink(
        "pca_solver",
        "scikit-learn",
        "1.9.1",
        ("PCA",),
        'svd_solver="auto"',
        "threshold",
        "n = 10 × features (501–1000 features)",
        "randomised → exact, variance up to 5 % off",
        'svd_solver="full"',
    ),
    Kink(
        "quantile_sampling",
        "scikit-learn",
        "1.9.1",
        ("QuantileTransformer", "KBinsDiscretizer"),
        "n_quantiles, subsample",
        "threshold",
        "1,000; 10,000 (KBinsDiscretizer: 200,000)",
        "sampling sets in",
        "set n_quantiles and subsample",
    ),
    Kink(
        "bootstrap",
        "scikit-learn",
        "1.9.1",
        ("RandomForestClassifier", "RandomForestRegressor"),
        "bootstrap of n",
        "drift",
        "every power of two",
        "all trees change at 128 → 129, 256, 512 … (51–74 of 100 alike otherwise)",
        "more runs",
    ),
    Kink(
        "smote_neighbours",
        "imbalanced-learn",
        "0.14.2",
        ("SMOTE", "BorderlineSMOTE", "SVMSMOTE", "SMOTENC", "SMOTEN", "ADASYN"),
        "k_neighbors=5",
        "threshold",
        "6 members of a class",
        "error, then balanced",
        "k_neighbors below the size of the smallest class",
    ),
    Kink(
        "batch_norm_steps",
        "torch",
        "2.13.0",
        (),
        "BatchNorm: running statistics, momentum .1",
        "threshold",
        "steps, not n: 10–30",
        "train/eval gap 4, 19, 14, 0 points at 3, 10, 30, 100 steps (SGD .05); momentum=None is worse (44 at 30)",
        "fixed steps ≥ 100 (min_steps in the built-in trainings), or re-estimate the statistics before evaluation "
        "(batch_norm=reestimated)",
    ),
    Kink(
        "one_cycle",
        "torch",
        "2.13.0",
        (),
        "OneCycleLR: few steps",
        "threshold",
        "1–5 steps; steps × pct_start = 1",
        "no warm-up, no peak; ZeroDivisionError",
        "fix steps, not epochs",
    ),
    Kink(
        "warm_up",
        "transformers",
        "5.24",
        (),
        "warmup_steps=k",
        "threshold",
        "steps ≤ k",
        "the peak is never reached",
        "warm up for a share of the steps",
    ),
    Kink(
        "epoch_units",
        "Lightning",
        "2.6.6",
        (),
        "patience in epochs, val_check_interval, limit_train_batches, accumulate_grad_batches",
        "drift",
        "batches an epoch",
        "20 against 200 steps; errors; an epoch of one batch takes a quarter of a step where four are gathered",
        "say them in steps",
    ),
)

BY_CODE = {kink.code: kink for kink in KINKS}


def markdown() -> str:
    """Return the table as docs/size-dependent-defaults.md has it."""
    rows = [
        f"| `{k.code}` | {k.library} {k.version} | {_named(k)} | {k.threshold} | {k.effect} | {k.remedy} |"
        for k in KINKS
    ]
    head = "| code | library | setting | met at n | effect on the curve | how to pin it |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _named(kink: Kink) -> str:
    of = ", ".join(kink.estimators[:4]) + (", …" if len(kink.estimators) > 4 else "")
    return f"{of}: {kink.parameter}" if of else kink.parameter
