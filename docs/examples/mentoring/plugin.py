"""A mentoring programme: pairs of members, from the proposal to the end, and the meetings they hold."""

from __future__ import annotations

from pathlib import Path

from guildhall import Inline, Permission, Plugin, Resource, Role, Subscriber, Transition, _

from . import handlers, hooks
from .models import Meeting, Pairing

DECIDE = "mentoring:pairing:decide"

plugin = Plugin(
    "mentoring",
    version="0.1.0",
    label=_("Mentoring"),
    description=_("Pairs mentors with mentees, and keeps what became of each pair."),
    icon="users",
    requires={"notifications": ">=0.1"},
    resources=[
        Resource(
            Pairing,
            label=_("Pair"),
            label_plural=_("Pairs"),
            icon="users",
            owner="mentee_id",
            columns=("goal", "mentor_id", "mentee_id", "state", "created_at"),
            fields=("mentor_id", "goal"),
            search=("goal",),
            filters=("state", "mentor_id", "mentee_id"),
            labels={"mentor_id": _("Mentor"), "mentee_id": _("Mentee"), "created_at": _("Proposed")},
            states={
                "state": {
                    "proposed": "yellow",
                    "active": "blue",
                    "paused": "gray",
                    "finished": "green",
                    "declined": "red",
                }
            },
            transitions=[
                Transition(
                    "state", "proposed", "active", permission=DECIDE, label=_("Accept"), name="accept", icon="check"
                ),
                Transition(
                    "state", "proposed", "declined", permission=DECIDE, label=_("Decline"), name="decline", reason=True
                ),
                Transition("state", "active", "paused", permission=DECIDE, label=_("Pause"), name="pause"),
                Transition("state", "paused", "active", permission=DECIDE, label=_("Go on"), name="resume"),
                Transition(
                    "state", ("active", "paused"), "finished", permission=DECIDE, label=_("Finish"), name="finish"
                ),
            ],
            inline=[Inline(model=Meeting, by="pairing_id", columns=("held_on", "minutes", "notes"))],
        ),
        Resource(
            Meeting,
            label=_("Meeting"),
            label_plural=_("Meetings"),
            icon="calendar",
            columns=("pairing", "held_on", "minutes"),
            labels={"pairing": _("Pair"), "pairing_id": _("Pair"), "held_on": _("Held on")},
        ),
    ],
    permissions=[Permission(DECIDE, _("Decide on pairs"))],
    roles=[
        Role("User", ("mentoring:pairing:create",)),
        Role("Moderator", ("mentoring:pairing:*", "mentoring:meeting:*")),
    ],
    automations=[Path(__file__).with_name("automations.yaml").read_text("utf-8")],
    subscribers=[Subscriber(event="mentoring.pairing.transitioned", handler=handlers.tell_both)],
    hooks=hooks,
)
