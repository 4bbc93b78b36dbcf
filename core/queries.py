"""What the core's own widgets show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import now
from core.events.replay import lag
from core.members.models import Member


def member_count(session: Session) -> dict[str, Any]:
    """Active members, and how many joined in the last 30 days."""
    recent = Member.joined_at >= now() - timedelta(days=30)
    query = select(func.count(), func.count().filter(recent)).where(Member.status == "active")
    members, fresh = session.execute(query).one()
    return {"members": members, "fresh": fresh}


def deliveries(session: Session) -> dict[str, Any]:
    """Every subscriber's pending and dead deliveries, and how far it is behind, in seconds."""
    return {"subscribers": lag(session)}
