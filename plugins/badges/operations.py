"""What an admin does with chosen awards."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from guildhall import Actor, Operation, _

from . import service
from .models import Award, Badge


class RemoveForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description=_("Why; it is kept with the badge."))


def remove(session: Session, actor: Actor, record: Award, values: dict[str, Any]) -> None:
    """Take a badge away. Raises as ``service.revoke``."""
    slug = session.get_one(Badge, record.badge_id).slug
    service.revoke(session, actor, slug=slug, member_id=record.member_id, reason=values["reason"])


REMOVE = Operation(
    name="remove",
    label=_("Remove the badge"),
    permission="badges:award:revoke",
    run=remove,
    form=RemoveForm,
    icon="circle-x",
    applies=lambda _session, award: award.revoked_at is None,
    help=_("The member loses it, and it is not awarded again by itself."),
    danger=True,
)
