"""What contributions can tell: facts of members, leaderboards, a contribution's story."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Member, now

from .models import MemberProgress, TypeProgress


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """What badge rules ask about a member, from the aggregates alone. ``streak_current`` is as of now."""

    points: int = 0
    count_by_type: dict[str, int] = field(default_factory=dict)
    streak_current: int = 0
    streak_best: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    joined_at: datetime


def facts(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, MemberFacts]:
    """Facts of each existing member of ``member_ids``, in two queries; members without contributions have zeros."""
    ids = list(member_ids)
    counts: dict[UUID, dict[str, int]] = {}
    query = select(TypeProgress.member_id, TypeProgress.type, TypeProgress.count)
    for member_id, code, count in session.execute(query.where(TypeProgress.member_id.in_(ids))):
        counts.setdefault(member_id, {})[code] = count
    people = (
        select(Member.id, Member.joined_at, Member.time_zone, MemberProgress)
        .outerjoin(MemberProgress, MemberProgress.member_id == Member.id)
        .where(Member.id.in_(ids))
        .execution_options(populate_existing=True)
    )
    found: dict[UUID, MemberFacts] = {}
    for member_id, joined_at, zone, progress in session.execute(people):
        if progress is None:
            found[member_id] = MemberFacts(joined_at=joined_at)
            continue
        found[member_id] = MemberFacts(
            points=progress.points,
            count_by_type=counts.get(member_id, {}),
            streak_current=streak_now(progress.streak_current, progress.last_day, zone),
            streak_best=progress.streak_best,
            first_at=progress.first_at,
            last_at=progress.last_at,
            joined_at=joined_at,
        )
    return found


def streak_now(run: int, last_day: date | None, zone: str) -> int:
    """The streak as of now: the run that ended on ``last_day``, or 0 once a whole local day was missed."""
    today = now().astimezone(ZoneInfo(zone)).date()
    return run if last_day is not None and last_day >= today - timedelta(days=1) else 0
