"""What automations can tell members."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from guildhall import Action, ActionCall, Actor, _

from . import service

KIND = "automation"


class NotifyForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(min_length=1, max_length=120, description=_("The heading of the notice."))
    text: str = Field(min_length=1, max_length=2000, description=_("What it says. Nothing personal of others."))
    link: str = Field("", max_length=300, pattern=r"^(/([^/\\].*)?)?$", description=_("A page of this site, like /me."))
    mail: bool = Field(True, description=_("Send it by e-mail too, where the member wants that."))


def notify_member(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Tell the member something, once for each call."""
    assert call.member_id is not None  # it needs a member
    values = call.values
    notice = service.notify(
        session,
        actor,
        member_id=call.member_id,
        kind=KIND,
        reference=f"automation:{call.key}",
        params={"subject": values["subject"], "text": values["text"]},
        url=values["link"],
        mail=values["mail"],
    )
    return {"notice": notice} if notice else {"told_before": True}


ACTIONS = [
    Action(
        name="notify",
        label=_("Notify the member"),
        help=_("Writes a notice, and mails it where mail is set up."),
        run=notify_member,
        form=NotifyForm,
        permission="notifications:member:notify",
        icon="bell",
    )
]
