"""The version of a record as its ETag, and If-Match: who changes it may say which version they have seen."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Response, after_this_request, request
from sqlalchemy.orm import Session

from core.audit.trail import plain
from core.errors import Conflict
from core.i18n import _
from core.resources.resource import BoundResource

ETAG = {"ETag": {"description": "The version of the record, for If-Match.", "schema": {"type": "string"}}}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of the version that was seen: 412 RECORD_CHANGED where the record is another meanwhile.",
}


class RecordChanged(Conflict):
    code = "RECORD_CHANGED"
    status = 412
    sentence = _("Somebody has changed this record since you read it. Read it again, then decide.")


def of(bound: BoundResource, record: Any) -> str:
    """A digest of what the record's row holds; what follows from other rows is no part of it."""
    columns = bound.resource.columns_of_model
    told = [plain(getattr(record, key)) for key in columns if not columns[key].info.get("secret")]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]


def tell(bound: BoundResource, record: Any) -> None:
    """Send the record's version with this request's answer."""
    tag = of(bound, record)

    @after_this_request
    def mark(response: Response) -> Response:
        if response.status_code == 200:
            response.set_etag(tag)
        return response


def check(session: Session, bound: BoundResource, record: Any) -> None:
    """Compare with If-Match (RFC 9110, 13.1.1: strongly, by any of several), if it was sent, under the row's lock.

    Raises RecordChanged, NotFound (deleted meanwhile).
    """
    if "If-Match" not in request.headers:
        return
    bound.hold(session, record)
    if not request.if_match.contains(of(bound, record)):
        raise RecordChanged()
