"""Every error leaves as RFC 9457 problem details."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException

from app.db.engine import DATABASE_AWAY
from app.errors import Conflict, Faults, FieldError, Invalid, NotFound, ServiceError, field_error, shortened, told
from app.web.headers import GUARDS
from app.web.identification import HEADER
from app.web.invalid import body_asked_for, field_errors
from sufficiency.answers.errors import BadQuestion, QuestionError, Unanswerable, UnknownSubject
from sufficiency.extras import MissingExtra

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    503: "unavailable",
}
# What the service says of each kind of question that gets no answer.
REFUSED: dict[type[QuestionError], type[ServiceError]] = {
    UnknownSubject: NotFound,
    Unanswerable: Conflict,
    BadQuestion: Invalid,
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an operation for its error statuses."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def problem_response(
    request: Request,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return one problem as a response."""
    content: dict[str, Any] = {
        "type": f"urn:sufficiency:problem:{code}",
        "title": title,
        "status": status,
        "detail": shortened(detail),
        "instance": shortened(request.url.path),
        "code": code,
    }
    if errors:
        listed = Faults.of(errors)
        content["errors"] = listed
        if listed.total > len(listed):
            content["errors_total"] = listed.total
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the application answer its errors as problems."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(QuestionError, _question_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(MissingExtra, _missing_extra)
    app.add_exception_handler(IntegrityError, _integrity_error)
    app.add_exception_handler(DataError, _data_error)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database_away)
    app.add_exception_handler(Exception, _unexpected)


def refusal(request: Request, error: Exception) -> JSONResponse:
    """Return the problem of what went wrong before a request came to its operation."""
    return _service_error(request, error) if isinstance(error, ServiceError) else _database_away(request, error)


def _service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return problem_response(request, error.status, error.code, error.title, error.detail, error.errors, error.headers)


def _question_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, QuestionError)
    refused = next(said for kind, said in REFUSED.items() if isinstance(error, kind))
    errors = [] if error.pointer is None else [field_error(error.pointer, error.detail)]
    return _service_error(request, refused(error.detail, code=error.code, errors=errors))


def _missing_extra(request: Request, error: Exception) -> JSONResponse:
    detail = f"Where the API runs, {error}."
    return problem_response(request, 501, "extra_missing", "This installation cannot do that", detail)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    detail = error.detail
    if status == 404 and detail == phrase:
        detail = f"Nothing is at {request.url.path}; /docs lists what there is."
    elif status == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{request.method} is not possible on {request.url.path}" + (f"; {allowed} is." if allowed else ".")
    elif status == 400 and "parsing the body" in detail:
        detail = (
            "The body cannot be read as JSON: it is not UTF-8, nested too deeply, or has a number of too many digits."
        )
    return problem_response(request, status, CODES.get(status, f"http_{status}"), phrase, detail, (), error.headers)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = field_errors(error.errors(), error.body, body_asked_for(request))
    return problem_response(request, 422, "invalid_request", "The request is not valid", told(errors), errors)


def _said(error: Exception) -> str:
    """Return the database's message without its detail, which quotes the whole row, secrets and all."""
    diagnosis = getattr(getattr(error, "orig", None), "diag", None)
    return getattr(diagnosis, "message_primary", None) or type(error).__name__


def _integrity_error(request: Request, error: Exception) -> JSONResponse:
    logger.warning("%s %s met a constraint: %s", request.method, request.url.path, _said(error))
    detail = "Another request changed the same thing at the same time; look at it and try again."
    return problem_response(request, 409, "conflict", "Not possible in the present state", detail)


def _data_error(request: Request, error: Exception) -> JSONResponse:
    logger.warning("%s %s had a value that the database refuses: %s", request.method, request.url.path, _said(error))
    detail = "A value of the request cannot be stored: a NUL character, or a number out of range."
    return problem_response(request, 422, "invalid_request", "The request is not valid", detail)


def _database_away(request: Request, error: Exception) -> JSONResponse:
    logger.warning("%s %s: the database cannot be used: %s", request.method, request.url.path, error)
    # Where the connection broke in the middle of a commit, nobody knows whether it was one.
    detail = (
        "The database cannot be used at the moment. Try again shortly: what only reads can be repeated, and so can a "
        "request with an Idempotency-Key; after any other, look first whether it was carried out."
    )
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem_response(request, 503, "database_unavailable", "Service unavailable", detail, (), headers)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it on after this answer, so that the server logs the traceback.
    detail = "The service made a mistake; its log says more. The same request may work later."
    # It leaves outside of all that puts something on an answer.
    state = request.scope.get("state", {})
    headers = {**GUARDS, **({HEADER: state["request_id"]} if "request_id" in state else {})}
    return problem_response(request, 500, "internal_error", "Internal server error", detail, headers=headers)
