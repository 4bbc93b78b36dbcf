"""What expressions see of an event, of its record and of a member."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import generation, hooks
from core.db.base import member_column
from core.db.personal import personal_columns
from core.events.event import StoredEvent
from core.expressions import seen
from core.hookspecs import Fact, Facts
from core.i18n import _
from core.ids import uuid_of
from core.resources.resource import BoundResource

USUAL = ("member_id", "owner_id", "author_id", "to_member_id", "user_id")
OWN: Mapping[str, Fact] = {
    "id": Fact(label=_("Member id"), kind="text"),
    "tier": Fact(label=_("Tier"), kind="text"),
    "status": Fact(label=_("Status"), kind="text"),
    "locale": Fact(label=_("Language"), kind="text"),
    "time_zone": Fact(label=_("Time zone"), kind="text"),
    "source": Fact(label=_("Came by"), kind="text"),
    "joined_at": Fact(label=_("Joined at"), kind="time"),
    "roles": Fact(label=_("Roles"), kind="list"),
    "tags": Fact(label=_("Tags"), kind="list"),
}
_MEMBERS = text("""
    SELECT m.id, m.tier, m.status, m.locale, m.time_zone, m.source, m.joined_at,
        coalesce((SELECT array_agg(r.name ORDER BY r.name) FROM ab_user_role ur JOIN ab_role r ON r.id = ur.role_id
            WHERE ur.user_id = m.user_id), '{}') AS roles,
        coalesce((SELECT array_agg(t.tag ORDER BY t.tag) FROM core_member_tag t WHERE t.member_id = m.id), '{}') AS tags
    FROM core_member m WHERE m.id = ANY(:ids)
""")


class FactsMissing(Exception):
    """A plugin could not tell what an automation asks of it; the delivery is tried again."""


def of_event(event: StoredEvent) -> dict[str, Any]:
    """The variable ``event``: ``id``, ``name`` and ``occurred_at``, and its own fields, which go before those."""
    envelope = {"id": event.id, "name": event.name, "occurred_at": event.occurred_at}
    told: dict[str, Any] = seen({**envelope, **event.payload.model_dump()})
    return told


def of_members(session: Session, ids: Collection[UUID], plugins: Collection[str] = ()) -> dict[UUID, dict[str, Any]]:
    """The variable ``member`` of each, with the figures of these plugins; one statement each, however many members.

    Raises FactsMissing where one of the plugins does not answer.
    """
    found: dict[UUID, dict[str, Any]] = {}
    for row in session.execute(_MEMBERS, {"ids": list(ids)}).mappings():
        found[row["id"]] = seen(dict(row))
    if plugins and found:
        for plugin, told, failed in hooks.attempt(session, "member_facts", member_ids=list(found)):
            if plugin not in plugins:
                continue
            if failed or not isinstance(told, Facts):
                raise FactsMissing(plugin)
            for member_id, values in found.items():
                values[plugin] = seen(dict(told.values.get(member_id, {})))
    return found


def fields_of_plugins(session: Session) -> dict[str, Mapping[str, Fact]]:
    """The figures that plugins tell of members, by plugin."""
    kept: dict[str, Mapping[str, Fact]] | None = generation.cached(session, "fields of member facts")
    if kept is None:
        answers = hooks.collect(session, "member_facts", member_ids=[])
        kept = {plugin: told.fields for plugin, told in answers if isinstance(told, Facts) and told.fields}
        generation.keep(session, "fields of member facts", kept)
    return kept


def resource_of(session: Session, event_name: str) -> BoundResource | None:
    """The resource whose record an event is about; None for any other event."""
    resources: dict[str, BoundResource] = session.info["registry"].resources
    bound = resources.get(event_name.rpartition(".")[0])
    is_its = bound is not None and any(one.event_name == event_name for one in bound.events.values())
    return bound if is_its else None


def record_columns(bound: BoundResource) -> list[str]:
    """The columns of a record that expressions see: nothing hidden, secret or personal."""
    table: Any = bound.resource.model.__table__
    personal = {one.name for one in personal_columns(table)} if member_column(table) is not None else set()
    columns = bound.resource.columns_of_model
    return [
        name
        for name in bound.resource.readable
        if columns[name].name not in personal
        and not columns[name].info.get("pii")
        and not columns[name].info.get("secret")
    ]


def of_record(session: Session, bound: BoundResource, event: StoredEvent) -> dict[str, Any]:
    """The variable ``record``: as it is now; empty once it is deleted."""
    record = session.get(bound.resource.model, bound.parse_key(event.payload.id))
    if record is None:
        return {}
    told: dict[str, Any] = seen({name: getattr(record, name) for name in record_columns(bound)})
    return told


def owner_column(bound: BoundResource) -> str | None:
    """The attribute of a resource's record that names its member."""
    if bound.resource.owner:
        return bound.resource.owner
    table: Any = bound.resource.model.__table__
    column = member_column(table)
    attributes = bound.resource.columns_of_model.items()
    return next((name for name, one in attributes if column is not None and one.name == column.name), None)


def usual_field(fields: Iterable[str]) -> str:
    """The field of an event that names the member, where nobody says which; empty where none does."""
    known = list(fields)
    return next((name for name in USUAL if name in known), "")


def member_of(session: Session, event: StoredEvent, field: str) -> UUID | None:
    """The member that an event is about: by ``field``, by the usual one, or the owner of its record."""
    named = field or usual_field(type(event.payload).model_fields)
    if named:
        value = getattr(event.payload, named, None)
        return value if isinstance(value, UUID) else uuid_of(str(value)) if value else None
    bound = resource_of(session, event.name)
    attribute = owner_column(bound) if bound is not None else None
    if bound is None or attribute is None:
        return None
    record = session.get(bound.resource.model, bound.parse_key(event.payload.id))
    owner = getattr(record, attribute, None)
    return owner if isinstance(owner, UUID) else None


def member_fields(session: Session, event_name: str) -> Sequence[str]:
    """The fields of an event that may name a member: those that hold an id, the usual one first."""
    kind = session.info["registry"].events.get(event_name)
    if kind is None:
        return ()
    ids = [name for name, one in kind.model_fields.items() if one.annotation in (UUID, UUID | None)]
    usual = usual_field(ids)
    return [usual, *(name for name in ids if name != usual)] if usual else ids
