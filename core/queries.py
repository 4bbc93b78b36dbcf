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
    """Active members, how many joined in the last 30 days, and by how many percent more than in the 30 before."""
    month = now() - timedelta(days=30)
    earlier = Member.joined_at.between(month - timedelta(days=30), month)
    counts = func.count(), func.count().filter(Member.joined_at >= month), func.count().filter(earlier)
    members, fresh, before = session.execute(select(*counts).where(Member.status == "active")).one()
    return {"members": members, "fresh": fresh, "delta": round((fresh - before) * 100 / before) if before else None}


def deliveries(session: Session) -> dict[str, Any]:
    """Every subscriber's pending and dead deliveries, and how far it is behind, in seconds."""
    return {"subscribers": lag(session)}
