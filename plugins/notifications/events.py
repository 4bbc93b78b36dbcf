"""What this plugin says."""

from __future__ import annotations

from uuid import UUID

from guildhall import Event


class NotificationCreated(Event):
    """A notice was written for a member.

    Not published when the same cause was told before, when a notice is read, nor for the many notices that a batch of
    awards leads to. ``mail`` is whether the
    notice may also be mailed; it is false for what came from an import.
    """

    event_name = "notifications.notification.created"
    notification_id: UUID
    member_id: UUID
    kind: str
    mail: bool
