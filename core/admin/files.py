"""Gives out files by signed links: always as an attachment, never as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from core.actor import Actor
from core.admin.pages import PageBlueprint
from core.files import service

pages = PageBlueprint("core_files", url_prefix="/files")
CLOSED = "default-src 'none'; sandbox"


@pages.get("/<token>", public=True)
def download(session: Session, actor: Actor, token: str) -> Response:
    """The file of a signed link, or one range of it (RFC 9110, 14); with If-Range only while it is the same."""
    file, left = service.follow(session, token)
    response = Response(mimetype=file.media_type)
    response.content_length = file.size
    response.set_etag(file.sha256)
    response.headers.set("Content-Disposition", "attachment", filename=file.name)
    response.headers["Content-Security-Policy"] = CLOSED
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = f"private, max-age={int(left.total_seconds())}"
    asked = request.range
    one = asked is not None and asked.units == "bytes" and len(asked.ranges) == 1
    if one or "Range" not in request.headers:  # RFC 9110, 14.2: what is no single range may be answered by the whole
        try:
            response.make_conditional(request, accept_ranges=True, complete_length=file.size)
        except RequestedRangeNotSatisfiable:
            return Response(status=416, headers={"Content-Range": f"bytes */{file.size}", "Accept-Ranges": "bytes"})
    if response.status_code == 304:
        return response
    part = response.content_range
    start, stop = (part.start or 0, part.stop) if response.status_code == 206 and part else (0, None)
    content = service.open_file(session, file, start, stop).content
    response.response = _chunks(content, (file.size if stop is None else stop) - start)
    response.direct_passthrough = True
    response.call_on_close(content.close)
    return response


def _chunks(content: IO[bytes], left: int) -> Iterator[bytes]:
    while left > 0 and (chunk := content.read(min(left, service.CHUNK))):
        left -= len(chunk)
        yield chunk
