"""A plugin's parameters: from the signature of its constructor to what they are checked against."""

import inspect
import math
import typing
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Optional

from docstring_parser import numpydoc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

INJECTED = ("input_shape", "num_classes")
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


def no_params_model() -> type[BaseModel]:
    """Return the model of no parameters at all."""
    return create_model("Params", __config__=_STRICT)


def params_model(target: Callable[..., Any]) -> type[BaseModel]:
    """Derive a model of the parameters from the constructor's signature; what JSON cannot say becomes Any."""
    hints = _hints(target)
    described = _param_docs(target)
    taken = {
        name: (hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(target).parameters.items()
        if name not in INJECTED and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if not _try(*taken.values()):  # which of them it is takes a look at each
        taken = {name: (_usable(annotation, default), default) for name, (annotation, default) in taken.items()}
    fields: dict[str, Any] = {}
    for position, (name, (annotation, default)) in enumerate(taken.items()):
        # Under an alias, since a parameter may be called what pydantic keeps for itself: copy, schema, _private.
        about: dict[str, Any] = {"alias": name, "description": described.get(name)}
        if default is inspect.Parameter.empty:
            about["default"] = ...
        elif _is_json(default):
            about["default"] = default
        else:
            about["default_factory"] = _left_to_the_constructor
        fields[f"p{position}"] = (annotation, Field(**about))
    return create_model("Params", __config__=_STRICT, **fields)


def given(params: BaseModel) -> dict[str, Any]:
    """Return the parameters that were given, by their names.

    Only those: not every default can be said in JSON, and the constructor knows its own.
    """
    fields = type(params).model_fields
    return {str(fields[key].alias): getattr(params, key) for key in params.model_fields_set}


def _left_to_the_constructor() -> None:
    """Stand in for a default that JSON cannot say: it makes the parameter optional, and is never passed on."""


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    """Resolve the annotations that can be: each by itself, as one may name what only a type checker imports."""
    function = target.func if isinstance(target, partial) else target
    constructor: Any = inspect.unwrap(function.__init__ if inspect.isclass(function) else function)
    known = dict(getattr(constructor, "__globals__", {}))
    hints: dict[str, Any] = {}
    for name, annotation in getattr(constructor, "__annotations__", {}).items():
        one: Any = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(one, globalns=known, include_extras=True)
        except Exception:  # whatever evaluating it raises: the parameter is then not annotated
            continue
    return hints


def _usable(annotation: Any, default: Any) -> Any:
    """Return the annotation if it has a JSON Schema and takes its own default, else the next wider one that does."""
    candidates: list[Any] = [annotation]
    if default is None:
        candidates.append(Optional[annotation])  # noqa: UP045  (an annotation need not know the operator)
    return next((candidate for candidate in candidates if _try((candidate, default))), Any)


def _try(*taken: tuple[Any, Any]) -> bool:
    """Return whether all of these annotations have JSON Schemas and take the defaults that they are given with."""
    try:
        fields: dict[str, Any] = {f"p{k}": (annotation, ...) for k, (annotation, _) in enumerate(taken)}
        probe = create_model("Probe", __config__=_STRICT, **fields)
        probe.model_json_schema()
        given = {f"p{k}": default for k, (_, default) in enumerate(taken) if _is_json(default)}
        try:
            probe.model_validate(given)
        except ValidationError as error:
            return all(one["type"] == "missing" and one["loc"][0] not in given for one in error.errors())
    except Exception:  # whatever somebody's annotation raises
        return False
    return True


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _param_docs(target: Any) -> dict[str, str]:
    """Read the "Parameters" sections of the docstrings (numpydoc): a function's, or a class's and its constructor's."""
    if isinstance(target, partial):
        target = target.func
    sources = [target.__init__, target] if inspect.isclass(target) else [target]
    docs: dict[str, str] = {}
    for source in sources:
        for entry in numpydoc.parse(getattr(source, "__doc__", None) or "").params:
            if entry.args[0] == "param" and entry.description:
                text = " ".join(line.strip() for line in entry.description.splitlines() if line.strip())
                docs |= {name.strip().lstrip("*"): text for name in entry.arg_name.split(",")}
    return docs
