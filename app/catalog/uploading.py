"""Files over HTTP: sent as they are, a part at a time, into the data folder of a service that has one of its own."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter
from sqlalchemy import func, select

from app.catalog import uploads
from app.catalog.upload_files import Incoming, WrongKind, forget, kind_of
from app.db.tables import Upload
from app.errors import Conflict, Invalid, NotFound, ServiceError, field_error
from app.settings import Settings
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep, SettingsDep, changing, short_transaction
from sufficiency.schemas.limits import PAGE, UPLOAD_SECONDS, UPLOADS_AT_ONCE
from sufficiency.schemas.patterns import UPLOAD_NAME
from sufficiency.schemas.uploads import UploadPage, UploadView

router = APIRouter(tags=["datasets"], responses=documented(422, 503))

_KEY = TypeAdapter(str)
_PART_BYTES = 1 << 20
UploadName = Annotated[
    str,
    InPath(pattern=UPLOAD_NAME, max_length=100, description="ends in .npz, .csv, .tsv, .txt or .parquet, as it is"),
]
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class TooLarge(ServiceError):
    """A file is larger than one may be."""

    status = 413
    code = "upload_too_large"
    title = "Content too large"


class TooSlow(ServiceError):
    """Nothing more of a file has come."""

    status = 408
    code = "body_too_slow"
    title = "Request timeout"


class NoRoom(ServiceError):
    """The disk is full."""

    status = 507
    code = "no_room"
    title = "No room for it"


def _view(upload: Upload) -> UploadView:
    fields = {name: getattr(upload, name) for name in UploadView.model_fields if name != "path"}
    return UploadView(**fields, path=f"{upload.id}/{upload.name}")


def _folder(settings: Settings) -> Path:
    if settings.upload_dir is None:
        raise NotFound(
            "This service has no data folder of its own to put files into: whoever runs it puts data under its data "
            "roots (SUFFICIENCY_DATA_ROOTS). A standalone takes files.",
            code="no_uploads",
        )
    return settings.upload_dir


@router.get("/uploads")
def list_uploads(
    session: SessionDep,
    settings: SettingsDep,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="size of a page")] = 100,
    cursor: Cursor = None,
) -> UploadPage:
    """List the files that were sent, by name, and say how large one may be."""
    after = decode_cursor(cursor, _KEY) if cursor else None
    rows, following = page_of(uploads.find_uploads(session, after=after, limit=limit + 1), limit, lambda u: u.name)
    most = None if settings.upload_dir is None else int(settings.upload_bytes)
    return UploadPage(items=[_view(one) for one in rows], next_cursor=following, most_bytes=most)


@router.put(
    "/uploads/{name}",
    status_code=201,
    response_model=UploadView,
    openapi_extra=BODY,
    responses={
        200: {"model": UploadView, "description": "The same file was sent before"},
        **documented(404, 408, 409, 413, 415, 429, 507),
    },
)
async def put_upload(request: Request, response: Response, name: UploadName) -> UploadView:
    """Send a file, as it is, for a dataset to be read from; its kind is checked, and it is there whole or not at all.

    The same file sent again is the one that is there; another one under the same name is refused.
    """
    settings: Settings = request.app.state.settings
    folder, most = _folder(settings), int(settings.upload_bytes)
    told = request.headers.get("content-length", "")
    expected = int(told) if told.isdigit() else 0
    if expected > most:
        raise _too_large(most)
    turn: asyncio.Semaphore = request.app.state.uploads_at_once
    if turn.locked():
        detail = f"{UPLOADS_AT_ONCE} files are being sent to this process already; try again in a moment."
        raise Conflict(detail, code="uploads_busy", headers={"Retry-After": "5"})
    async with turn:
        with await run_in_threadpool(Incoming, folder) as incoming:
            if not incoming.has_room(expected):
                raise _no_room()
            await _receive(request, incoming, most)
            upload, created = await run_in_threadpool(_keep, request, folder, incoming, name)
    response.status_code = 201 if created else 200
    return upload


async def _receive(request: Request, incoming: Incoming, most: int) -> None:
    parts = request.stream()
    waiting: list[bytes] = []
    while True:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                part = await anext(parts, None)
        except TimeoutError:
            raise TooSlow(f"Nothing more of the file has come for {UPLOAD_SECONDS} s.") from None
        if part is not None:
            waiting.append(part)
        held = sum(map(len, waiting))
        if incoming.bytes + held > most:
            raise _too_large(most)
        if part is None or held >= _PART_BYTES:
            if not incoming.has_room(held):
                raise _no_room()
            await run_in_threadpool(incoming.write, b"".join(waiting))
            waiting.clear()
        if part is None:
            return


def _keep(request: Request, folder: Path, incoming: Incoming, name: str) -> tuple[UploadView, bool]:
    """Look at a file that has come in, move it to its place and make it known; or find that it was known before."""
    try:
        incoming.check(name)
    except WrongKind as error:
        detail = f"{name!r} {error}."
        raise Invalid(detail, code="wrong_kind", errors=[field_error("name", detail)]) from None
    with short_transaction(request) as session:
        if (known := uploads.find_upload(session, name)) is not None:
            if known.sha256 == incoming.sha256:
                return _view(known), False
            raise uploads.taken(name)
        upload_id: UUID = session.execute(select(func.uuidv7())).scalar_one()
    kept = False
    try:
        incoming.keep(upload_id, name)
        with changing(request) as session:
            upload = uploads.insert_upload(session, upload_id, name, kind_of(name), incoming.bytes, incoming.sha256)
            view = _view(upload)
        kept = True
    finally:
        if not kept:
            forget(folder, upload_id)
    return view, True


@router.delete("/uploads/{name}", status_code=204, responses=documented(404, 409))
def delete_upload(request: Request, settings: SettingsDep, name: UploadName) -> None:
    """Delete a file that no dataset is read from."""
    folder = _folder(settings)
    with changing(request) as session:
        upload_id = uploads.delete_upload(session, name)
    forget(folder, upload_id)  # what is left of it, if this is the last that the process does, is tidied up


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"A file may have at most {most:,} bytes here; SUFFICIENCY_UPLOAD_BYTES is how many.")


def _no_room() -> NoRoom:
    return NoRoom("The disk that files are put on is nearly full: delete what is not needed, or make room on it.")
