"""What badges can tell: who holds what, how far somebody is, who would earn something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from guildhall import Member, NotFound, now, read_settings

from .catalogue import Compiled, current, kinds
from .criteria import Explained, Node, parse
from .errors import InvalidCriteria, PreviewTooSlow
from .leaf import Facts, Source
from .models import Award, Badge
from .service import check_criteria, find
from .settings import BadgeSettings

SAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A badge with how many hold it; ``share`` is their part of all active members, in basis points."""

    badge: Badge
    holders: int
    share: int


@dataclass(frozen=True, kw_only=True)
class MemberBadge:
    """Where a member stands with a badge: ``state`` is held, removed or open.

    ``tree`` is None when the criteria cannot be read now; ``progress`` is in basis points.
    """

    badge: Badge
    member_id: UUID
    state: str
    award: Award | None
    tree: Explained | None

    @property
    def progress(self) -> int:
        return 10_000 if self.state == "held" else self.tree.progress if self.tree else 0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Who meets criteria now: how many in all, and of them how many hold ``badge`` already; the first few by name."""

    count: int
    already: int
    sample: list[Member]


def standings(session: Session) -> list[Standing]:
    """Every badge with its holders, rarest category order left to the caller; sorted by category, level, name."""
    members = session.scalar(select(func.count()).select_from(Member).where(Member.status == "active")) or 0
    count = select(Award.badge_id, func.count().label("holders")).where(Award.revoked_at.is_(None))
    held = count.group_by(Award.badge_id).subquery()
    query = select(Badge, func.coalesce(held.c.holders, 0)).outerjoin(held, held.c.badge_id == Badge.id)
    query = query.order_by(Badge.category, Badge.level.nulls_last(), Badge.name)
    return [
        Standing(badge=badge, holders=holders, share=holders * 10_000 // members if members else 0)
        for badge, holders in session.execute(query).tuples()
    ]


def holders(session: Session, badge: Badge, most: int = 50) -> list[tuple[Award, Member]]:
    """Who holds a badge, newest first."""
    query = select(Award, Member).join(Member, Member.id == Award.member_id)
    query = query.where(Award.badge_id == badge.id, Award.revoked_at.is_(None))
    return list(session.execute(query.order_by(Award.awarded_at.desc(), Award.id.desc()).limit(most)).tuples())


def held_by(session: Session, member_id: UUID) -> list[tuple[Award, Badge]]:
    """The badges that a member holds, newest first."""
    query = select(Award, Badge).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.member_id == member_id, Award.revoked_at.is_(None))
    return list(session.execute(query.order_by(Award.awarded_at.desc(), Award.id.desc())).tuples())


def awarded_by(session: Session, contribution_id: UUID) -> list[tuple[Award, Badge]]:
    """What a contribution tipped."""
    query = select(Award, Badge).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.contribution_id == contribution_id)
    return list(session.execute(query.order_by(Award.awarded_at, Award.id)).tuples())


def explain(session: Session, slug: str, member_id: UUID) -> MemberBadge:
    """Why a member has, or has not yet, a badge. Raises BadgeNotFound, NotFound (no such member)."""
    badge = find(session, slug)
    if not session.scalar(select(exists().where(Member.id == member_id))):
        raise NotFound()
    award = session.scalar(select(Award).where(Award.badge_id == badge.id, Award.member_id == member_id))
    try:
        node = parse(badge.criteria, kinds(session))
    except InvalidCriteria:
        tree = None
    else:
        tree = node.explain(facts_of(session, [node], member_id))
    return MemberBadge(badge=badge, member_id=member_id, state=_state(award), award=award, tree=tree)


def nearest(session: Session, member_id: UUID, most: int = 3) -> list[MemberBadge]:
    """The open public badges that a member is closest to, nearest first; none that is not begun
    or can no longer be reached."""
    had = set(session.scalars(select(Award.badge_id).where(Award.member_id == member_id)))
    at = now()
    public = {badge.id: badge for badge in session.scalars(select(Badge).where(Badge.visibility == "public"))}
    found = [one for one in current(session).badges if one.id in public and one.id not in had and one.active(at)]
    facts = facts_of(session, [one.node for one in found], member_id)
    trees: list[tuple[Compiled, Explained]] = [(one, one.node.explain(facts)) for one in found]
    trees = sorted(
        (pair for pair in trees if pair[1].progress and pair[1].reachable),
        key=lambda pair: (-pair[1].progress, pair[0].slug),
    )
    return [
        MemberBadge(badge=public[one.id], member_id=member_id, state="open", award=None, tree=tree)
        for one, tree in trees[:most]
    ]


def preview(session: Session, definition: Any, *, slug: str = "") -> Preview:
    """Who would earn criteria if they were saved now. Reads only, and no longer than the setting allows.

    Raises InvalidCriteria, PreviewTooSlow.
    """
    node = check_criteria(session, definition, slug=slug)
    seconds = read_settings(session, BadgeSettings).preview_seconds
    savepoint = session.begin_nested()  # its end restores both settings
    try:
        session.execute(text("SET LOCAL transaction_read_only = on"))
        session.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000:d}"))
        met = (Member.status == "active") & node.sql()
        had = exists().where(Award.member_id == Member.id, Award.badge_id == Badge.id, Badge.slug == slug)
        counts = select(func.count(), func.count().filter(had.correlate(Member))).select_from(Member).where(met)
        count, already = session.execute(counts).one()
        sample = list(session.scalars(select(Member).where(met).order_by(Member.id).limit(SAMPLES)))
    except OperationalError as problem:
        if getattr(problem.orig, "sqlstate", None) != "57014":
            raise
        raise PreviewTooSlow(seconds=seconds) from None
    finally:
        savepoint.rollback()
    return Preview(count=count, already=already, sample=sample)


def facts_of(session: Session, nodes: Iterable[Node], member_id: UUID) -> Facts:
    """One member's facts for these trees, each source loaded once."""
    sources = frozenset[Source]().union(*(node.sources() for node in nodes))
    return {source: source.load(session, [member_id])[member_id] for source in sources}


def _state(award: Award | None) -> str:
    return "open" if award is None else "removed" if award.revoked_at else "held"
