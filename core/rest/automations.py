"""Automations for clients: written, tried out, turned on and off, started by hand; what they did; as YAML."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from marshmallow.validate import Length, OneOf, Range
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import running, service, suggested, transfer, trial
from core.automations.models import RUN_STATES, STATES, TURN_STATES, Automation, AutomationRun, AutomationTurn
from core.rest import fields
from core.rest.auth import rest
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema

EXAMPLE = {
    "trigger": {"kind": "event", "event": "core.member.registered"},
    "condition": {"rows": [{"field": "member.tier", "operator": "is", "value": "pro"}]},
    "actions": [{"action": "core.set_tag", "values": {"tag": "early-bird"}}],
    "limits": {"per_member": {"times": 1, "period": "ever"}},
}
WHAT = {"type": "object", "example": EXAMPLE}


class AutomationSchema(Schema):
    id = fields.UUID()
    name = fields.String(metadata={"example": "Welcome"})
    description = fields.String()
    state = fields.String(metadata={"enum": list(STATES)})
    version = fields.Integer(allow_none=True, metadata={"description": "The one in force."})
    latest = fields.Integer(metadata={"description": "The newest one."})
    enabled_by = fields.UUID(allow_none=True)
    enabled_at = fields.Instant(allow_none=True)
    next_at = fields.Instant(allow_none=True, metadata={"description": "The next turn of a schedule."})
    created_at = fields.Instant()


class AutomationShownSchema(AutomationSchema):
    definition = fields.Raw(metadata={**WHAT, "description": "What the newest version says."})
    waits = fields.Raw(metadata={"type": "object", "description": "What it names that is not there, by place."})
    readable = fields.Boolean(metadata={"description": "This release can read it; else it is shown as it is kept."})
    stopped = fields.Boolean(metadata={"description": "All automations are switched off."})
    lacking = fields.List(
        fields.String(), metadata={"description": "Permissions that who turned it on no longer holds."}
    )
    pending = fields.Integer(metadata={"description": "Deliveries that wait for it."})
    runs = fields.Raw(metadata={"type": "object", "description": "Runs of the last seven days, by state."})


class RunSchema(Schema):
    id = fields.UUID()
    automation_id = fields.UUID()
    version = fields.Integer()
    state = fields.String(metadata={"enum": list(RUN_STATES)})
    code = fields.String(metadata={"description": "Why it is not done.", "example": "AUTOMATION_LIMIT"})
    sentence = fields.String()
    event_id = fields.UUID(allow_none=True)
    event_name = fields.String()
    turn_id = fields.UUID(allow_none=True)
    member_id = fields.UUID(allow_none=True)
    results = fields.List(fields.Raw(metadata={"type": "object"}), metadata={"description": "One for each action."})
    tries = fields.Integer()
    took_ms = fields.Integer()
    correlation_id = fields.UUID()
    at = fields.Instant()


class TurnSchema(Schema):
    id = fields.UUID()
    automation_id = fields.UUID()
    state = fields.String(metadata={"enum": list(TURN_STATES)})
    seen = fields.Integer()
    matched = fields.Integer()
    due_at = fields.Instant()
    finished_at = fields.Instant(allow_none=True)


class TriedActionSchema(Schema):
    action = fields.String(metadata={"example": "core.set_tag"})
    label = fields.String()
    state = fields.String(metadata={"enum": ["done", "failed", "left"]})
    values = fields.Raw(metadata={"type": "object"})
    result = fields.Raw(metadata={"type": "object"})
    code = fields.String()
    sentence = fields.String()
    params = fields.Raw(metadata={"type": "object"})


class TriedSchema(Schema):
    matched = fields.Boolean()
    why = fields.String(metadata={"description": "Why it did not match."})
    event_id = fields.UUID(allow_none=True)
    occurred_at = fields.Instant(allow_none=True)
    member_id = fields.UUID(allow_none=True)
    actions = fields.List(fields.Nested(TriedActionSchema))


class TrialSchema(Schema):
    asked = fields.Integer()
    ended_early = fields.Boolean(metadata={"description": "The time was over before all were tried."})
    tried = fields.List(fields.Nested(TriedSchema))


class AutomationFileSchema(Schema):
    yaml = fields.String(metadata={"example": "automations:\n  - name: Welcome\n"})


class AutomationCopySchema(Schema):
    automation_id = fields.UUID()
    changed = fields.Boolean(metadata={"description": "The plugin suggests something else by now."})
    altered = fields.Boolean(metadata={"description": "The copy was changed since it was taken over."})


class SuggestionSchema(Schema):
    key = fields.String(metadata={"example": "mentoring.mentoring_finished"})
    plugin = fields.String(metadata={"example": "mentoring"})
    label = fields.String(metadata={"example": "Mentoring finished"})
    description = fields.String()
    definition = fields.Raw(metadata=WHAT)
    waits = fields.Raw(metadata={"type": "object", "description": "What it names that is not there, by place."})
    copies = fields.List(fields.Nested(AutomationCopySchema), metadata={"description": "What was taken over."})


class AutomationQuery(PageQuery):
    state = fields.String(load_default="", validate=OneOf(["", *STATES]))


class RunQuery(PageQuery):
    automation_id = fields.UUID(load_default=None)
    state = fields.String(load_default="", validate=OneOf(["", *RUN_STATES]))
    member_id = fields.UUID(load_default=None)


class NewBody(Schema):
    name = fields.String(required=True, validate=Length(1, 120), metadata={"example": "Welcome"})
    description = fields.String(load_default="", validate=Length(max=500))
    definition = fields.Dict(required=True, keys=fields.String(), metadata=WHAT)


class ChangeBody(Schema):
    name = fields.String(validate=Length(1, 120))
    description = fields.String(validate=Length(max=500))
    definition = fields.Dict(keys=fields.String(), metadata=WHAT)


class EnableBody(Schema):
    version = fields.Integer(
        load_default=None, allow_none=True, validate=Range(1, 2**31 - 1), metadata={"description": "Else the newest."}
    )


class DisableBody(Schema):
    reason = fields.String(load_default="", validate=Length(max=500))


class TryBody(Schema):
    definition = fields.Dict(required=True, keys=fields.String(), metadata=WHAT)
    last = fields.Integer(load_default=20, validate=Range(1, trial.MOST))
    member_ids = fields.List(fields.UUID(), load_default=list, validate=Length(max=trial.MOST))


class MembersBody(Schema):
    member_ids = fields.List(fields.UUID(), required=True, validate=Length(1, 10_000))


class AutomationFileBody(Schema):
    yaml = fields.String(required=True, validate=Length(1, transfer.LARGEST))


@rest.get("/automations", permission=service.SEE)
@rest.arguments(AutomationQuery, location="query")
@rest.response(200, AutomationSchema(many=True))
def list_automations(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """Automations, the newest first."""
    found = select(Automation)
    if query["state"]:
        found = found.where(Automation.state == query["state"])
    return paginate(session, found, [(Automation.id, True)], limit=query["limit"], cursor=query["cursor"])


@rest.post("/automations", permission=service.CREATE)
@rest.arguments(NewBody)
@rest.response(201, AutomationSchema)
def create_automation(session: Session, actor: Actor, body: dict[str, Any]) -> Automation:
    """Write a new automation, a draft."""
    return service.create(session, actor, **body)


@rest.get("/automations/<uuid:automation_id>", permission=service.SEE)
@rest.response(200, AutomationShownSchema)
def show_automation(session: Session, actor: Actor, automation_id: UUID) -> dict[str, Any]:
    """One automation, what it says, and how it stands."""
    one = service.find(session, actor, automation_id)
    stands = service.standing(session, one)
    shown = {name: getattr(one, name) for name in AutomationSchema().fields}
    definition = service.kept(session, one).plain
    of = {name: getattr(stands, name) for name in ("waits", "readable", "stopped", "lacking", "pending", "runs")}
    return {**shown, **of, "definition": definition}


@rest.patch("/automations/<uuid:automation_id>", permission=service.UPDATE)
@rest.arguments(ChangeBody)
@rest.response(200, AutomationSchema)
def change_automation(session: Session, actor: Actor, body: dict[str, Any], automation_id: UUID) -> Automation:
    """Change an automation. One that is on goes on with its version in force until it is turned on anew."""
    return service.change(session, actor, automation_id, **body)


@rest.delete("/automations/<uuid:automation_id>", permission=service.DELETE)
@rest.response(204)
def delete_automation(session: Session, actor: Actor, automation_id: UUID) -> None:
    """Delete one that is not on, with its versions and runs."""
    service.delete(session, actor, automation_id)


@rest.post("/automations/<uuid:automation_id>/on", permission=service.ENABLE)
@rest.arguments(EnableBody)
@rest.response(200, AutomationSchema)
def turn_automation_on(session: Session, actor: Actor, body: dict[str, Any], automation_id: UUID) -> Automation:
    """Put a version in force. You need what its actions take, and a fresh proof of who you are where value moves."""
    return service.turn_on(session, actor, automation_id, version=body["version"])


@rest.post("/automations/<uuid:automation_id>/off", permission=service.ENABLE)
@rest.arguments(DisableBody)
@rest.response(200, AutomationSchema)
def turn_automation_off(session: Session, actor: Actor, body: dict[str, Any], automation_id: UUID) -> Automation:
    """Turn it off; what waits for it becomes dead letters."""
    return service.turn_off(session, actor, automation_id, reason=body["reason"])


@rest.post("/automations/try", permission=service.UPDATE)
@rest.arguments(TryBody)
@rest.response(200, TrialSchema)
def try_automation(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """What a definition would have done with the last events of its kind, or with members. It has no effect."""
    told = trial.try_out(session, actor, body["definition"], last=body["last"], member_ids=body["member_ids"])
    return asdict(told)


@rest.post("/automations/<uuid:automation_id>/run", permission=service.RUN, idempotent=True)
@rest.arguments(MembersBody)
@rest.response(202, TurnSchema)
def run_automation(session: Session, actor: Actor, body: dict[str, Any], automation_id: UUID) -> AutomationTurn:
    """Have a job run a manual automation for members."""
    return running.run_for(session, actor, automation_id, body["member_ids"])


@rest.get("/automations/runs", permission=service.SEE)
@rest.arguments(RunQuery, location="query")
@rest.response(200, RunSchema(many=True))
def list_automation_runs(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """What automations did, the newest first."""
    found = select(AutomationRun)
    for name in ("automation_id", "state", "member_id"):
        if query[name]:
            found = found.where(getattr(AutomationRun, name) == query[name])
    return paginate(session, found, [(AutomationRun.id, True)], limit=query["limit"], cursor=query["cursor"])


@rest.post("/automations/runs/<uuid:run_id>/repeat", permission=service.RUN, idempotent=True)
@rest.response(200, RunSchema)
def repeat_automation_run(session: Session, actor: Actor, run_id: UUID) -> AutomationRun:
    """Make a run that failed anew; what it did stays done, and is not done twice."""
    return running.run_again(session, actor, run_id)


@rest.get("/automations/suggestions", permission=service.SEE)
@rest.response(200, SuggestionSchema(many=True))
def list_automation_suggestions(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """What the plugins that are on suggest, and what was taken over of it."""
    return [
        {
            "key": one.key,
            "plugin": one.plugin,
            "label": one.suggestion.label,
            "description": one.suggestion.description,
            "definition": one.suggestion.said.plain,
            "waits": one.waits,
            "copies": [
                {"automation_id": copy.automation.id, "changed": copy.changed, "altered": copy.altered}
                for copy in one.copies
            ],
        }
        for one in suggested.listing(session, actor)
    ]


@rest.post("/automations/suggestions/<key>/take", permission=service.CREATE)
@rest.response(201, AutomationSchema)
def take_automation_suggestion(session: Session, actor: Actor, key: str) -> Automation:
    """Take over a copy, a draft."""
    return suggested.take(session, actor, key)


@rest.post("/automations/<uuid:automation_id>/renew", permission=service.UPDATE)
@rest.response(200, AutomationSchema)
def renew_automation(session: Session, actor: Actor, automation_id: UUID) -> Automation:
    """Make what the plugin suggests now the newest version of a copy. One that is on goes on with its own."""
    return suggested.renew(session, actor, automation_id)


@rest.get("/automations/file", permission=service.SEE)
@rest.response(200, AutomationFileSchema)
def export_automations(session: Session, actor: Actor) -> dict[str, str]:
    """All automations as YAML."""
    return {"yaml": transfer.write(session, actor)}


@rest.post("/automations/file", permission=service.CREATE)
@rest.arguments(AutomationFileBody)
@rest.response(201, AutomationSchema(many=True))
def import_automations(session: Session, actor: Actor, body: dict[str, Any]) -> list[Automation]:
    """Make drafts of a file, all or none; one whose name exists becomes its newest version."""
    return transfer.read(session, actor, body["yaml"])
