"""Gives out files by signed links: always as an attachment, never as a page."""

from __future__ import annotations

from flask import Response
from sqlalchemy.orm import Session
from werkzeug.wsgi import FileWrapper

from core.actor import Actor
from core.admin.pages import PageBlueprint
from core.files import service

pages = PageBlueprint("core_files", url_prefix="/files")
CLOSED = "default-src 'none'; sandbox"


@pages.get("/<token>", public=True)
def download(session: Session, actor: Actor, token: str) -> Response:
    """The file of a signed link."""
    opened, left = service.follow(session, token)
    response = Response(
        FileWrapper(opened.content, 64 * 1024), mimetype=opened.file.media_type, direct_passthrough=True
    )
    response.call_on_close(opened.content.close)
    response.content_length = opened.file.size
    response.headers.set("Content-Disposition", "attachment", filename=opened.file.name)
    response.headers["Content-Security-Policy"] = CLOSED
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = f"private, max-age={int(left.total_seconds())}"
    return response
