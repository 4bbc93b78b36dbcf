"""A form that is sent twice, by a double click or by a browser that tries again, is carried out once.

Each form carries a token that was made with the page. Where the first went is kept for a day, under the token and what
was entered (``core.rest.retention`` forgets it): the same again goes there too, and is told the same. Something else
under the same token is another form: somebody went back and changed it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from flask import g, make_response, redirect, request
from flask import session as cookie
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db import locks
from core.ids import new_id, uuid_of
from core.rest.models import IdempotencyRow

FIELD = "_once"
_SAID = "_flashes"  # where Flask keeps what the next page is to say


def token() -> str:
    """What a form carries to be told from another one."""
    return str(new_id())


def once(session: Session, actor: Actor, send: Callable[[], Any], *, again: str = "") -> Any:
    """What ``send()``, a view, answers; where the same form was carried out before, the way to where it went.

    A form that is sent while the first one is still being carried out waits for it. Only a redirection is kept, and
    none after a refusal (``core.admin.pages.tried``). An answer that shows a secret is never kept: ``again`` is where
    whoever sends such a form twice is led. Without a token the form is carried out each time.
    """
    given = uuid_of(request.form.get(FIELD, ""))
    if given is None:
        return send()
    scope, key = f"form:{actor.member_id}:{request.path}"[:200], f"{given}:{_content()}"
    locks.advisory(session, f"{scope}:{key}")
    kept = session.get(IdempotencyRow, (scope, key))
    if kept is not None:
        cookie[_SAID] = [*cookie.get(_SAID, []), *(tuple(one) for one in kept.body["said"])]
        return redirect(kept.body["location"], 303)
    before = len(cookie.get(_SAID, []))
    answer = send()
    if answer is None or g.get("refused"):
        return answer
    response = make_response(answer)
    location = response.location or (again if response.status_code < 300 else "")
    if location and response.status_code < 400:
        said = [[level, str(sentence)] for level, sentence in cookie.get(_SAID, [])[before:]]
        body = {"location": location, "said": said}
        row = IdempotencyRow(scope=scope, key=key, fingerprint=given.bytes, status=response.status_code, body=body)
        session.add(row)
        session.flush()
    return response


def _content() -> str:
    """What was entered, in 32 letters; files by their names and lengths."""
    entered = sorted(pair for pair in request.form.items(multi=True) if pair[0] not in (FIELD, "csrf_token"))
    files = []
    for name, one in request.files.items(multi=True):
        files.append([name, one.filename, one.stream.seek(0, 2)])
        one.stream.seek(0)
    return hashlib.sha256(json.dumps([entered, files]).encode()).hexdigest()[:32]
