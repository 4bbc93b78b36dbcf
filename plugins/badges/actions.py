"""What automations can do with badges."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Action, ActionCall, Actor, _

from . import service
from .errors import BadgeAlreadyHeld
from .models import Badge


class AwardForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    badge: str = Field(max_length=80, description=_("The badge that is given."))
    reason: str = Field(min_length=1, max_length=500, description=_("Why; it is kept with the badge."))


def award_badge(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Give the member a badge; that they hold it already is no failure."""
    assert call.member_id is not None  # it needs a member
    try:
        with session.begin_nested():
            given = service.award(
                session, actor, slug=call.values["badge"], member_id=call.member_id, reason=call.values["reason"]
            )
    except BadgeAlreadyHeld:
        return {"held_before": True}
    return {"award": given.id}


def badge_choices(session: Session) -> list[tuple[str, str]]:
    """The badges that can be given, by their names."""
    query = select(Badge.slug, Badge.name).where(Badge.enabled).order_by(Badge.name)
    return [(slug, name) for slug, name in session.execute(query).tuples()]


ACTIONS = [
    Action(
        name="award",
        label=_("Award a badge"),
        help=_("Gives the member a badge by hand, whatever its criteria say."),
        run=award_badge,
        form=AwardForm,
        permission="badges:award:create",
        icon="award",
        choices={"badge": badge_choices},
        moves_value=True,
    )
]
