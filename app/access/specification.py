"""What the specification says of access: how one says who one is, and what is answered to whom nobody lets in."""

from collections.abc import Callable
from typing import Any

from app.access.operations import need_of
from app.web.problem import documented
from sufficiency.schemas.words import PROJECT_HEADER

KEY = "key"
PROJECT = {
    "name": PROJECT_HEADER,
    "in": "header",
    "required": False,
    "description": "which project the request is about, where the caller has several; else the caller's only one, "
    "or `default`",
    "schema": {"type": "string"},
}


def with_access(describe: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the specification, with what each operation takes of who asks."""

    def specification() -> dict[str, Any]:
        document = describe()
        if "securitySchemes" in document["components"]:
            return document
        document["components"]["securitySchemes"] = {
            KEY: {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, `suf_…`. A service that was started open, on loopback, asks for none.",
            }
        }
        document["components"]["parameters"] = {"Project": PROJECT}
        refused = {str(status): response for status, response in documented(401, 403, 429).items()}
        for path in document["paths"].values():
            for method, operation in path.items():
                need = need_of(operation["operationId"], method.upper())
                if need is None:
                    operation["security"] = []
                    continue
                operation["security"] = [{KEY: []}]
                operation["x-scope"] = need.scope
                if need.service:
                    operation["x-of-the-service"] = True
                operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/Project"})
                for status, response in refused.items():
                    operation["responses"].setdefault(status, response)
                operation["responses"].setdefault("404", documented(404)[404])
        return document

    return specification
