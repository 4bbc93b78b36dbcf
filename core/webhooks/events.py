"""What webhooks say of themselves."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from core.events.event import Event


class WebhookPinged(Event):
    """An admin sends a test to one webhook, and to no other. Not published for a webhook that is off."""

    event_name = "core.webhook.pinged"
    webhook_id: UUID


class WebhookStopped(Event):
    """A webhook was turned off by what the other side answered: gone (410), or nothing arrived for days.

    Not published when an admin turns one off.
    """

    event_name = "core.webhook.stopped"
    webhook_id: UUID
    why: Literal["gone", "failing"]
