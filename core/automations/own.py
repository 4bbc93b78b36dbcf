"""The core's own actions."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations.action import Action, ActionCall
from core.automations.events import Signalled, WebhookCalled
from core.events.publish import publish
from core.i18n import _
from core.ids import uuid_of
from core.members import tags
from core.reviews import service as reviews
from core.reviews.kind import ReviewKind
from core.reviews.models import Review
from core.webhooks import service as webhooks
from core.webhooks.errors import WebhookSilent
from core.webhooks.models import Webhook

REVIEW = "core:automation:review"
CALL = "core:webhook:update"
TAG = "core:member:update"
SIGNAL = "core:automation:enable"


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReviewForm(Form):
    title: str = Field(min_length=3, max_length=200, description=_("What is to be decided. Nothing personal."))


class WebhookForm(Form):
    webhook: str = Field(max_length=36, description=_("A webhook that is on."))
    note: str = Field("", max_length=500, description=_("A text that is sent along. Nothing personal."))


class TagForm(Form):
    tag: Annotated[str, Field(max_length=tags.LONGEST, pattern=f"^{tags.TAG.pattern}$")] = Field(
        description=_("Small letters, digits, - and _, such as early-bird.")
    )


class SignalForm(Form):
    signal: str = Field(
        max_length=60,
        pattern=r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$",
        description=_("A word that other automations look for, such as welcome-done."),
    )


def open_review(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Open a case for a person, once for each call."""
    params = {"automation": str(call.automation_id), "event": str(call.event.id) if call.event else None}
    review_id = reviews.open_review(
        session,
        actor,
        "core.automation",
        subject_id=call.id,
        title=call.values["title"],
        member_id=call.member_id,
        params=params,
    )
    return {"review": review_id}


def decided(session: Session, actor: Actor, review: Review, approved: bool) -> None:
    """A case that an automation opened has no effect of its own; others may start from its decision."""


def call_webhook(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Have an event of our own delivered to one webhook, with all its retries. Raises WebhookSilent when it is off."""
    webhook_id = uuid_of(call.values["webhook"])
    state = session.scalar(select(Webhook.state).where(Webhook.id == webhook_id)) if webhook_id else None
    if webhook_id is None or state != "active":
        raise WebhookSilent()
    called = WebhookCalled(
        automation_id=call.automation_id,
        member_id=call.member_id,
        event_id=call.event.id if call.event else None,
        event=call.event.name if call.event else "",
        note=call.values["note"],
    )
    [event_id] = publish(session, actor, called)
    webhooks.send_to(session, webhook_id, event_id)
    return {"event": event_id}


def set_tag(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Give the member a tag; one that they bear already is no failure."""
    return {"new": tags.add(session, actor, _member(call), call.values["tag"])}


def remove_tag(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Take a tag from the member; one that they do not bear is no failure."""
    return {"removed": tags.remove(session, actor, _member(call), call.values["tag"])}


def publish_event(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Give a signal that other automations can start from."""
    signalled = Signalled(signal=call.values["signal"], member_id=call.member_id, automation_id=call.automation_id)
    [event_id] = publish(session, actor, signalled)
    return {"event": event_id}


def webhook_choices(session: Session) -> list[tuple[str, str]]:
    """The webhooks that are on, by what they are for."""
    query = select(Webhook).where(Webhook.state == "active").order_by(Webhook.id)
    return [(str(one.id), one.description or one.url) for one in session.scalars(query)]


def _member(call: ActionCall) -> UUID:
    assert call.member_id is not None  # needs_member
    return call.member_id


KIND = ReviewKind(name="automation", label=_("Asked by an automation"), permission=REVIEW, decide=decided, icon="robot")

ACTIONS = (
    Action(
        name="set_tag",
        label=_("Give a tag"),
        help=_("Marks the member with a word, for lists and other automations."),
        run=set_tag,
        form=TagForm,
        permission=TAG,
        icon="tag",
    ),
    Action(
        name="remove_tag",
        label=_("Take a tag away"),
        run=remove_tag,
        form=TagForm,
        permission=TAG,
        icon="tag",
    ),
    Action(
        name="open_review",
        label=_("Open a review"),
        help=_("Puts a case into the inbox, for a person to decide."),
        run=open_review,
        form=ReviewForm,
        permission=REVIEW,
        icon="inbox",
        needs_member=False,
    ),
    Action(
        name="call_webhook",
        label=_("Call a webhook"),
        help=_("Sends an event to one webhook, with its signature and its retries."),
        run=call_webhook,
        form=WebhookForm,
        permission=CALL,
        icon="webhook",
        choices={"webhook": webhook_choices},
        needs_member=False,
    ),
    Action(
        name="publish_event",
        label=_("Give a signal"),
        help=_("Publishes an event that other automations can start from."),
        run=publish_event,
        form=SignalForm,
        permission=SIGNAL,
        icon="activity",
        needs_member=False,
    ),
)
