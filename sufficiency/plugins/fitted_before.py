"""Parts of an estimator that were fitted before the study, and stay as they are in every cell, or cannot."""

import warnings
from collections.abc import Mapping
from typing import Any

from sufficiency.plugins.components import estimators_in, parts_of

_FROZEN = "FrozenEstimator"


class FittedBefore(UserWarning):
    """The category of the warning that a part was."""


def look_for_fitted(estimator: Any) -> None:
    """Warn where an estimator, or a part of it, is frozen: it learns nothing of the subset.

    Raises
    ------
    TypeError
        Where a part is to have been fitted before, and is not frozen: in a fresh copy it is not fitted.
    """
    there = estimators_in(estimator)
    for one, params in there:
        name = type(one).__name__
        if (how := _prefit(params)) is None or name == _FROZEN:
            continue
        if all(type(part).__name__ == _FROZEN for value in params.values() for part in parts_of(value)):
            continue
        raise TypeError(
            f"{name}({how}) is for parts that were fitted before, and each cell fits a fresh copy, whose parts are "
            "not. To keep one as it is wrap it in FrozenEstimator (of sklearn.frozen), which must not have seen the "
            f"test items; to have it learn from each subset leave {how} out"
        )
    frozen = [type(params.get("estimator")).__name__ for one, params in there if type(one).__name__ == _FROZEN]
    if type(estimator).__name__ == _FROZEN:
        said = f"the model is a frozen {frozen[0]}: it learns nothing, so that every n measures the same"
    elif frozen:
        said = f"{', '.join(dict.fromkeys(frozen))} in it is frozen: what it has learned is the same at every n"
    else:
        return
    warnings.warn(f"{said}; the curve says too much if it has seen test items", FittedBefore, stacklevel=2)


def _prefit(params: Mapping[str, Any]) -> str | None:
    """Return the parameter by which an estimator takes parts as they are."""
    if params.get("prefit") is True:
        return "prefit=True"
    return "cv='prefit'" if isinstance(params.get("cv"), str) and params["cv"] == "prefit" else None
