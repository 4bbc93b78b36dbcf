"""What scoring needs to know of members: their zones, and their tiers since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Person:
    """What scoring needs to know of a member: the zone, and the tier since when."""

    zone: ZoneInfo
    tier: str
    tiers: tuple[tuple[datetime, str], ...]

    def tier_at(self, at: datetime) -> str:
        """The tier held at ``at``; before the first known change it was free."""
        if not self.tiers:
            return self.tier
        return next((tier for since, tier in reversed(self.tiers) if since <= at), "free")


_PEOPLE = text("""
    SELECT id, time_zone, tier, ARRAY(SELECT since FROM core_member_tier t WHERE t.member_id = m.id ORDER BY since),
        ARRAY(SELECT tier FROM core_member_tier t WHERE t.member_id = m.id ORDER BY since)
    FROM core_member m WHERE id = ANY(:ids)
""")


def people(session: Session, ids: Sequence[UUID]) -> dict[UUID, Person]:
    """What scoring needs to know of members; those that do not exist are left out."""
    return {
        member_id: Person(ZoneInfo(zone), tier, tuple(zip(since, tiers, strict=True)))
        for member_id, zone, tier, since, tiers in session.execute(_PEOPLE, {"ids": list(ids)})
    }
