"""What automations say has happened."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class Signalled(Event):
    """An automation gave the ``signal`` that its action names, for others to start from. Not published otherwise."""

    event_name = "core.automation.signalled"
    signal: str
    member_id: UUID | None = None
    automation_id: UUID


class WebhookCalled(Event):
    """What an automation sends to the webhook that its action names: ``event`` and ``event_id`` are what it started
    from, empty for a turn. Not published otherwise."""

    event_name = "core.automation.called"
    automation_id: UUID
    member_id: UUID | None = None
    event_id: UUID | None = None
    event: str = ""
    note: str = ""
