"""REST of leaderboards, seasons and analytics, under ``/api/v1/contributions``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, g, jsonify, request
from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound, now, read_settings
from guildhall.web import Schema, fields

from . import analytics, boards, seasons
from .models import Season
from .rest import rest
from .settings import ContributionSettings

EXPORTED = 10_000
PAGE = 1000


class BoardQuery(Schema):
    """Which leaderboard: of a season, a challenge or a type, or of a period."""

    period = fields.String(load_default="all", validate=validate.OneOf(("all", "month", "week")))
    at = fields.Instant(metadata={"description": "A moment within the month or week; now when left out."})
    type = fields.String(validate=validate.Length(1, 80))
    challenge_id = fields.UUID()
    season_id = fields.UUID()


class LeaderboardQuery(BoardQuery):
    """Which leaderboard, and how much of it."""

    top = fields.Integer(load_default=25, validate=validate.Range(1, 200))
    live = fields.Boolean(
        load_default=False, metadata={"description": "Behind a freeze; needs contributions:leaderboard:freeze."}
    )


class RankSchema(Schema):
    """A place; equal points share a rank."""

    rank = fields.Integer(required=True)
    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    points = fields.Integer(required=True)
    count = fields.Integer(required=True)


class LeaderboardSchema(Schema):
    """The best of a board in UTC, your own place, and those around it where the best do not reach so far."""

    board = fields.String(required=True)
    period = fields.String(required=True)
    start = fields.Instant(allow_none=True)
    end = fields.Instant(allow_none=True)
    frozen_at = fields.Instant(allow_none=True)
    ranks = fields.List(fields.Nested(RankSchema), required=True)
    me = fields.Nested(RankSchema, allow_none=True)
    neighbours = fields.List(fields.Nested(RankSchema), required=True)


class FreezeSchema(Schema):
    """Since when a board is frozen; null when it is live."""

    board = fields.String(required=True)
    frozen_at = fields.Instant(allow_none=True)


class ShownBody(Schema):
    """Whether you are on leaderboards."""

    shown = fields.Boolean(required=True)


class SeasonSchema(Schema):
    """A season and whether it is closed."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    starts_at = fields.Instant(required=True)
    ends_at = fields.Instant(required=True)
    state = fields.String(required=True)
    closed_at = fields.Instant(allow_none=True)


class SpanQuery(Schema):
    """A span of days, both included; the last 90 when left out."""

    first = fields.Date()
    last = fields.Date()


class DaySchema(Schema):
    """What counted on a UTC day of one type."""

    day = fields.Date(required=True)
    type = fields.String(required=True)
    count = fields.Integer(required=True)
    points = fields.Integer(required=True)
    members = fields.Integer(required=True)


class CohortQuery(Schema):
    """From which month on; the last twelve when left out."""

    since = fields.Date()


class CohortSchema(Schema):
    """Members by their first month; ``active[n]`` contributed n months later."""

    month = fields.Date(required=True)
    active = fields.List(fields.Integer(), required=True)


class ExportQuery(Schema):
    """Which events; ``after`` is the last line's ``next`` of the answer before."""

    start = fields.Instant()
    end = fields.Instant()
    after = fields.String(validate=validate.Length(1, 100))


@rest.get("/leaderboard", public=True)
@rest.arguments(LeaderboardQuery, location="query")
@rest.response(200, LeaderboardSchema)
def leaderboard(session: Session, actor: Actor, query: dict[str, Any]) -> Any:
    """Get a leaderboard; without signing in only where the settings make it public. Answers with an ETag."""
    if not read_settings(session, ContributionSettings).public_leaderboard:
        actor.require("contributions:leaderboard:show")
    if query["live"]:
        actor.require("contributions:leaderboard:freeze")
    data = LeaderboardSchema().dump(boards.leaderboard(session, me=actor.member_id, **query))
    response = jsonify({"success": True, "data": data, "meta": {"request_id": g.request_id}})
    response.set_etag(
        hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:32], weak=True
    )
    response.vary.add("Authorization")
    return response.make_conditional(request)


