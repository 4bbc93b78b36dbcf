"""Reactions to events."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent
from plugins.notifications import notify

from .models import Pairing


def tell_both(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Tell mentor and mentee what became of their pair; the reference makes a second delivery harmless."""
    pairing = session.get(Pairing, event.payload.id)
    if pairing is None:
        return
    for member_id in (pairing.mentor_id, pairing.mentee_id):
        notify(
            session,
            actor,
            member_id=member_id,
            kind=f"mentoring_{event.payload.to_state}",
            reference=f"{event.id}:{member_id}",
        )
