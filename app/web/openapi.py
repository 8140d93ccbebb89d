"""The description of the API: stable names, and problems as they are."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.web.browsers import refusals
from app.web.problem import MEDIA_TYPE, documented
from sufficiency.schemas.limits import LIMITS
from sufficiency.schemas.problems import ProblemDetails

TAGS = [
    {"name": "plugins", "description": "What workers offer: models, strategies, loaders, schedules."},
    {"name": "datasets", "description": "Registered pairs of splits, verified by a worker."},
    {"name": "jobs", "description": "Studies: submit, follow, cancel, try again."},
    {"name": "results", "description": "What a job measured, and what its curves say."},
    {"name": "webhooks", "description": "Endpoints that are told of job events, signed as Standard Webhooks."},
    {"name": "access", "description": "Who may do what: keys, projects, who is in them, and what was done."},
    {"name": "service", "description": "Health, workers, numbers."},
]


def operation_id(route: APIRoute) -> str:
    """Return the name of the operation: its function's."""
    return route.name


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the specification, once."""

    def specification() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                webhooks=app.webhooks.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            schemas = document["components"]["schemas"]
            problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"))
            schemas["ProblemDetails"] = problem
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path in document["paths"].values():
                for method, operation in path.items():
                    for status, response in documented(400, *refusals(method)).items():
                        operation["responses"].setdefault(str(status), response)
                    operation["responses"].setdefault(
                        "default",
                        {
                            "description": "Any other error",
                            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
                        },
                    )
                    _answer_errors_as_problems_only(operation)
                    if method == "get":
                        _describe_what_is_known_already(operation)
                    _describe_streams_as_text(operation)
                    _describe_parameters_as_sent(operation)
            for path in document.get("webhooks", {}).values():
                for operation in path.values():
                    operation["responses"].pop("422", None)  # what FastAPI says of its own routes; these are receivers'
            document["x-limits"] = [asdict(limit) for limit in LIMITS]
            app.openapi_schema = document
        return app.openapi_schema

    return specification


def _answer_errors_as_problems_only(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")) and MEDIA_TYPE in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}


def _describe_what_is_known_already(operation: dict[str, Any]) -> None:
    # As `app.web.reading` has it of every operation that reads; a stream has no whole answer to be known by.
    answer = operation["responses"].get("200", {})
    if "text/event-stream" not in answer.get("content", {}):
        known = "Not modified: it is the answer whose `ETag` the client has sent as `If-None-Match`"
        operation["responses"].setdefault("304", {"description": known})


def _describe_streams_as_text(operation: dict[str, Any]) -> None:
    # FastAPI describes the items of a stream with a keyword of OpenAPI 3.2 in a document of 3.1.
    for response in operation["responses"].values():
        if stream := response.get("content", {}).get("text/event-stream"):
            stream.pop("itemSchema", None)
            stream["schema"] = {"type": "string"}


def _describe_parameters_as_sent(operation: dict[str, Any]) -> None:
    # One that is left out is None to us, but nobody can send null in an address; generated clients would offer it.
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
        if len(branches) == 1:
            del schema["anyOf"]
            parameter["schema"] = {**branches[0], **schema}
