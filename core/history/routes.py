"""REST of what happened to a record: the same changes, and as much of each, as its page tells."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import plain
from core.history import reading
from core.history.reading import Change, Difference
from core.history.values import Closed
from core.resources import file_fields
from core.resources.resource import BoundResource
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.paging import Page, PageQuery
from core.rest.schema import Schema

Files = dict[tuple[str, Any], dict[str, Any]]
FILES = "Of a file: its id, name, media_type, size (bytes) and url, which is null once it is no longer kept."


class HistoryFieldSchema(Schema):
    name = fields.String(metadata={"example": "status"})
    before = fields.Raw(allow_none=True, metadata={"example": "new", "description": FILES})
    after = fields.Raw(allow_none=True, metadata={"example": "planned"})
    closed = fields.Boolean(
        metadata={"description": "A value cannot be told: it was erased, or you may not see it. It is null then."}
    )


class HistorySchema(Schema):
    id = fields.UUID()
    at = fields.Instant()
    verb = fields.String(metadata={"example": "updated", "description": "Or created, deleted, what else was done."})
    actor_kind = fields.String(metadata={"example": "member"})
    actor_id = fields.UUID(allow_none=True)
    actor_name = fields.String()
    impersonator_name = fields.String(metadata={"description": "The admin who acted as that member, or empty."})
    ip = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    correlation_id = fields.UUID(metadata={"description": "The same for all that one act caused."})
    fields_ = fields.List(fields.Nested(HistoryFieldSchema), data_key="fields")


def add_routes(rest: RestBlueprint, bound: BoundResource) -> None:
    """Declare ``GET …/<id>/history`` where the resource is audited and its records are shown."""
    if not (bound.resource.audit and "show" in bound.resource.actions):
        return

    def history(session: Session, actor: Actor, query: dict[str, Any], key: str) -> Page:
        found = bound.key_of(bound.get(session, actor, key))
        page = reading.changes(session, actor, bound, found, limit=query["limit"], cursor=query["cursor"])
        every = [(one.key, value) for change in page.items for one in change.differences for value in _pair(one)]
        files = file_fields.past(session, bound.plugin, bound.resource.files, every)
        return Page([_told(one, files) for one in page.items], page.next_cursor)

    history.__name__ = f"history_of_{bound.name}"
    history.__doc__ = f"What happened to a {bound.label.lower()}, the newest first."
    described = rest.response(200, HistorySchema(many=True))(history)
    described = rest.arguments(PageQuery, location="query")(described)
    rest.get(f"/{bound.path}/<key>/history", permission=reading.SEES)(described)


def _told(change: Change, files: Files) -> dict[str, Any]:
    names = ("id", "at", "verb", "actor_kind", "actor_id", "actor_name", "impersonator_name", "ip", "reason")
    told = {name: getattr(change, name) for name in (*names, "correlation_id")}
    return {**told, "fields_": [_field(one, files) for one in change.differences]}


def _field(one: Difference, files: Files) -> dict[str, Any]:
    before, after = (_shown(one.key, value, files) for value in _pair(one))
    closed = any(isinstance(value, Closed) for value in _pair(one))
    return {"name": one.key, "before": before, "after": after, "closed": closed}


def _pair(one: Difference) -> tuple[Any, Any]:
    return one.before, one.after


def _shown(key: str, value: Any, files: Files) -> Any:
    if isinstance(value, Closed):
        return None
    return files.get((key, value)) or plain(value) if isinstance(value, UUID) else plain(value)
