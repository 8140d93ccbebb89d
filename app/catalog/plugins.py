"""The plugins that workers have offered, and whether a reference to one, with its parameters, is right."""

import json
import logging
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import pydantic
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalog.wrong_params import params_errors
from app.db.tables import Plugin
from app.errors import FieldError, NotFound, field_error, nearest, pointer
from sufficiency.schemas.spec import MetricSpec

logger = logging.getLogger(__name__)


def advertise(session: Session, plugins: list[dict[str, Any]]) -> None:
    """Write what a worker has into the catalog.

    Parameters
    ----------
    plugins : list of dict
        Each with kind, name, version, summary, params_schema, capabilities and devices.
    """
    # In one order, so that workers that start together do not wait for each other in a circle.
    keys = ("kind", "name", "version", "summary", "params_schema", "capabilities", "devices")
    rows = sorted(({key: plugin[key] for key in keys} for plugin in plugins), key=lambda p: (p["kind"], p["name"]))
    if not rows:
        return
    statement = insert(Plugin)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "name"],
            set_={column: statement.excluded[column] for column in keys[2:]} | {"updated_at": func.now()},
        ),
        rows,
    )


def find_plugins(
    session: Session, kind: str | None = None, *, after: tuple[str, str] | None = None, limit: int | None = None
) -> list[Plugin]:
    """Return plugins by kind and name."""
    statement = select(Plugin).order_by(Plugin.kind, Plugin.name)
    if kind is not None:
        statement = statement.where(Plugin.kind == kind)
    if after is not None:
        statement = statement.where(tuple_(Plugin.kind, Plugin.name) > after)
    return list(session.scalars(statement.limit(limit)))


def get_plugin(session: Session, kind: str, name: str) -> Plugin:
    """Return one plugin of the catalog."""
    plugin = find_plugin(session, kind, name)
    if plugin is None:
        raise NotFound(_unknown(session, kind, name), code="plugin_not_found")
    return plugin


def find_plugin(session: Session, kind: str, name: str) -> Plugin | None:
    """Return one plugin of the catalog, or None."""
    return session.get(Plugin, (kind, name))


def load_plugins(session: Session, references: Iterable[tuple[str, str]]) -> list[Plugin]:
    """Return those of the (kind, name) that are in the catalog, and have them at hand for whoever asks for one next."""
    return list(session.scalars(select(Plugin).where(tuple_(Plugin.kind, Plugin.name).in_(list(references)))))


def _unknown(session: Session, kind: str, name: str) -> str:
    known = [plugin.name for plugin in find_plugins(session, kind)]
    if not known:
        return (
            f"No {kind} plugin is called {name!r}: no worker has offered any {kind} plugin yet. One that was just "
            "started does so within seconds, and GET /plugins then lists them; else start a worker."
        )
    if name in known:  # another transaction brought it since it was looked for
        return f"No {kind} plugin was called {name!r} when it was asked for; one is now. Send the request again."
    return f"No {kind} plugin is called {name!r}; {nearest(name, known)}."


def configure(
    session: Session, kind: str, name: str, params: Mapping[str, Any], where: tuple[str, ...], *, key: str = "name"
) -> tuple[Plugin | None, dict[str, Any], list[FieldError]]:
    """Check a reference to a plugin against the catalog and fill in the defaults of its parameters.

    Parameters
    ----------
    where : tuple of str
        Place of the reference in the request's body.
    key : str
        Field of the reference that holds the plugin's name.

    Returns
    -------
    plugin : Plugin or None
        None when there is none of that name.
    params : dict
        With the defaults.
    errors : list of FieldError
        What is wrong with it.
    """
    plugin = find_plugin(session, kind, name)
    if plugin is None:
        return None, dict(params), [field_error(pointer(*where, key), _unknown(session, kind, name))]
    try:
        validator = _validator(json.dumps(plugin.params_schema))
        full = with_defaults(plugin.params_schema, params)
        return plugin, full, params_errors(validator, full, (*where, "params"))
    except (SchemaError, Unresolvable) as error:
        # The plugin's fault, not the client's; but it is the client who can do without the plugin.
        detail = f"The {kind} plugin {name!r} has parameters that nobody can check: {error.__class__.__name__}."
        return plugin, dict(params), [field_error(pointer(*where, key), detail)]


def declared_metrics(evaluation: Plugin) -> dict[str, MetricSpec]:
    """Return how the metrics of an evaluation read, as far as it says so in a way that can be understood."""
    declared: dict[str, MetricSpec] = {}
    for name, properties in (evaluation.capabilities.get("metrics") or {}).items():
        try:
            declared[name] = MetricSpec.model_validate(properties)
        except pydantic.ValidationError:
            logger.warning("evaluation %s declares metric %s as %r: ignored", evaluation.name, name, properties)
    return declared


def with_defaults(schema: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the schema's defaults for those that are not given."""
    defaults = {
        name: deepcopy(field["default"])
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, dict) and "default" in field
    }
    return defaults | dict(params)


@lru_cache(maxsize=512)
def _validator(schema: str) -> Draft202012Validator:
    """Return the validator of a schema, written as JSON, that is one: to check the schema itself takes the longest.

    Raises
    ------
    SchemaError
    """
    parsed = json.loads(schema)
    Draft202012Validator.check_schema(parsed)
    # An empty registry: a reference in a schema must not make the API fetch anything.
    return Draft202012Validator(parsed, registry=Registry())
