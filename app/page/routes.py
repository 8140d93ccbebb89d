"""The page at `/ui/` and the operations at `/docs`: files, read once, under a policy that lets nothing else in."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from app.web.headers import PAGE_POLICY

router = APIRouter(include_in_schema=False)

AcceptEncoding = Annotated[str, Header()]
IfNoneMatch = Annotated[str, Header()]

START = "index.html"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    # Asked for again each time, and answered 304: after an upgrade nobody sees old modules beside new ones.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    packed: bytes
    media_type: str
    etag: str


def _read(folder: Traversable, prefix: str = "") -> dict[str, _File]:
    found: dict[str, _File] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _read(entry, f"{prefix}{entry.name}/")
            continue
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in MEDIA_TYPES:
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:20]
            found[prefix + entry.name] = _File(
                content, gzip.compress(content, 9, mtime=0), MEDIA_TYPES[suffix], f'"{digest}"'
            )
    return found


FILES = _read(files("app.page").joinpath("static"))


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/ui", methods=["GET", "HEAD"])
def start() -> Response:
    """Lead to the page; the address is relative, so that it holds behind a prefix too."""
    return RedirectResponse("ui/")


@router.api_route("/docs", methods=["GET", "HEAD"])
def docs(accept_encoding: AcceptEncoding = "", if_none_match: IfNoneMatch = "") -> Response:
    """Return the page that lists the API's operations."""
    return static_file("docs.html", accept_encoding, if_none_match)


@router.api_route("/ui/{path:path}", methods=["GET", "HEAD"])
def static_file(path: str, accept_encoding: AcceptEncoding = "", if_none_match: IfNoneMatch = "") -> Response:
    """Return a file of the page."""
    file = FILES.get(path or START)
    if file is None:
        raise HTTPException(404)
    headers = {**HEADERS, "ETag": file.etag}
    if file.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if "gzip" in accept_encoding:
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, media_type=file.media_type, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
