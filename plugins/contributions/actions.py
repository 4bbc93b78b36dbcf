"""What automations can do with contributions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Action, ActionCall, Actor, _

from . import service
from .errors import DuplicateEvent
from .models import ContributionType


class RecordForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(max_length=80, description=_("Its rules say how many points it is worth."))
    details: dict[str, str | int | float | bool] = Field(
        default_factory=dict, max_length=20, description=_("What the rules of the type ask for.")
    )


def record_contribution(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Record a contribution of the member, once for each call; the rules of its type grant the points."""
    assert call.member_id is not None  # it needs a member
    try:
        made = service.record(
            session,
            actor,
            member_id=call.member_id,
            type=call.values["type"],
            event_key=f"automation:{call.key}",
            details=call.values["details"],
            source="automation",
        )
    except DuplicateEvent as known:
        return {"contribution": known.details["id"], "points": known.details["points"], "state": known.details["state"]}
    return {"contribution": made.id, "points": made.points, "state": made.state}


def type_choices(session: Session) -> list[tuple[str, str]]:
    """The types that contributions can be of."""
    query = select(ContributionType.code, ContributionType.label).order_by(ContributionType.label)
    return [(code, label) for code, label in session.execute(query).tuples()]


ACTIONS = [
    Action(
        name="record",
        label=_("Grant points"),
        help=_("Records a contribution of the member; the rules of its type say what it is worth."),
        run=record_contribution,
        form=RecordForm,
        permission="contributions:contribution:create",
        icon="sparkles",
        choices={"type": type_choices},
        moves_value=True,
    )
]
