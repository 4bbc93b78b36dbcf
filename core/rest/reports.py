"""Reports for clients."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow.validate import OneOf
from sqlalchemy.orm import Session

from core.actor import Actor
from core.reports import period as periods
from core.reports import run as reports
from core.reports import shown
from core.rest import fields
from core.rest.auth import rest
from core.rest.schema import Schema

KNOWN = ("period", "first", "last", "compare")


class ReportColumnSchema(Schema):
    name = fields.String(metadata={"example": "joined"})
    label = fields.String(metadata={"example": "Joined"})
    kind = fields.String(metadata={"example": "integer"})


class ReportSchema(Schema):
    name = fields.String(metadata={"example": "core.new_members"})
    label = fields.String(metadata={"example": "New members"})
    help = fields.String()
    columns = fields.List(fields.Nested(ReportColumnSchema))
    parameters = fields.List(fields.String(), metadata={"description": "What can be chosen beside the period."})


class PeriodSchema(Schema):
    first = fields.Date(metadata={"example": "2026-01-01"})
    last = fields.Date(metadata={"example": "2026-01-31", "description": "The last day, itself included."})
    zone = fields.String(metadata={"example": "UTC"})


class ReportResultSchema(Schema):
    name = fields.String(metadata={"example": "core.new_members"})
    period = fields.Nested(PeriodSchema)
    parameters = fields.Dict(keys=fields.String(), values=fields.String())
    columns = fields.List(fields.Nested(ReportColumnSchema))
    rows = fields.List(
        fields.List(fields.Raw(allow_none=True)),
        metadata={"description": "A cell per column; decimals are strings.", "example": [["2026-01-01", 3, 3]]},
    )
    totals = fields.Dict(keys=fields.String(), values=fields.Raw(), metadata={"example": {"joined": 3}})
    before = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        allow_none=True,
        metadata={"description": "The totals of the period before, where they were asked for.", "example": None},
    )
    made_at = fields.Instant()


class ReportQuery(Schema):
    class Meta:
        unknown = "include"

    period = fields.String(load_default=periods.DEFAULT, validate=OneOf(list(periods.SHORTCUTS)))
    first = fields.String(load_default="", metadata={"description": "First day, instead of a period by its name."})
    last = fields.String(load_default="", metadata={"description": "Last day."})
    compare = fields.Boolean(load_default=False, metadata={"description": "Give the totals of the period before too."})


@rest.get("/reports", permission="core:report:list")
@rest.response(200, ReportSchema(many=True))
def list_reports(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Reports you may see."""
    return [
        {
            "name": key,
            "label": report.label,
            "help": report.help,
            "columns": [one for one in report.columns if not one.hidden],
            "parameters": [one.name for one in report.parameters],
        }
        for key, report in reports.available(session, actor).items()
    ]


@rest.get("/reports/<name>", permission="core:report:list")
@rest.arguments(ReportQuery, location="query")
@rest.response(200, ReportResultSchema)
def run_report(session: Session, actor: Actor, query: dict[str, Any], name: str) -> dict[str, Any]:
    """A report over a period, in your time zone. Its own parameters are further parameters of the query."""
    zone = reports.zone_of(session, actor)
    period = periods.chosen(query["period"], query["first"], query["last"], reports.today_in(zone), zone)
    given = {name: value for name, value in request.args.items() if name not in KNOWN}
    return shown.wire(reports.run(session, actor, name, period, given, compare=query["compare"]))
