"""``/api/v1/graphql``: queries as JSON, subscriptions as a stream, and the schema as text."""

from __future__ import annotations

from functools import partial
from json import dumps
from typing import Any

from flask import Flask, Response, current_app, request
from graphql import print_schema
from marshmallow import validate
from sqlalchemy.orm import Session

from core import lifecycle, settings
from core.actor import Actor
from core.errors import Invalid
from core.gateway import request as gateway
from core.graphql import schema as schemas
from core.graphql import sse
from core.graphql.errors import StreamWanted
from core.graphql.execution import Prepared, Refused, carry_out, prepare
from core.graphql.streams import Place, Streams
from core.i18n import _
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.body import read_json
from core.rest.schema import Schema

rest = RestBlueprint("core", part="graphql", prefix="/api/v1/graphql")
LONGEST = 100_000  # characters of a query
BODY = 256 * 1024
SEES_EVENTS = "core:event:list"
EVENT_STREAM, MODERN = "text/event-stream", "application/graphql-response+json"
EXAMPLE = "{ coreMembers(first: 2) { edges { node { id displayName } } pageInfo { endCursor hasNextPage } } }"


class QueryBody(Schema):
    query = fields.String(required=True, validate=validate.Length(1, LONGEST), metadata={"example": EXAMPLE})
    variables = fields.Dict(keys=fields.String(), allow_none=True, metadata={"example": {}})
    operationName = fields.String(allow_none=True, metadata={"example": None})
    extensions = fields.Dict(allow_none=True, metadata={"example": {}, "description": "Taken and not used."})


class QueryParameters(Schema):
    query = fields.String(required=True, metadata={"example": "{ __typename }"})
    variables = fields.String(metadata={"description": "A JSON object."})
    operationName = fields.String()
    extensions = fields.String(metadata={"description": "Taken and not used."})


class GraphqlAnswerSchema(Schema):
    data = fields.Raw(allow_none=True)
    errors = fields.List(fields.Dict(), metadata={"description": "Each with our code at `extensions.code`."})


class Served:
    """What one application keeps: its schemas by what is disabled, its open streams."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.streams = Streams(platform.database)
        self._made: dict[frozenset[str], Any] = {}

    def schema(self, session: Session) -> Any:
        """The schema of what is enabled now, and how its records are shown."""
        off = lifecycle.disabled(session)
        if off not in self._made:
            found = [one for one in self.platform.registry.resources.values() if one.plugin not in off]
            self._made[off] = schemas.build(found)
        return self._made[off]


def install(app: Flask, platform: Platform) -> RestBlueprint:
    """The blueprint, for ``core.rest.openapi.install`` to register."""
    app.extensions["guildhall.graphql"] = Served(platform)
    return rest


def served() -> Served:
    found: Served = current_app.extensions["guildhall.graphql"]
    return found


@rest.post("", signed_in=True, reads=True, any_key=True, body_limit=BODY)
@rest.arguments(QueryBody)
@rest.response(200, GraphqlAnswerSchema, plain=True)
def graphql_query(session: Session, actor: Actor, body: dict[str, Any]) -> Response:
    """Carry out a GraphQL query; a subscription with Accept: text/event-stream."""
    return _answered(session, actor, body)


@rest.get("", signed_in=True, any_key=True)
@rest.arguments(QueryParameters, location="query")
@rest.response(200, GraphqlAnswerSchema, plain=True)
def graphql_get(session: Session, actor: Actor, query: dict[str, Any]) -> Response:
    """Carry out a short GraphQL query; what EventSource asks a subscription by."""
    variables = read_json(query["variables"]) if query.get("variables") else None
    if not isinstance(variables, dict | None):
        raise Invalid({"variables": [_("Not a valid mapping type.")]})
    return _answered(session, actor, {**query, "variables": variables})


@rest.get("/schema", signed_in=True, any_key=True)
@rest.response(200, plain=True, content_type="text/plain", description="The schema definition language.")
def graphql_schema(session: Session, actor: Actor) -> Response:
    """The GraphQL schema of every enabled plugin."""
    return Response(print_schema(served().schema(session)[0]) + "\n", mimetype="text/plain")


def _answered(session: Session, actor: Actor, query: dict[str, Any]) -> Response:
    chosen = settings.read(session, PlatformSettings)
    schema, shown = served().schema(session)
    prepared = prepare(schema, chosen, query)
    wanted = request.accept_mimetypes.best_match(["application/json", MODERN, EVENT_STREAM])
    if isinstance(prepared, Prepared) and prepared.subscribes:
        if wanted != EVENT_STREAM:
            raise StreamWanted()
        return _subscribed(session, actor, prepared, chosen)
    result = prepared.answer if isinstance(prepared, Refused) else carry_out(prepared, session, actor, chosen, shown)
    if wanted == EVENT_STREAM:
        return sse.streamed(sse.once(result))
    if wanted != MODERN:
        return Response(dumps(result), mimetype="application/json")  # in the order that was asked for
    return Response(dumps(result), 200 if "data" in result else 400, mimetype=MODERN)


def _subscribed(session: Session, actor: Actor, prepared: Prepared, chosen: PlatformSettings) -> Response:
    """Open the stream. What the request held of the database is given back before anything is sent."""
    actor.require(SEES_EVENTS)
    platform, streams = served().platform, served().streams
    still_may = partial(_still_may, current_app._get_current_object(), request.environ)  # type: ignore[attr-defined]
    follower = sse.Follower(prepared, frozenset(platform.registry.events), platform.database, still_may)
    if (refused := follower.tried()) is not None:
        return sse.streamed(sse.once(refused))
    last = request.headers.get("Last-Event-ID", "").strip()
    resume = Place.read(session, last) if last else None
    most = min(chosen.streams, max(1, platform.config.web_threads // 2))
    session.commit()
    session.close()
    release = streams.admit(actor.member_id, most=most, each=chosen.streams_each)
    answer = sse.streamed(follower.parts(streams, resume, chosen.stream_minutes * 60))
    answer.call_on_close(release)
    return answer


def _still_may(app: Flask, environ: dict[str, Any]) -> None:
    """Ask again who this is and what they may. Raises Unauthenticated, PermissionMissing."""
    gateway.identify_again(app, environ).require(SEES_EVENTS)
