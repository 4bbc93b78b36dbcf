"""An external connector: each suggestion opens a ticket in a help desk, once, whatever fails on the way."""

from __future__ import annotations

from guildhall import Plugin, Resource, Subscriber, _

from .handlers import open_ticket
from .models import Ticket
from .settings import HelpdeskSettings

plugin = Plugin(
    "helpdesk_connector",
    version="0.1.0",
    label=_("Help desk"),
    description=_("Opens a ticket in the help desk for each suggestion."),
    icon="plug",
    requires={"suggestions": ">=0.1"},
    settings=HelpdeskSettings,
    resources=[
        Resource(
            Ticket,
            label=_("Ticket"),
            label_plural=_("Tickets"),
            icon="ticket",
            actions=("list", "show"),
            columns=("number", "suggestion_id", "created_at"),
            audit=False,
            events=False,
        )
    ],
    subscribers=[
        Subscriber(event="suggestions.suggestion.created", handler=open_ticket, kind="external", lease_seconds=30)
    ],
)
