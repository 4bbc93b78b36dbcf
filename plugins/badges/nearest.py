"""Who comes nearest to a badge."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from guildhall import Member
from plugins.contributions import MemberProgress, TypeProgress

from .catalogue import BADGE, kinds
from .criteria import Explained, parse
from .errors import InvalidCriteria
from .leaf import Source, load_all
from .models import Award, Badge

CANDIDATES = 100  # of each order: what is read does not grow with the community
MOST_TYPES = 4
MOST = 10


def nearest_members(session: Session, badge: Badge, most: int = MOST) -> list[tuple[Member, Explained]]:
    """The active members who never had the badge and are closest to it, the closest first, with what they miss.

    Looked for among those with the most points and those who did most of what the criteria count; nobody who has not
    begun, or can no longer reach it. Empty while the criteria cannot be read.
    """
    try:
        node = parse(badge.criteria, kinds(session))
    except InvalidCriteria:
        return []
    types = {cause for cause in node.depends_on() if cause != "*" and not cause.startswith(BADGE)}
    candidates = _candidates(session, badge, types)
    sources: frozenset[Source] = node.sources()
    facts = load_all(session, sources, list(candidates))
    found = []
    for member_id, member in candidates.items():
        tree = node.explain({source: facts[source][member_id] for source in sources})
        if tree.progress and tree.reachable and not tree.ok:
            found.append((member, tree))
    found.sort(key=lambda pair: (-pair[1].progress, pair[0].display_name, pair[0].id))
    return found[:most]


def _candidates(session: Session, badge: Badge, types: Collection[str]) -> dict[UUID, Member]:
    had = exists().where(Award.badge_id == badge.id, Award.member_id == Member.id)
    open_ = select(Member).where(Member.status == "active", ~had)
    by_points = open_.join(MemberProgress, MemberProgress.member_id == Member.id)
    queries = [by_points.order_by(MemberProgress.points.desc(), MemberProgress.member_id.desc())]
    for code in sorted(types)[:MOST_TYPES]:
        by_type = open_.join(TypeProgress, TypeProgress.member_id == Member.id).where(TypeProgress.type == code)
        queries.append(by_type.order_by(TypeProgress.count.desc()))
    return {one.id: one for query in queries for one in session.scalars(query.limit(CANDIDATES))}
