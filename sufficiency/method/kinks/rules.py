"""Where the rows of the table lie for one learner on one training split: a pinned setting has no threshold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor

from sufficiency.method.kinks.learner import BUILT_IN_LOOPS, Component, Data, Learner
from sufficiency.method.kinks.table import BY_CODE, KINKS, Kink

# A last batch of less than this part of a whole one pulls noticeably harder than its items.
SMALL_REST = 0.25
# Fewer optimiser steps leave a BatchNorm's running statistics behind its weights.
ENOUGH_STEPS = 100


@dataclass(frozen=True)
class Met:
    """A row of the table that a learner meets.

    Attributes
    ----------
    kink : Kink
    subject : str
        Whose setting it is.
    says : str
        What happens, for a sentence.
    n : int or None
        The first size on the far side; None where it is met at some sizes, or at every size.
    at : callable or None
        Whether a size is one of those, for a kink of some sizes.
    breaks : bool
        What is measured on the two sides belongs to two curves.
    """

    kink: Kink
    subject: str
    says: str
    n: int | None = None
    at: Callable[[int], bool] | None = None
    breaks: bool = False


def met_by(learner: Learner, data: Data) -> list[Met]:
    """Return every row of the table that a learner meets at whatever size."""
    found: list[Met] = []
    for kink in KINKS:
        for component in learner.components:
            if kink.code in _OF_ESTIMATORS and component.is_one_of(kink.estimators):
                found += _OF_ESTIMATORS[kink.code](kink, component, data.given_to(component, learner))
        if kink.code in _OF_LOOPS:
            found += _OF_LOOPS[kink.code](kink, learner)
    return list({(one.kink.code, one.subject, one.n): one for one in found}.values())


def _threshold(kink: Kink, component: Component, n: int, says: str, *, breaks: bool | None = None) -> Iterator[Met]:
    if n > 1:
        yield Met(kink, component.estimator, says, n, breaks=kink.breaks if breaks is None else breaks)


def _mlp_batch(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.get("solver", "adam") == "lbfgs":
        return
    size = component.get("batch_size", "auto")
    batch = 200 if size == "auto" else size
    if size == "auto":
        yield from _threshold(kink, component, 201, "batch_size=min(200, n) is the whole subset up to n = 200")
    if isinstance(batch, int) and batch > 1:
        yield Met(kink, component.estimator, _leaves_a_rest(batch), at=_small_rest(batch))


def _leaf(kink: Kink, component: Component, data: Data, least: int, what: str) -> Iterator[Met]:
    """Until two leaves' worth of items are there nothing is split; until one leaf's, no class stands by itself."""
    if least < 2:
        return
    rows = 2 * least
    held = data.holding(least) if data.classes else rows
    binary = data.classes == 2
    first = max(rows, held) if binary else rows
    yield from _threshold(kink, component, first, f"{what} allows no split below about {first:,} items")
    if not binary and held > rows:
        says = f"{what} is more than the rarest class has below about {held:,} items"
        yield from _threshold(kink, component, held, says, breaks=False)


def _histogram_leaf(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    least = component.get("min_samples_leaf", 20)
    if isinstance(least, int):
        yield from _leaf(kink, component, data, least, f"min_samples_leaf={least}")


def _lightgbm_leaf(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    names = ("min_child_samples", "min_data_in_leaf", "min_data_per_leaf", "min_data", "min_samples_leaf")
    # An alias goes before the constructor's own name, as LightGBM has it.
    leaf = next((component.params[name] for name in names[1:] if component.given(name)), component.get(names[0], 20))
    held = component.get("min_data_in_bin", 3)
    if isinstance(leaf, int) and isinstance(held, int):
        what = f"min_child_samples={leaf}" if leaf >= held else f"min_data_in_bin={held}"
        yield from _leaf(kink, component, data, max(leaf, held), what)


def _xgboost_leaf(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    # A row's hessian is p(1 − p), 1/4 before the first tree; of several classes, each has 2p(1 − p) with p = 1/classes.
    weight = component.get("min_child_weight", 1)
    if isinstance(weight, int | float) and weight > 0 and data.classes:
        several = data.classes > 2
        hessian = 2 * (data.classes - 1) / data.classes**2 if several else 1 / 4
        rows = data.holding(max(1, ceil(weight / hessian - 1e-9)))
        says = f"min_child_weight={weight:g} gives the rarest class no leaf of its own below about {rows:,} items"
        yield from _threshold(kink, component, rows, says, breaks=not several)


def _histogram_categories(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.get("categorical_features", "from_dtype") != "from_dtype":
        yield Met(kink, component.estimator, "a category of fewer than 10 items is told apart from no other")


def _lightgbm_categories(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    names = ("categorical_feature", "categorical_features", "cat_feature", "cat_features", "categorical_column")
    if component.get(next((name for name in names if component.given(name)), ""), "auto") in ("auto", ""):
        return
    least = component.get("min_data_per_group", 100)
    if isinstance(least, int):
        says = f"min_data_per_group={least} allows no split by four or more categories below {2 * least:,} items"
        yield from _threshold(kink, component, 2 * least, says)


def _histogram_bins(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    bins = component.get("max_bins", 255)
    if isinstance(bins, int):
        says = f"a feature of more than {bins} distinct values is binned from here on"
        yield from _threshold(kink, component, bins + 1, says)


def _histogram_early_stopping(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.get("early_stopping", "auto") == "auto":
        yield from _threshold(kink, component, 10_001, "early stopping switches on")


def _catboost_rate(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    by_hand = ("learning_rate", "eta", "l2_leaf_reg", "reg_lambda", "leaf_estimation_method")
    if not component.given(*by_hand, "leaf_estimation_iterations"):
        yield Met(kink, component.estimator, "CatBoost sets learning_rate by the number of items")


def _catboost_subsample(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if not component.given("subsample") and component.get("bootstrap_type", "MVS") not in ("No", "Bayesian"):
        yield from _threshold(kink, component, 100, "subsample falls from 1 to 0.8")


def _early_stopping_split(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    stops = component.get("early_stopping", False) is True or component.given("n_iter_no_change")
    if component.is_one_of(("MLPClassifier", "SGDClassifier", "Perceptron", "PassiveAggressiveClassifier")):
        stops = component.get("early_stopping", False) is True  # n_iter_no_change is of the training loss there
    share = component.get("validation_fraction", 0.1)
    if not stops or data.classes < 2 or not isinstance(share, float) or not 0 < share < 1:
        return
    first = floor((data.classes - 1) / share + 1e-9) + 1
    says = f"early stopping holds back {share:.0%} for validation, fewer than the {data.classes} classes below it"
    yield from _threshold(kink, component, first, says)


def _folds(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.is_one_of(("SVC", "NuSVC")) and component.get("probability", False) is not True:
        return
    folds = component.get("cv", 5)
    if isinstance(folds, int) and folds > 1:
        says = f"{folds} folds need {folds} of each class; with fewer, folds lack a class"
        yield from _threshold(kink, component, data.holding(folds), says if data.classes else f"{folds} folds")


def _summed_loss(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    alpha = component.is_one_of(("Ridge", "RidgeClassifier", "MLPClassifier"))
    strength = component.get("alpha" if alpha else "C", 1.0)
    # Without a penalty: alpha=0, C=inf, or penalty=None written down.
    free = strength == 0 if alpha else strength == "inf" or component.params.get("penalty", "") in (None, "none")
    if not free:
        name = "alpha" if alpha else "C"
        yield Met(kink, component.estimator, f"{name} weighs against a sum over the items, so less with each of them")


def _svc_gamma(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.get("gamma", "scale") == "scale" and component.get("kernel", "rbf") != "linear":
        yield Met(kink, component.estimator, 'gamma="scale" follows the variance of the subset')


def _discriminant_rank(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.given("shrinkage") or component.get("reg_param", 0.0) or not (data.features and data.classes):
        return
    says = f"a class's covariance has full rank only with {data.features + 1} of its items"
    yield from _threshold(kink, component, data.holding(data.features + 1), says)


def _least_squares_rank(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    # A single feature has no rank to speak of; signs, or a shrunk covariance, leave it full.
    if component.given("shrinkage", "covariance_estimator") or component.get("positive", False) or data.features < 2:
        return
    rows = 2 * (data.features + 1)
    says = f"its error is largest with about as many items as features ({data.features:,}), and falls from there on"
    yield from _threshold(kink, component, rows, says)


def _pca_solver(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    kept, features = component.params.get("n_components"), data.features
    if component.get("svd_solver", "auto") != "auto" or type(kept) is not int or not features or kept >= 0.8 * features:
        return
    if 50 < features <= 500:
        yield from _threshold(kink, component, 501, 'svd_solver="auto" takes the randomised solver')
    if 50 < features <= 1000:
        yield from _threshold(kink, component, 10 * features, 'svd_solver="auto" takes the exact solver')


def _quantile_sampling(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.is_one_of(("KBinsDiscretizer",)):
        if "subsample" not in component.params or component.params["subsample"] == 200_000:
            yield from _threshold(kink, component, 200_001, "bins are set by a sample of 200,000 items")
        return
    if not component.given("n_quantiles") or component.params["n_quantiles"] == 1000:
        yield from _threshold(kink, component, 1000, "n_quantiles=1000 is as many as there are items below")
    if "subsample" not in component.params or component.params["subsample"] == 10_000:
        yield from _threshold(kink, component, 10_001, "quantiles are set by a sample of 10,000 items")


def _bootstrap(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    if component.get("bootstrap", True) is not False:
        yield Met(kink, component.estimator, "every tree draws anew where n passes a power of two")


def _smote_neighbours(kink: Kink, component: Component, data: Data) -> Iterator[Met]:
    name = "n_neighbors" if component.is_one_of(("ADASYN",)) else "k_neighbors"
    neighbours = component.get(name, 5)
    if isinstance(neighbours, int) and data.classes:
        first = data.holding(neighbours + 1)
        yield from _threshold(kink, component, first, f"{name}={neighbours} needs {neighbours + 1} of each class")


def _small_rest(batch: int) -> Callable[[int], bool]:
    return lambda n: n > batch and 0 < n % batch <= max(1, SMALL_REST * batch)


def _leaves_a_rest(batch: int) -> str:
    return f"with batches of {batch} a small last batch counts as a whole one"


def _last_batch(kink: Kink, learner: Learner) -> Iterator[Met]:
    batch = learner.training_params.get("batch_size")
    if type(batch) is not int or batch < 2:
        return
    if learner.training in BUILT_IN_LOOPS and learner.training_params.get("last_batch") != "whole":
        return
    says = _leaves_a_rest(batch)
    if learner.training not in BUILT_IN_LOOPS:
        says += ", unless the strategy weights it by its items"
    yield Met(kink, learner.training, says, at=_small_rest(batch))


def _first_with(learner: Learner, steps: float) -> int | None:
    """Return the smallest size that takes so many optimiser steps; None where the parameters do not tell."""
    batch = learner.training_params.get("batch_size")
    if learner.optimiser_steps(1) is None or type(batch) is not int:
        return None
    n = next((k * batch + 1 for k in range(100_000) if (learner.optimiser_steps(k * batch + 1) or 0) >= steps), None)
    return n if n is not None and n > 1 else None


def _batch_norm_steps(kink: Kink, learner: Learner) -> Iterator[Met]:
    if not learner.batch_norm or learner.training_params.get("batch_norm") == "reestimated":
        return
    if (n := _first_with(learner, ENOUGH_STEPS)) is not None:
        says = f"below it the BatchNorm's running statistics have had fewer than {ENOUGH_STEPS} steps to settle"
        yield Met(kink, learner.training, says, n)


def _one_cycle(kink: Kink, learner: Learner) -> Iterator[Met]:
    share = learner.training_params.get("pct_start")
    if isinstance(share, float) and 0 < share < 1 and (n := _first_with(learner, 1 / share + 1)) is not None:
        yield Met(kink, learner.training, f"pct_start={share:g} leaves no step to warm up in below it", n)


def _warm_up(kink: Kink, learner: Learner) -> Iterator[Met]:
    steps = learner.training_params.get("warmup_steps")
    if type(steps) is int and steps > 0 and (n := _first_with(learner, steps + 1)) is not None:
        yield Met(kink, learner.training, f"warmup_steps={steps} is all of the training below it", n)


def _epoch_units(kink: Kink, learner: Learner) -> Iterator[Met]:
    names = ("patience", "val_check_interval", "limit_train_batches", "accumulate_grad_batches")
    given = {name: learner.training_params.get(name) for name in names}
    if given["accumulate_grad_batches"] == 1:
        del given["accumulate_grad_batches"]
    if said := [name for name, value in given.items() if value is not None]:
        yield Met(kink, learner.training, f"{', '.join(said)} counts epochs or batches, of which n decides the length")


_OF_ESTIMATORS: dict[str, Callable[[Kink, Component, Data], Iterator[Met]]] = {
    "mlp_batch": _mlp_batch,
    "histogram_leaf": _histogram_leaf,
    "histogram_bins": _histogram_bins,
    "histogram_categories": _histogram_categories,
    "histogram_early_stopping": _histogram_early_stopping,
    "lightgbm_leaf": _lightgbm_leaf,
    "lightgbm_categories": _lightgbm_categories,
    "xgboost_leaf": _xgboost_leaf,
    "catboost_rate": _catboost_rate,
    "catboost_subsample": _catboost_subsample,
    "early_stopping_split": _early_stopping_split,
    "folds": _folds,
    "summed_loss": _summed_loss,
    "svc_gamma": _svc_gamma,
    "discriminant_rank": _discriminant_rank,
    "least_squares_rank": _least_squares_rank,
    "pca_solver": _pca_solver,
    "quantile_sampling": _quantile_sampling,
    "bootstrap": _bootstrap,
    "smote_neighbours": _smote_neighbours,
}
_OF_LOOPS: dict[str, Callable[[Kink, Learner], Iterator[Met]]] = {
    "last_batch": _last_batch,
    "batch_norm_steps": _batch_norm_steps,
    "one_cycle": _one_cycle,
    "warm_up": _warm_up,
    "epoch_units": _epoch_units,
}
assert _OF_ESTIMATORS.keys() | _OF_LOOPS.keys() == BY_CODE.keys()
