"""What the core says about members."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class MemberRegistered(Event):
    """A member came to be: by registration, by an admin, or by an import. Imports publish no such event."""

    event_name = "core.member.registered"
    member_id: UUID
