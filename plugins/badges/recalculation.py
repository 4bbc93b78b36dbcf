"""Recalculate: award, set by set, whatever the criteria hold for and nobody was given yet."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Member, now, publish, read_settings

from .catalogue import Compiled, current
from .errors import BadgeNotFound
from .evaluator import remaining
from .events import BadgeAwarded, BatchAwarded
from .models import Award
from .settings import BadgeSettings


def plan(session: Session, slug: str | None = None) -> list[str]:
    """Slugs to recalculate, those that others need first. Raises BadgeNotFound for one that is off or unknown."""
    catalogue = current(session)
    if slug is None:
        return [badge.slug for badge in catalogue.badges]
    if catalogue.get(slug) is None:
        raise BadgeNotFound(badge=slug)
    return [slug]


def recalculate(session: Session, actor: Actor, slug: str) -> int:
    """Award one badge to every active member who meets it now; returns how many are new.

    One statement; run each badge in a transaction of its own, so that a stop loses one badge's work. Held and
    removed ones are left alone. A badge that was turned off meanwhile gives 0.
    """
    badge, at = current(session).get(slug), now()
    if badge is None or not badge.active(at):
        return 0
    limit = remaining(session, badge.id) if badge.supply_limit is not None else None
    if limit == 0:
        return 0
    columns = ["id", "badge_id", "member_id", "badge_version", "facts", "source", "awarded_at"]
    chosen: Select[Any] = select(
        func.uuidv7(),
        literal(badge.id),
        Member.id,
        literal(badge.version),
        badge.node.measure_sql(),
        literal("recalculation"),
        literal(at),
    ).where(open_to(badge))
    # A limited badge goes to those who joined first; the order of ids keeps other writers from a deadlock.
    chosen = chosen.order_by(Member.id) if limit is None else chosen.order_by(Member.joined_at, Member.id).limit(limit)
    statement = insert(Award).from_select(columns, chosen, include_defaults=False)
    statement = statement.on_conflict_do_nothing(index_elements=["badge_id", "member_id"])
    made = statement.returning(Award.id, Award.member_id).cte("made")
    most = read_settings(session, BadgeSettings).single_events
    rows = session.execute(select(func.count().over(), made.c.id, made.c.member_id).limit(most + 1)).all()
    if not rows:
        return 0
    count: int = rows[0][0]
    if count > most:
        publish(session, actor, BatchAwarded(badge_id=badge.id, awards=count))
    else:
        publish(session, actor, *(_event(badge, award_id, member_id) for _count, award_id, member_id in rows))
    return count


def open_to(badge: Compiled) -> Any:
    """Active members who meet a badge's criteria and have no award of it, removed or not."""
    had = exists().where(Award.badge_id == badge.id, Award.member_id == Member.id).correlate(Member)
    return (Member.status == "active") & badge.node.sql() & ~had


def _event(badge: Compiled, award_id: UUID, member_id: UUID) -> BadgeAwarded:
    return BadgeAwarded(award_id=award_id, badge_id=badge.id, member_id=member_id, quiet=True)