@rest.post("/leaderboard/freeze", permission="contributions:leaderboard:freeze", idempotent=True)
@rest.arguments(BoardQuery)
@rest.response(200, FreezeSchema)
def freeze_leaderboard(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Show a board to everybody as it stands now until it is thawed."""
    board = boards.find(session, **body)
    return {"board": board.key, "frozen_at": boards.freeze(session, actor, board)}


@rest.post("/leaderboard/thaw", permission="contributions:leaderboard:freeze", idempotent=True)
@rest.arguments(BoardQuery)
@rest.response(200, FreezeSchema)
def thaw_leaderboard(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Show a board live again."""
    board = boards.find(session, **body)
    boards.thaw(session, actor, board)
    return {"board": board.key, "frozen_at": None}


@rest.get("/me/leaderboard", signed_in=True)
@rest.response(200, ShownBody)
def get_shown(session: Session, actor: Actor) -> dict[str, Any]:
    """Tell whether you are on leaderboards."""
    if actor.member_id is None:
        raise NotFound()
    return {"shown": boards.is_shown(session, actor.member_id)}


@rest.put("/me/leaderboard", signed_in=True)
@rest.arguments(ShownBody)
@rest.response(200, ShownBody)
def set_shown(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Be on leaderboards, or vanish from them for everybody else; your own rank is still told to you."""
    if actor.member_id is None:
        raise NotFound()
    boards.show(session, actor.member_id, shown=body["shown"])
    return body


@rest.post("/seasons/<uuid:key>/close", permission="contributions:season:close", idempotent=True, moves_value=True)
@rest.response(200, SeasonSchema)
def close_season(session: Session, actor: Actor, key: UUID) -> Season:
    """Close a season that is over and ask for its awards, once."""
    return seasons.close(session, actor, key)


@rest.get("/analytics/days", permission="contributions:analytics:show")
@rest.arguments(SpanQuery, location="query")
@rest.response(200, DaySchema(many=True))
def daily_figures(session: Session, actor: Actor, query: dict[str, Any]) -> list[analytics.DayFigures]:
    """Get what counted on each UTC day of each type; at most 366 days."""
    last: date = query.get("last") or now().date()
    return analytics.days(session, query.get("first") or last - timedelta(days=89), last)


@rest.get("/analytics/cohorts", permission="contributions:analytics:show")
@rest.arguments(CohortQuery, location="query")
@rest.response(200, CohortSchema(many=True))
def cohorts(session: Session, actor: Actor, query: dict[str, Any]) -> list[analytics.Cohort]:
    """Get how many of those who began in a month came back in each later one."""
    return analytics.cohorts(session, query.get("since") or now().date() - timedelta(days=365))


@rest.get("/analytics/events", permission="contributions:analytics:show")
@rest.arguments(ExportQuery, location="query")
@rest.response(200, content_type="application/x-ndjson")
def export_events(session: Session, actor: Actor, query: dict[str, Any]) -> Response:
    """Export contributions as NDJSON, oldest first: ids and figures, no names; at most 10,000 lines an answer."""
    start, until = query.get("start"), query.get("end") or now() + timedelta(days=1)
    after: tuple[datetime, UUID] | None = (start, UUID(int=0)) if start else None
    if given := query.get("after"):
        at, _sep, last = given.partition("_")
        try:
            after = (datetime.fromisoformat(at), UUID(last))
        except ValueError:
            raise NotFound() from None
    return Response("".join(_exported(session, after, until)), mimetype="application/x-ndjson")


def _exported(session: Session, after: tuple[datetime, UUID] | None, until: datetime) -> Iterator[str]:
    for _page in range(EXPORTED // PAGE):
        found = analytics.events(session, after, until, PAGE)
        for one in found:
            line = {
                "id": str(one.id),
                "member_id": str(one.member_id),
                "type": one.type,
                "type_version": one.type_version,
                "state": one.state,
                "reason": one.reason,
                "points": one.points,
                "correction": one.correction,
                "source": one.source,
                "occurred_at": one.occurred_at.isoformat(),
                "created_at": one.created_at.isoformat(),
                "next": f"{one.occurred_at.isoformat()}_{one.id}",
            }
            yield json.dumps(line, separators=(",", ":")) + "\n"
        if len(found) < PAGE:
            return
        after = (found[-1].occurred_at, found[-1].id)
        session.expunge_all()
