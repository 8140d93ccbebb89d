"""What an estimator is made of: itself, a pipeline's steps, what a search or an ensemble holds, with their parameters.

Nothing of scikit-learn is imported: whatever has `get_params` and `fit` is looked into, so that LightGBM, XGBoost,
CatBoost and imbalanced-learn are too.
"""

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sufficiency.method.kinks.learner import Component

MOST_COMPONENTS = 24
MOST_PARAMS = 80
DEEPEST = 4
LONGEST_TEXT = 200
MOST_LISTED = 100
_TREES = ("DecisionTree", "ExtraTree")
# Where fitting puts the copies that it fits.
_MADE = ("best_estimator_", "estimator_", "final_estimator_", "transformers_", "estimators_", "calibrated_classifiers_")
# Modules whose distribution is called otherwise.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}


def components_of(model: Any) -> list[Component]:
    """Return the estimators in a model, the outermost first; none where it is a network."""
    return [_component(estimator, params) for estimator, params in estimators_in(model)]


def estimators_in(model: Any, *, fitted: bool = False) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return the estimators in a model with their parameters, the outermost first.

    Parameters
    ----------
    fitted : bool
        Look besides into what fitting made: a search's best estimator, an ensemble's members (but no forest's trees).
    """
    found: list[tuple[Any, Mapping[str, Any]]] = []
    seen: set[int] = set()
    waiting = [model, *_attributes(model)]
    while waiting and len(found) < MOST_COMPONENTS:
        one = waiting.pop(0)
        if id(one) in seen or not _is_estimator(one) or (fitted and type(one).__name__.startswith(_TREES)):
            continue
        seen.add(id(one))
        params = _params_of(one)
        found.append((one, params))
        made = [vars(one)[name] for name in _MADE if name in getattr(one, "__dict__", {})] if fitted else []
        waiting += [part for value in [*made, *params.values()] for part in parts_of(value)]
    return found


def _attributes(model: Any) -> list[Any]:
    """Return what a model that is no estimator itself wraps, such as an `EstimatorModel`."""
    if _is_estimator(model):
        return []
    return [value for value in vars(model).values() if _is_estimator(value)] if hasattr(model, "__dict__") else []


def _is_estimator(one: Any) -> bool:
    if isinstance(one, type):
        return False
    return callable(getattr(one, "get_params", None)) and callable(getattr(one, "fit", None))


def _params_of(estimator: Any) -> dict[str, Any]:
    try:
        params = estimator.get_params(deep=False)
    except Exception:  # somebody's estimator may lack what its constructor takes
        return {}
    return dict(params) if isinstance(params, Mapping) else {}


def parts_of(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the estimators in a parameter: one, or a list of (name, one) or (name, one, columns), or a grid's lists."""
    if depth > DEEPEST:  # a list may hold itself
        return
    if isinstance(value, list | tuple):
        for entry in value[:MOST_COMPONENTS]:
            yield from parts_of(entry, depth + 1)
    elif isinstance(value, Mapping):
        for entry in list(value.values())[:MOST_COMPONENTS]:
            yield from parts_of(entry, depth + 1)
    elif _is_estimator(value):
        yield value


def _component(estimator: Any, params: Mapping[str, Any]) -> Component:
    kind = type(estimator)
    bases = [base for base in kind.__mro__ if base is not object]
    # The library's class, where somebody derived from it.
    home = next((base.__module__.split(".")[0] for base in bases if _version(base.__module__.split(".")[0])), "")
    return Component(
        kind.__name__,
        tuple(base.__name__ for base in bases[:10]),
        plain_params(params),
        _DISTRIBUTIONS.get(home, home),
        _version(home),
    )


def _version(package: str) -> str:
    try:
        return version(_DISTRIBUTIONS.get(package, package))
    except PackageNotFoundError:
        return ""


_NOTHING = object()


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters that are short JSON values."""
    said = {str(name): _plain_or_list(value) for name, value in list(params.items())[:MOST_PARAMS]}
    return {name: value for name, value in said.items() if value is not _NOTHING}


def plain(value: Any) -> Any:
    """Return what an estimator settled as a short JSON value, or None."""
    found = _plain(value)
    return None if found is _NOTHING else found


def _plain_or_list(value: Any) -> Any:
    """Return a short JSON value or a list of such, as indices of columns are; what is longer is left out."""
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1 and len(value) <= MOST_LISTED:
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return _plain(value)
    found = [_plain(one) for one in value[: MOST_LISTED + 1]]
    return found if len(found) <= MOST_LISTED and _NOTHING not in found else _NOTHING


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if callable(getattr(value, "get_n_splits", None)) and isinstance(getattr(value, "n_splits", None), int):
        return value.n_splits  # a splitter is as good as its number of folds
    return _NOTHING
