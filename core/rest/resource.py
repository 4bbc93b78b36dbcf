"""REST of a declared resource: list, show, create, change, delete, from the model's columns."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from flask import Response
from marshmallow import validate
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.actor import Actor
from core.addresses import CHAINS, AddressColumn
from core.db.base import Units
from core.lists.conditions import kind_of, search_for
from core.resources.declaration import DELETED_AT
from core.resources.resource import BoundResource
from core.rest import bulk, fields, record_acts, version
from core.rest.blueprint import RestBlueprint
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema

LONGEST_TEXT = 20_000
ALL_DELETED = "Those that were deleted and can be restored, for who may delete."
ONE_DELETED = "The record was deleted and can be restored; for who may delete."
DELETED_SINCE = {
    "description": "When it was deleted; null for one that is there. Who may delete sees and restores deleted ones.",
    "example": None,
}
Order = list[tuple[Any, bool]]  # columns, unique together, each with whether it descends


def add_routes(rest: RestBlueprint, bound: BoundResource) -> None:
    """Declare the routes that the resource's actions allow."""
    resource = bound.resource
    name = name_of(bound)
    shown = shown_schema(bound)
    collection, single = f"/{bound.path}", f"/{bound.path}/<key>"
    label, plural = bound.label.lower(), bound.label_plural.lower()

    if "list" in resource.actions:

        def listing(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
            return page_of(bound, session, actor, query, order=order_of(bound))

        _named(listing, f"list_{bound.path}", f"List {plural}.")
        listing = rest.response(200, shown(many=True))(listing)
        listing = rest.arguments(list_query(bound), location="query")(listing)
        rest.get(collection, signed_in=True)(listing)

    if "create" in resource.actions:

        def create(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
            return filled(bound, session, bound.create(session, actor, body))

        _named(create, f"create_{bound.name}", f"Create a {label}.")
        create = rest.response(201, shown())(create)
        create = rest.arguments(schema(f"{name}New", bound, resource.writable, written=True)())(create)
        rest.post(collection, permission=bound.permission("create"), idempotent=True)(create)

    if "show" in resource.actions:

        def show(session: Session, actor: Actor, query: dict[str, Any] | None = None, *, key: str) -> Any:
            record = bound.get(session, actor, key, deleted=bool(query and query["deleted"]))
            version.tell(bound, record)
            return filled(bound, session, record)

        _named(show, f"get_{bound.name}", f"Get one {label}.")
        show = rest.response(200, shown(), headers=version.ETAG)(show)
        if resource.soft_delete:
            show = rest.arguments(_one_query(bound), location="query")(show)
        rest.get(single, signed_in=True)(show)

    if "update" in resource.actions:

        def update(session: Session, actor: Actor, body: dict[str, Any], key: str) -> Any:
            record = bound.get(session, actor, key, "update")
            version.check(session, bound, record)
            record = bound.update(session, actor, record, body)
            session.refresh(record)
            version.tell(bound, record)
            return filled(bound, session, record)

        _named(update, f"update_{bound.name}", f"Change a {label}; only the given fields.")
        update = rest.response(200, shown(), headers=version.ETAG)(update)
        update = rest.doc(parameters=[version.IF_MATCH])(update)
        update = rest.arguments(schema(f"{name}Change", bound, resource.writable, written=True)(partial=True))(update)
        rest.patch(single, permission=bound.permission("update"))(update)

    if "delete" in resource.actions:

        def delete(session: Session, actor: Actor, key: str) -> Response:
            record = bound.get(session, actor, key, "delete")
            version.check(session, bound, record)
            bound.delete(session, actor, record)
            return Response(status=204)

        _named(delete, f"delete_{bound.name}", f"Delete a {label}.")
        described = rest.doc(parameters=[version.IF_MATCH])(rest.response(204)(delete))
        rest.delete(single, permission=bound.permission("delete"))(described)

    record_acts.add_routes(rest, bound, shown)
    bulk.add_routes(rest, bound, cache(lambda keys: schema(f"{name}Bulk", bound, keys, written=True)(partial=True)))


def filled(bound: BoundResource, session: Session, record: Any) -> Any:
    """The record with what its table does not hold, as answers show it."""
    bound.fill(session, [record])
    return record


def name_of(bound: BoundResource) -> str:
    """What the resource's schemas begin with, such as ``WalletAsset``; types of GraphQL are called so too."""
    return "".join(word.title() for word in bound.key.replace(".", "_").split("_"))


def shown_schema(bound: BoundResource) -> type[Schema]:
    """What answers show of a record, by REST and GraphQL alike."""
    resource = bound.resource
    keys = resource.readable if resource.rest else tuple(key for key in resource.readable if key in resource.graphql)
    deleted = {DELETED_AT: fields.Instant(allow_none=True, metadata=DELETED_SINCE)} if resource.soft_delete else {}
    return schema(name_of(bound), bound, keys, written=False, **deleted)


def schema(name: str, bound: BoundResource, keys: tuple[str, ...], *, written: bool, **more: Any) -> type[Schema]:
    """A schema class over the columns ``keys``, with ``more`` fields."""
    columns = bound.resource.columns_known
    made = {key: _field(bound, key, written=written) for key in keys if not _secret(columns[key])} | more
    found = Schema.from_dict(dict(made), name=f"{name}Schema")
    assert issubclass(found, Schema)
    return found


def _field(bound: BoundResource, key: str, *, written: bool) -> Any:
    column = bound.resource.columns_known[key]
    if not written and key in bound.resource.files:
        return fields.File(allow_none=True)
    if not written and key in bound.resource.translated:
        return fields.Translated(allow_none=bool(column.nullable))
    return field_of(column, written=written)


def field_of(column: Any, *, written: bool) -> Any:
    """The wire field of a column."""
    kind = column.type
    options: dict[str, Any] = {"allow_none": bool(column.nullable)}
    if written:
        has_default = column.default is not None or column.server_default is not None
        options["required"] = not column.nullable and not has_default
    if isinstance(kind, sa.Enum):
        return fields.String(validate=validate.OneOf(kind.enums), **options)
    if column.info.get("choices"):
        return fields.String(validate=validate.OneOf(column.info["choices"]), **options)
    if isinstance(kind, AddressColumn):
        return fields.Address(chain=next(one.id for one in CHAINS.values() if one.format == kind.format), **options)
    if isinstance(kind, sa.String):
        longest = kind.length or LONGEST_TEXT
        shortest = 0 if column.nullable or not written else 1
        return fields.String(validate=validate.Length(min=shortest, max=longest), **options)
    if isinstance(kind, Units):
        return fields.Units(**options)
    if isinstance(kind, sa.Boolean):
        return fields.Boolean(**options)
    if isinstance(kind, sa.Integer):
        most = 2**63 - 1 if isinstance(kind, sa.BigInteger) else 2**31 - 1
        return fields.Integer(strict=written, validate=validate.Range(-most, most), **options)
    if isinstance(kind, sa.DateTime):
        return fields.Instant(**options)
    if isinstance(kind, sa.Date):
        return fields.Date(**options)
    if isinstance(kind, sa.Uuid):
        return fields.UUID(**options)
    if isinstance(kind, sa.Numeric):
        told: dict[str, Any] = {} if written else {"metadata": {"type": "string", "format": "decimal"}}
        return fields.Decimal(as_string=True, **told, **options)
    if isinstance(kind, (sa.JSON, JSONB)):
        return fields.Raw(**options)
    raise TypeError(f"{column}: no wire format for {kind!r}; name it in Resource(hidden=…)")


def _secret(column: Any) -> bool:
    return bool(column.info.get("secret"))


def list_query(bound: BoundResource) -> Schema:
    """The query parameters of the list: paging, prefix search, the filters of each declared column."""
    made: dict[str, Any] = {}
    if bound.resource.search:
        begin = [key for key in bound.resource.search if key not in bound.resource.full_text]
        parts = [f"beginning of {key}" for key in begin] + [f"words of {key}" for key in bound.resource.full_text]
        about = {"description": f"{' or '.join(parts).capitalize()}."}
        made["q"] = fields.String(validate=validate.Length(max=120), metadata=about)
    for key in bound.resource.filters:
        made |= _filters(bound, key)
    query: Any = type(f"{name_of(bound)}Query", (PageQuery,), made | _deleted(bound, ALL_DELETED))
    found: Schema = query()
    return found


def _one_query(bound: BoundResource) -> Schema:
    """The query parameters of one record."""
    query: Any = type(f"{name_of(bound)}OneQuery", (Schema,), _deleted(bound, ONE_DELETED))
    found: Schema = query()
    return found


def _deleted(bound: BoundResource, about: str) -> dict[str, Any]:
    asked = fields.Boolean(load_default=False, metadata={"description": about, "example": False})
    return {"deleted": asked} if bound.resource.soft_delete else {}


def _filters(bound: BoundResource, key: str) -> dict[str, Any]:
    """The parameters of one filter column: its value, several with commas of a list of choices, a range of what has
    an order."""
    column, kind = bound.resource.columns_known[key], kind_of(bound, key)
    one = field_of(column, written=False)
    if kind == "choice":
        values = (
            getattr(column.type, "enums", None) or column.info.get("choices") or bound.resource.states.get(key) or ()
        )
        about = {"description": "One value, or several with commas between.", "example": next(iter(values), "")}
        return {key: Several(tuple(values), metadata=about)}
    if kind not in ("date", "number"):
        return {key: one}
    begin, end = (field_of(column, written=False) for _bound in range(2))
    begin.metadata["description"] = f"{key} is this or later." if kind == "date" else f"{key} is at least this."
    end.metadata["description"] = f"{key} is before this." if kind == "date" else f"{key} is at most this."
    return {key: one, f"{key}_from": begin, f"{key}_to": end}


def _compared(column: Any, key: str, query: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if key in query:
        several = isinstance(query[key], list)
        found.append(column.in_(query[key]) if several else column == query[key])
    if f"{key}_from" in query:
        found.append(column >= query[f"{key}_from"])
    if f"{key}_to" in query:
        to = query[f"{key}_to"]
        found.append(column < to if isinstance(column.type, (sa.DateTime, sa.Date)) else column <= to)
    return found


class Several(fields.String):
    """Values of a fixed list with commas between; loads to a list."""

    def __init__(self, values: tuple[str, ...], **options: Any) -> None:
        super().__init__(**options)
        self.values = values

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        given = str(super()._deserialize(value, attr, data, **kwargs)).split(",")
        if self.values:
            for one in given:
                validate.OneOf(self.values)(one)
        return given


def order_of(bound: BoundResource) -> Order:
    """The order a list has unless another is asked for."""
    order = bound.resource.order
    return keyset(bound, order.removeprefix("-"), order.startswith("-"))


def keyset(bound: BoundResource, key: str, descending: bool) -> Order:
    """The order by column ``key``, where the primary key decides among equals."""
    model = bound.resource.model
    keys = [(getattr(model, key), descending)]
    if key != bound.resource.key:
        keys.append((getattr(model, bound.resource.key), descending))
    return keys


def page_of(bound: BoundResource, session: Session, actor: Actor, query: dict[str, Any], *, order: Order) -> Page:
    """One page of what ``actor`` may know of. ``query`` is what ``list_query`` loads to.

    Raises PermissionMissing where not even one's own records may be reached, Invalid for a cursor of elsewhere.
    """
    model = bound.resource.model
    statement = sa.select(model)
    if (visible := bound.visible(actor, deleted=query.get("deleted", False))) is not None:
        statement = statement.where(visible)
    for key in bound.resource.filters:
        statement = statement.where(*_compared(bound.resource.attribute(key), key, query))
    if query.get("q"):
        statement = statement.where(search_for(bound, query["q"]))
    page = paginate(session, statement, order, limit=query["limit"], cursor=query["cursor"])
    bound.fill(session, page.items)
    return page


def _named(view: Any, name: str, summary: str) -> None:
    view.__name__ = name.replace("-", "_")
    view.__doc__ = summary
