"""Idempotency-Key: the same request with the same key has one effect and one answer.

The lock is tried, not waited for: a second request during the first is told so (409). The business runs in a
savepoint; its answer, success or 4xx, is stored with it; a 5xx stores nothing, so that it may be tried again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Response, g, jsonify, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from core.db import locks
from core.errors import Conflict, Invalid
from core.gateway import errors
from core.i18n import _
from core.refusals import domain_error
from core.rest.body import read_json
from core.rest.models import IdempotencyRow

HEADER = "Idempotency-Key"


class KeyReused(Conflict):
    code = "IDEMPOTENCY_KEY_REUSED"
    sentence = _("This Idempotency-Key was used for another request. Use a new one.")


class InProgress(Conflict):
    code = "IDEMPOTENCY_IN_PROGRESS"
    sentence = _("The first request with this Idempotency-Key is still running. Try again in a moment.")


def once(session: Session, scope: str, view: Callable[[], Response]) -> Response:
    """Answer with ``view()``, or with what it answered before for this key. Without a key, just ``view()``."""
    key = request.headers.get(HEADER)
    if key is None:
        return view()
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        raise Invalid({HEADER: [_("Give 1 to 200 printable ASCII characters.")]})
    fingerprint = hashlib.sha256(_canonical()).digest()
    if not locks.try_advisory(session, f"idempotency:{scope}:{key}"):
        raise InProgress()
    stored = session.get(IdempotencyRow, (scope, key))
    if stored is not None:
        if stored.fingerprint != fingerprint:
            raise KeyReused()
        body = {**stored.body, "meta": {**stored.body.get("meta", {}), "request_id": g.request_id}}
        replayed = jsonify(body)
        replayed.status_code = stored.status
        replayed.headers["Idempotent-Replayed"] = "true"
        return replayed
    answer = _run(session, view)
    row = IdempotencyRow(
        scope=scope, key=key, fingerprint=fingerprint, status=answer.status_code, body=answer.get_json() or {}
    )
    session.add(row)
    session.flush()
    return answer


def _run(session: Session, view: Callable[[], Response]) -> Response:
    """Run the view in a savepoint; a refusal undoes its work and becomes the answer."""
    savepoint = session.begin_nested()
    try:
        answer = view()
        session.flush()
    except HTTPException as problem:
        savepoint.rollback()
        if (problem.code or 500) >= 500:
            raise
        answer = errors._http(problem)
    except Exception as problem:
        known = domain_error(problem)
        if known is not None and known.keeps:
            savepoint.commit()
        else:
            savepoint.rollback()
        if known is None or known.status >= 500:
            raise
        message = known.fill(gettext(known.sentence))
        return errors.envelope_error(known.status, known.code, message, known.details)
    else:
        savepoint.commit()
    return answer


def _canonical() -> bytes:
    """What makes two requests the same: method, path, query and body, with JSON's key order ignored."""
    body: Any = request.get_data(cache=True)
    if request.is_json:
        with suppress(Invalid, RecursionError):  # what cannot be read is compared as it came
            body = json.dumps(read_json(body), sort_keys=True, separators=(",", ":")).encode()
    head = f"{request.method} {request.full_path}\n".encode()
    return head + bytes(body)
