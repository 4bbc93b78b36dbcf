"""Files that are sent with the form of a record: each is taken at once, and the form goes on with its id."""

from __future__ import annotations

from typing import Any

from flask import g, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from core.errors import DomainError
from core.files import service
from core.gateway.request import actor
from core.resources.resource import BoundResource


def takes_uploads(view: Any) -> Any:
    """Let a form with files be as large as files may be; any other as large as forms are."""
    view.body_limit = _limit
    return view


def _limit(session: Session) -> int:
    return service.most_of_a_request(session) if request.mimetype == "multipart/form-data" else 0


def taken(bound: BoundResource) -> tuple[MultiDict[str, str], dict[str, str]]:
    """What the form holds, with the id of each file that came; and by field, why one was not taken."""
    sent: MultiDict[str, str] = MultiDict(request.form)
    refused: dict[str, str] = {}
    for key, upload in bound.resource.files.items():
        given = request.files.get(f"{key}-file")
        if given is None or not given.filename:
            if sent.pop(f"{key}-remove", ""):
                sent[key] = ""
            continue
        try:
            if upload.permission:
                actor().require(upload.permission)
            with g.session.begin_nested():
                row = service.store(
                    g.session,
                    actor(),
                    given.stream,
                    name=given.filename,
                    purpose=f"{bound.plugin}.{upload.name}",
                    allowed=upload.allowed,
                    max_bytes=upload.max_bytes,
                )
            sent[key] = str(row.id)
        except DomainError as problem:
            if problem.status >= 500:
                raise
            refused[key] = problem.fill(gettext(problem.sentence))
    return sent, refused
