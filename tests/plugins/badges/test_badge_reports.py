"""The report of badges counts awards as a plain count of them does."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from core.reports.period import Period
from core.reports.run import run
from guildhall import Actor, new_id
from plugins.badges import Award

from .conftest import add_badge, add_people, points

PERIOD = Period(date(2026, 1, 10), date(2026, 1, 20))


def test_by_rarity(session: Session, system: Actor) -> None:
    chance = random.Random(5)
    members = add_people(session, 8)
    badges = [add_badge(session, system, f"reported-{n}", points(10**9)) for n in range(4)]
    awards = []
    for badge in badges:
        for member in chance.sample(members, chance.randrange(8)):
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 30))
            gone = at + timedelta(days=chance.randrange(20)) if chance.random() < 0.3 else None
            awards.append(
                Award(
                    id=new_id(),
                    badge_id=badge.id,
                    member_id=member,
                    badge_version=1,
                    source="manual",
                    awarded_at=at,
                    revoked_at=gone,
                    revoke_reason="test" if gone else None,
                )
            )
    session.add_all(awards)
    session.flush()
    told = {row[0]: row for row in run(session, system, "badges.by_rarity", PERIOD).rows}
    for badge in badges:
        held = [
            one
            for one in awards
            if one.badge_id == badge.id
            and one.awarded_at < PERIOD.until
            and (one.revoked_at is None or one.revoked_at >= PERIOD.until)
        ]
        earned = [one for one in held if one.awarded_at >= PERIOD.since]
        assert told[badge.id][2:4] == (len(earned), len(held))
