"""Starting an automation for members chosen in their list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import queries, running, service
from core.automations.definition import ManualTrigger
from core.automations.models import Automation
from core.i18n import _
from core.members.models import Member
from core.resources.operation import Operation


class ByHand(BaseModel):
    """What is asked for before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    automation: UUID = Field(description=_("One that is started by hand and is on. Who does not match is passed over."))


def start(session: Session, actor: Actor, member: Member, values: dict[str, Any]) -> None:
    """Run it for one member of the chosen ones, once for the one act. Raises what ``running.run_now`` does."""
    running.run_now(session, actor, values["automation"], member.id)


def choices(session: Session) -> list[tuple[str, str]]:
    """The automations that are started by hand and are on."""
    on = session.scalars(select(Automation).where(Automation.state == "on").order_by(Automation.name)).all()
    said = queries.definitions(session, on)
    return [(str(one.id), one.name) for one in on if one.id in said and isinstance(said[one.id].trigger, ManualTrigger)]


OPERATION = Operation(
    name="run_automation",
    label=_("Run an automation"),
    help=_("Runs it for each of these members. Its log says what it did."),
    permission=service.RUN,
    run=start,
    form=ByHand,
    choices={"automation": choices},
    icon="wand",
)
