"""Verify: the awards are what the criteria say, whichever way one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import false, func, select, text
from sqlalchemy.orm import Session

from guildhall import Member, now

from . import filters
from .catalogue import Catalogue, Compiled, current, kinds
from .criteria import parse
from .errors import InvalidCriteria
from .evaluator import taken
from .frame import Frame
from .leaf import Source, load_all
from .models import Award, Badge, BadgeVersion

CHUNK = 1_000


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be. ``kind`` is missed, disagree, double, facts, count or broken."""

    kind: str
    badge: str
    detail: str


def verify(session: Session, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Finding]:
    """Yield every finding. Reads one snapshot; call it first thing in a unit of work of its own.

    Checks that the evaluator's closure and SQL agree on every active member and enabled badge, that nobody meets a
    badge without having it, that no badge is held twice, and that the facts stored with an award meet the criteria
    of its version, and that filtered counts are what counting gives. Deliveries still on their way show as missed.
    """
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    catalogue = current(session)
    for slug, problem in catalogue.broken.items():
        yield Finding("broken", slug, problem)
    yield from _doubles(session)
    yield from _stored_facts(session)
    total = session.scalar(select(func.count()).select_from(Member).where(Member.status == "active")) or 0
    gone = {badge.id for badge in catalogue.badges if _exhausted(session, badge)}
    after: UUID | None = None
    done = 0
    while members := _next(session, after):
        yield from _members(session, catalogue, members, gone)
        after, done = members[-1], done + len(members)
        progress(done, total)


def _exhausted(session: Session, badge: Compiled) -> bool:
    return badge.supply_limit is not None and taken(session, badge.id) >= badge.supply_limit


def _next(session: Session, after: UUID | None) -> list[UUID]:
    query = select(Member.id).where(Member.status == "active").order_by(Member.id).limit(CHUNK)
    return list(session.scalars(query if after is None else query.where(Member.id > after)))


def _members(session: Session, catalogue: Catalogue, members: list[UUID], gone: set[UUID]) -> Iterator[Finding]:
    badges = catalogue.badges
    if not badges:
        return
    facts: dict[UUID, dict[Source, object]] = {member_id: {} for member_id in members}
    sources = frozenset[Source]().union(*(badge.sources for badge in badges))
    for source, found in load_all(session, sources, members).items():
        for member_id, fact in found.items():
            facts[member_id][source] = fact
    had = set(session.execute(select(Award.member_id, Award.badge_id).where(Award.member_id.in_(members))).tuples())
    at = now()
    fresh = {one.id: dict(filters.count_of(one).load(session, members)) for one in catalogue.filters}
    for one, member_id, detail in filters.wrong(session, catalogue.filters, members):
        yield Finding("count", one.event, f"member {member_id}, where {one.where}: {detail}")
    frame = Frame(lambda member_id: member_id.between(members[0], members[-1]), counted=fresh)
    truths = [func.coalesce(badge.node.sql(frame), false()) for badge in badges]
    query = select(Member.id, *truths).select_from(frame.joined()).where(Member.id.in_(members))
    for member_id, *by_sql in session.execute(query):
        for badge, held_in_sql in zip(badges, by_sql, strict=True):
            if badge.test(facts[member_id]) != held_in_sql:
                yield Finding("disagree", badge.slug, f"member {member_id}: SQL says {held_in_sql}")
            elif held_in_sql and (member_id, badge.id) not in had and badge.active(at) and badge.id not in gone:
                yield Finding("missed", badge.slug, f"member {member_id} meets it and has no award")


def _doubles(session: Session) -> Iterator[Finding]:
    query = select(Award.badge_id, Award.member_id).group_by(Award.badge_id, Award.member_id)
    for badge_id, member_id in session.execute(query.having(func.count() > 1)):
        yield Finding("double", str(badge_id), f"member {member_id} has more than one award")


def _stored_facts(session: Session) -> Iterator[Finding]:
    known = kinds(session)
    for kept, slug in session.execute(select(BadgeVersion, Badge.slug).join(Badge, Badge.id == BadgeVersion.badge_id)):
        try:
            node = parse(kept.criteria, known)
        except InvalidCriteria:  # of a plugin that is off; the present version is reported as broken
            continue
        query = select(Award.id, Award.facts).where(Award.badge_id == kept.badge_id)
        query = query.where(Award.badge_version == kept.version, Award.source != "manual")
        for award_id, facts in session.execute(query.execution_options(yield_per=CHUNK)):
            if not node.holds(facts):
                yield Finding("facts", slug, f"award {award_id} was made on facts that do not meet it")
