"""The schema: a type, a field and a list for each resource, from the fields and filters that REST has too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
)
from marshmallow import ValidationError

from core.errors import Invalid, NotFound
from core.graphql.limits import PAGE, PAGED
from core.graphql.loading import Reading, Row
from core.resources.resource import BoundResource
from core.rest import fields
from core.rest.paging import Page, encode
from core.rest.resource import Several, keyset, list_query, name_of, order_of, page_of, shown_schema
from core.rest.schema import Schema

Info = GraphQLResolveInfo[Any]
LONG = GraphQLScalarType("Long", description="A whole number of up to 63 bits.")
DATE_TIME = GraphQLScalarType("DateTime", description="A moment as RFC 3339.")
DATE = GraphQLScalarType("Date", description="A day, such as 2026-01-31.")
DECIMAL = GraphQLScalarType("Decimal", description="A decimal number as text.")
UNITS = GraphQLScalarType("Units", description="A whole number of units, as text.")
JSON = GraphQLScalarType("JSON", description="Any JSON.")
KINDS: tuple[tuple[type, GraphQLScalarType], ...] = (
    (fields.Boolean, GraphQLBoolean),
    (fields.Instant, DATE_TIME),
    (fields.Date, DATE),
    (fields.UUID, GraphQLID),
    (fields.Decimal, DECIMAL),
    (fields.Units, UNITS),
    (fields.String, GraphQLString),
    (fields.Float, GraphQLFloat),
)
PAGE_INFO = GraphQLObjectType(
    "PageInfo",
    {
        "hasNextPage": GraphQLField(GraphQLNonNull(GraphQLBoolean)),
        "hasPreviousPage": GraphQLField(GraphQLNonNull(GraphQLBoolean)),
        "startCursor": GraphQLField(GraphQLString),
        "endCursor": GraphQLField(GraphQLString),
    },
)
EVENT = GraphQLObjectType(
    "Event",
    {
        "id": GraphQLField(GraphQLNonNull(GraphQLID)),
        "name": GraphQLField(GraphQLNonNull(GraphQLString)),
        "occurredAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
        "payload": GraphQLField(GraphQLNonNull(JSON), description="As its JSON Schema in the event catalogue says."),
    },
    description="Something that happened.",
)


@dataclass
class Asked:
    """What a subscription asks for, as its field says: ``names`` of events, None for all; ``seen`` once it has said."""

    known: frozenset[str]
    names: frozenset[str] | None = None
    seen: bool = False


def _event(root: Any, info: Info, names: list[str] | None = None) -> Any:
    asked: Asked = info.context
    if names is not None and not asked.known.issuperset(names):
        raise NotFound()
    asked.names, asked.seen = None if names is None else frozenset(names), True
    return root


def camel(name: str) -> str:
    """``lent_at`` as GraphQL spells it: ``lentAt``."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def is_shared(bound: BoundResource) -> bool:
    """Whether GraphQL has this resource."""
    resource = bound.resource
    return bool((resource.rest or resource.graphql) and {"list", "show"} & set(resource.actions))


def build(resources: Iterable[BoundResource]) -> tuple[GraphQLSchema, dict[str, Schema]]:
    """The schema of ``resources``, and by resource how a record is shown."""
    shared = [one for one in resources if is_shared(one)]
    made = _Builder(shared)
    query: dict[str, GraphQLField] = {}
    for bound in shared:
        name = name_of(bound)
        if "show" in bound.resource.actions:
            query[name[0].lower() + name[1:]] = made.one(bound)
        if "list" in bound.resource.actions:
            query[camel(f"{bound.plugin}_{bound.path}".replace("-", "_"))] = made.page(bound)
    names = GraphQLArgument(GraphQLList(GraphQLNonNull(GraphQLString)), description="Of these names; default all.")
    events = GraphQLField(
        GraphQLNonNull(EVENT),
        {"names": names},
        resolve=_event,
        description="Events as they are committed. It takes core:event:list, and Accept: text/event-stream.",
    )
    subscription = GraphQLObjectType("Subscription", {"events": events})
    return GraphQLSchema(GraphQLObjectType("Query", query), subscription=subscription), made.schemas


