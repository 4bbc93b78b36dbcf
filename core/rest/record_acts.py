"""REST of what can be done with a record beside changing it: its transitions, and restoring a deleted one."""

from __future__ import annotations

from typing import Any

from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.resources.resource import RESTORE, BoundResource
from core.resources.transition import Transition
from core.rest import fields, version
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema


class NoBody(Schema):
    """Nothing is asked for."""


class TransitionBody(Schema):
    reason = fields.String(
        required=True,
        validate=validate.Length(min=1, max=500),
        metadata={"description": "Stands in the history and in the audit trail.", "example": "Checked by two people."},
    )


def add_routes(rest: RestBlueprint, bound: BoundResource, shown: type[Schema]) -> None:
    """Declare ``POST …/<id>/<transition>`` for each transition, and ``POST …/<id>/restore``."""
    for transition in bound.resource.transitions:
        _add_transition(rest, bound, transition, shown)
    if bound.resource.soft_delete:
        _add_restore(rest, bound, shown)


def _add_transition(rest: RestBlueprint, bound: BoundResource, transition: Transition, shown: type[Schema]) -> None:
    def transit(session: Session, actor: Actor, body: dict[str, Any], key: str) -> Any:
        record = bound.get(session, actor, key, bound.reading)
        version.check(session, bound, record)
        record = bound.transit(session, actor, record, transition, body.get("reason", ""))
        bound.fill(session, [record])
        return record

    sources = " or ".join(transition.sources)
    transit.__name__ = f"transit_{bound.name}__{transition.slug}"
    transit.__doc__ = f"{transition.title}: {transition.column} from {sources} to {transition.to}."
    described = rest.response(200, shown())(transit)
    described = rest.arguments(TransitionBody if transition.reason else NoBody)(described)
    permission = transition.permission or bound.permission("update")
    path = f"/{bound.path}/<key>/{transition.slug.replace('_', '-')}"
    rest.post(path, permission=permission, idempotent=True)(rest.doc(parameters=[version.IF_MATCH])(described))


def _add_restore(rest: RestBlueprint, bound: BoundResource, shown: type[Schema]) -> None:
    def restore(session: Session, actor: Actor, body: dict[str, Any], key: str) -> Any:
        record = bound.restore(session, actor, bound.get(session, actor, key, deleted=True))
        bound.fill(session, [record])
        return record

    restore.__name__ = f"{RESTORE}_{bound.name}"
    restore.__doc__ = f"Bring a deleted {bound.label.lower()} back, as it was."
    described = rest.arguments(NoBody)(rest.response(200, shown())(restore))
    path = f"/{bound.path}/<key>/{RESTORE}"
    rest.post(path, permission=bound.permission("delete"), idempotent=True)(described)
