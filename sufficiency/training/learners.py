"""What a trainer finds out about a model: of what estimators it is made, and whether it has batch normalisation."""

import inspect
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sufficiency.plugins.components import components_of
from sufficiency.plugins.estimators import EstimatorModel

logger = logging.getLogger(__name__)


def known_of(model: Any) -> dict[str, Any]:
    """Return what is known of a model, as JSON values; empty where nothing in it depends on the number of items."""
    try:
        components = [one.to_dict() for one in components_of(model)]
    except Exception:  # somebody's model may answer a look at it with whatever it likes
        components = []
    batch_norm = isinstance(model, nn.Module) and any(isinstance(module, _BatchNorm) for module in model.modules())
    return ({"components": components} if components else {}) | ({"batch_norm": True} if batch_norm else {})


def known_of_plugin(target: Any) -> dict[str, Any]:
    """Return what is known of a model plugin before a job builds it: as it is built without parameters.

    Only a plugin that speaks of `EstimatorModel` is built for this: an estimator that is not fitted costs nothing, and
    a network may load its weights when it is built.
    """
    try:
        if isinstance(target, EstimatorModel) or components_of(target):
            return known_of(target)
        if "EstimatorModel" not in _names(target):
            return {}
        parameters = inspect.signature(target).parameters
        told = {"num_classes": 2, "input_shape": (4,)}
        return known_of(target(**{name: value for name, value in told.items() if name in parameters}))
    except Exception:  # it takes parameters, or data that it was not given: the first cell will tell
        logger.debug("%r cannot be looked into before a job builds it", target, exc_info=True)
        return {}


def _names(target: Any) -> Iterable[str]:
    if isinstance(target, partial):
        return _names(target.func)
    if inspect.isclass(target):
        return [base.__name__ for base in target.__mro__[1:]]
    code = getattr(inspect.unwrap(target) if callable(target) else None, "__code__", None)
    return code.co_names if code is not None else ()