class _Builder:
    def __init__(self, shared: list[BoundResource]) -> None:
        self.schemas = {bound.key: shown_schema(bound)() for bound in shared}
        self._by_table = {bound.resource.table: bound for bound in shared if "show" in bound.resource.actions}
        self._types = {bound.key: self._type(bound) for bound in shared}

    def _type(self, bound: BoundResource) -> GraphQLObjectType:
        return GraphQLObjectType(name_of(bound), lambda: self._fields(bound), description=bound.label)

    def _fields(self, bound: BoundResource) -> dict[str, GraphQLField]:
        found: dict[str, GraphQLField] = {}
        for key, one in self.schemas[bound.key].dump_fields.items():
            kind = _kind(one)
            help_text = bound.resource.help.get(key) or bound.resource.columns_known[key].info.get("help") or None
            # A column of JSON that is never empty may hold JSON's own null.
            found[camel(key)] = GraphQLField(
                kind if one.allow_none or kind is JSON else GraphQLNonNull(kind),
                resolve=_shown(key),
                description=help_text,
            )
        for key in self.schemas[bound.key].dump_fields:
            if (other := self._referred(bound, key)) is not None:
                name = camel(key.removesuffix("_id"))
                name = f"{name}Record" if name in found else name
                found[name] = GraphQLField(
                    self._types[other.key],
                    resolve=_referred(other, key),
                    description=f"What {camel(key)} refers to; null also where it may not be known of.",
                    extensions={"reference": True},
                )
        return found

    def _referred(self, bound: BoundResource, key: str) -> BoundResource | None:
        """The resource whose records column ``key`` names."""
        for reference in bound.resource.columns_known[key].foreign_keys:
            other = self._by_table.get(reference.column.table.name)
            if other and other.resource.columns_of_model[other.resource.key] is reference.column:
                return other
        return None

    def one(self, bound: BoundResource) -> GraphQLField:
        """The field that gives one record by its key."""

        async def resolve(_root: Any, info: Info, id: str) -> Row:
            reading: Reading = info.context
            reading.admit(bound)
            row = await reading.load(bound, bound.parse_key(id))
            if row is None:
                raise NotFound()
            return row

        return GraphQLField(
            self._types[bound.key],
            {"id": GraphQLArgument(GraphQLNonNull(GraphQLID))},
            resolve=resolve,
            extensions={"reference": True},
        )

    def page(self, bound: BoundResource) -> GraphQLField:
        """The field that gives a page of records."""
        name = name_of(bound)
        edge = GraphQLObjectType(
            f"{name}Edge",
            {
                "cursor": GraphQLField(GraphQLNonNull(GraphQLString)),
                "node": GraphQLField(GraphQLNonNull(self._types[bound.key])),
            },
        )
        connection = GraphQLObjectType(
            f"{name}Connection",
            {
                "edges": GraphQLField(GraphQLNonNull(GraphQLList(GraphQLNonNull(edge)))),
                "pageInfo": GraphQLField(GraphQLNonNull(PAGE_INFO)),
            },
        )
        accepted = list_query(bound)
        orders = _orders(bound)
        filters = {key: one for key, one in accepted.load_fields.items() if key not in ("limit", "cursor")}
        arguments = {
            "first": GraphQLArgument(GraphQLInt, default_value=PAGE, description="Rows a page."),
            "after": GraphQLArgument(GraphQLString, description="endCursor of the page before."),
        }
        if filters:
            inputs = {camel(key): _input(one) for key, one in filters.items()}
            arguments["filter"] = GraphQLArgument(GraphQLInputObjectType(f"{name}Filter", inputs))
        arguments["orderBy"] = GraphQLArgument(GraphQLEnumType(f"{name}Order", {one: one for one in orders}))

        def resolve(_root: Any, info: Info, **given: Any) -> dict[str, Any]:
            reading: Reading = info.context
            reading.admit(bound)
            chosen, first = given.get("filter") or {}, given.get("first")
            asked = {key: _text(value) for key in filters if (value := chosen.get(camel(key))) is not None}
            asked |= {"limit": PAGE if first is None else first, "cursor": given.get("after") or ""}
            try:
                query = accepted.load(asked)
            except ValidationError as problem:
                told = problem.normalized_messages()  # type: ignore[no-untyped-call]
                renamed = {"limit": "first", "cursor": "after"}
                raise Invalid({renamed.get(key) or camel(key): told[key] for key in told}) from None
            keys = orders[given["orderBy"]] if given.get("orderBy") else order_of(bound)
            page = reading.run(lambda: page_of(bound, reading.session, reading.actor, query, order=keys))
            return self._connection(bound, page, keys, bool(query["cursor"]))

        return GraphQLField(connection, arguments, resolve=resolve, extensions={PAGED: True})

    def _connection(self, bound: BoundResource, page: Page, keys: Any, later: bool) -> dict[str, Any]:
        edges = [
            {
                "cursor": encode([getattr(record, column.key) for column, _descending in keys]),
                "node": Row(record, self.schemas[bound.key]),
            }
            for record in page.items
        ]
        about = {
            "hasNextPage": page.next_cursor is not None,
            "hasPreviousPage": later,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        }
        return {"edges": edges, "pageInfo": about}


def _orders(bound: BoundResource) -> dict[str, Any]:
    """By name what a list can be sorted by: its declared order and its key, which indexes serve, either way."""
    columns = dict.fromkeys((bound.resource.order.removeprefix("-"), bound.resource.key))
    return {
        f"{key.upper()}_{'DESC' if descending else 'ASC'}": keyset(bound, key, descending)
        for key in columns
        for descending in (False, True)
    }


def _kind(one: Any) -> GraphQLScalarType:
    """The type of a wire field."""
    if isinstance(one, fields.Integer):
        return LONG if getattr(one.validate, "max", 2**63) >= 2**31 else GraphQLInt
    return next((kind for wire, kind in KINDS if isinstance(one, wire)), JSON)


def _input(one: Any) -> GraphQLInputField:
    about = one.metadata.get("description")
    if isinstance(one, Several):
        return GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLString)), description="Any of these.")
    return GraphQLInputField(_kind(one), description=about)


def _text(value: Any) -> Any:
    """A filter's value as REST takes it: several with commas between."""
    return ",".join(value) if isinstance(value, list) else value


def _shown(key: str) -> Any:
    def resolve(row: Row, _info: Info) -> Any:
        return row.shown.get(key)

    return resolve


def _referred(other: BoundResource, key: str) -> Any:
    def resolve(row: Row, info: Info) -> Any:
        value = getattr(row.record, key)
        return None if value is None else info.context.load(other, value)

    return resolve
