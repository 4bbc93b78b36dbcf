"""What the core says about members."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class MemberRegistered(Event):
    """A member came to be: by registration or by an admin. Not published for the members an import makes."""

    event_name = "core.member.registered"
    member_id: UUID
