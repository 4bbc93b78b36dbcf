"""The evaluator: who has just met the criteria of which badges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Member, locks, new_id, now, publish

from . import filters, rewards
from .catalogue import Catalogue, Compiled, current
from .events import BadgeAwarded
from .leaf import Source
from .leaves import HELD
from .models import Award, Badge

Tipped = Callable[[], Mapping[UUID, UUID]]
"""Which contribution tipped it, by member; asked only when somebody earned something."""

Made = tuple[UUID, UUID, UUID | None]  # award, member, contribution


@dataclass(frozen=True)
class Earned:
    """One award that was just made."""

    award_id: UUID
    badge: Compiled
    member_id: UUID


def evaluate(
    session: Session,
    actor: Actor,
    *,
    members: Collection[UUID],
    types: Iterable[str],
    tipped: Tipped,
    contributions: Collection[UUID] = (),
    quiet: bool = False,
) -> list[Earned]:
    """Award every badge that contributions of ``types`` have just brought these members.

    ``contributions`` are those that came or went; counts that criteria filter by are brought up to date with them.

    Locks the members first, so that of two evaluations at once the second sees what the first awarded. A badge that
    is held, or was removed, is not awarded again; safe to run twice. Publishes BadgeAwarded.
    """
    catalogue, types = current(session), list(types)
    touched = [one for one in catalogue.filters if one.touched_by(types)]
    if touched:
        members = locks.members(session, members)
        filters.follow(session, touched, members, contributions)
    return _evaluate(session, actor, catalogue, catalogue.touched_by(types), members, tipped, quiet)


def cascade(session: Session, actor: Actor, *, member_id: UUID, slug: str) -> list[Earned]:
    """Award the badges that a member earned by having been given the badge ``slug``."""
    catalogue = current(session)
    return _evaluate(session, actor, catalogue, catalogue.that_need(slug), [member_id], dict, quiet=False)


def _evaluate(
    session: Session,
    actor: Actor,
    catalogue: Catalogue,
    due: Collection[int],
    members: Collection[UUID],
    tipped: Tipped,
    quiet: bool,
) -> list[Earned]:
    at = now()
    queue = list(due)
    if not queue:
        return []
    had, facts = _had(session, locks.members(session, members))
    loaded: set[Source] = {HELD}
    earned: list[Earned] = []
    heapify(queue)
    last = -1
    while queue:  # in dependency order, so one pass reaches the fixpoint
        position = heappop(queue)
        badge = catalogue.badges[position]
        if position == last or not badge.active(at):
            continue
        last = position
        open_to = [member_id for member_id in had if badge.id not in had[member_id]]
        for source in badge.sources - loaded if open_to else ():
            for member_id, fact in source.load(session, had.keys()).items():
                facts[member_id][source] = fact
            loaded.add(source)
        met = [member_id for member_id in open_to if badge.test(facts[member_id])]
        if not met:
            continue
        causes = tipped()
        rows = [
            {
                "id": new_id(),
                "badge_id": badge.id,
                "member_id": member_id,
                "badge_version": badge.version,
                "contribution_id": causes.get(member_id),
                "facts": badge.node.measure(facts[member_id]),
                "source": "evaluator",
                "awarded_at": at,
            }
            for member_id in sorted(met)
        ]
        made = _insert(session, badge, rows)
        for award_id, member_id, _contribution in made:
            had[member_id].add(badge.id)
            facts[member_id][HELD] |= {badge.slug}
            earned.append(Earned(award_id, badge, member_id))
        if made:
            publish(session, actor, *(_event(badge, award, quiet) for award in made))
            rewards.ask(session, actor, (rewards.Due(badge.id, *award[1:], badge.reward) for award in made))
            for dependant in catalogue.that_need(badge.slug):
                if dependant > position:
                    heappush(queue, dependant)
    return earned


def _event(badge: Compiled, award: Made, quiet: bool) -> BadgeAwarded:
    award_id, member_id, contribution_id = award
    return BadgeAwarded(
        award_id=award_id, badge_id=badge.id, member_id=member_id, contribution_id=contribution_id, quiet=quiet
    )


def _had(session: Session, members: Collection[UUID]) -> tuple[dict[UUID, set[UUID]], dict[UUID, dict[Source, Any]]]:
    """Badges that each active member holds or held, for a removed one stays removed; and those held, as a fact."""
    had: dict[UUID, set[UUID]] = {}
    facts: dict[UUID, dict[Source, Any]] = {}
    query = select(Member.id, Award.badge_id, Award.revoked_at, Badge.slug).select_from(Member)
    query = query.outerjoin(Award, Award.member_id == Member.id).outerjoin(Badge, Badge.id == Award.badge_id)
    query = query.where(Member.id.in_(sorted(members)), Member.status == "active").order_by(Member.id)
    for member_id, badge_id, revoked_at, slug in session.execute(query):
        mine = had.setdefault(member_id, set())
        held = facts.setdefault(member_id, {HELD: frozenset()})
        if badge_id is not None:
            mine.add(badge_id)
            if revoked_at is None:
                held[HELD] |= {slug}
    return had, facts


def _insert(session: Session, badge: Compiled, rows: list[dict[str, Any]]) -> list[Made]:
    """Insert what is new and within the supply; rows are in the order of members, as every other writer's."""
    if badge.supply_limit is not None:
        if taken(session, badge.id) >= badge.supply_limit:  # without the lock first: what is gone stays gone
            return []
        rows = rows[: remaining(session, badge.id)]
    if not rows:
        return []
    statement = insert(Award).values(rows).on_conflict_do_nothing(index_elements=["badge_id", "member_id"])
    made = session.execute(statement.returning(Award.id, Award.member_id, Award.contribution_id))
    return [(award_id, member_id, contribution_id) for award_id, member_id, contribution_id in made]


def remaining(session: Session, badge_id: UUID) -> int | None:
    """How many of a limited badge are left; None without a limit. Locks the badge until the transaction ends."""
    query = select(Badge.supply_limit).where(Badge.id == badge_id).with_for_update(key_share=True)
    limit = session.scalar(query)
    return None if limit is None else max(0, limit - taken(session, badge_id))


def taken(session: Session, badge_id: UUID) -> int:
    """How many were ever awarded; removed ones are not handed out again."""
    return session.scalar(select(func.count()).select_from(Award).where(Award.badge_id == badge_id)) or 0
