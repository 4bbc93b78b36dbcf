"""The evaluator: who has just met the criteria of which badges."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guildhall import Actor, locks, new_id, now, publish

from . import filters, rewards
from .catalogue import STAMP, Catalogue, Compiled, current
from .events import BadgeAwarded
from .leaf import Source, load_all
from .leaves import HELD, VERIFIED
from .models import Award, Badge

Tipped = Callable[[], Mapping[UUID, UUID]]
"""Which contribution tipped it, by member; asked only when somebody earned something."""

Made = tuple[UUID, UUID, UUID | None]  # award, member, contribution

_STAMP = ", ".join(map(str, STAMP))
_HAD = """
    SELECT m.id, array_agg(b.slug) FILTER (WHERE b.id IS NOT NULL) AS had,
        array_agg(b.slug) FILTER (WHERE b.id IS NOT NULL AND a.revoked_at IS NULL) AS held,
        m.email_verified_at IS NOT NULL AS verified, {stamp}
    FROM core_member m
    LEFT JOIN (badges_award a JOIN badges_badge b ON b.id = a.badge_id) ON a.member_id = m.id
    WHERE m.id {of} AND m.status = 'active' GROUP BY m.id ORDER BY m.id
"""
_HAD_OF_ONE = text(_HAD.format(stamp=_STAMP, of="= (CAST(:ids AS uuid[]))[1]"))  # its plan is kept
_HAD_OF_MANY = text(_HAD.format(stamp=_STAMP, of="= ANY(:ids)"))
_INSERT = text("""
    INSERT INTO badges_award (
        id, badge_id, member_id, badge_version, contribution_id, facts, source, awarded_at
    )
    SELECT r.id, :badge_id, r.member_id, :version, r.contribution_id, r.facts, 'evaluator', :at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, member_id uuid, contribution_id uuid, facts jsonb)
    ON CONFLICT (badge_id, member_id) DO NOTHING RETURNING id, member_id, contribution_id
""")


@dataclass(frozen=True)
class Earned:
    """One award that was just made."""

    award_id: UUID
    badge: Compiled
    member_id: UUID


@dataclass(eq=False)
class _Standing:
    """Where members stand. ``had`` are the slugs of badges that each active one holds or held, for a removed one stays
    removed; ``facts`` is what came along; ``seen`` is the catalogue's stamp."""

    had: dict[UUID, set[str]] = field(default_factory=dict)
    facts: dict[UUID, dict[Source, Any]] = field(default_factory=dict)
    seen: tuple[int, Any] | None = None


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
    locked = locks.members(session, members)
    standing = _standing(session, locked)
    catalogue, types = current(session, standing.seen), list(types)
    touched = [one for one in catalogue.filters if one.touched_by(types)]
    if touched:
        filters.follow(session, touched, locked, contributions)
    return _evaluate(session, actor, catalogue, catalogue.touched_by(types), standing, tipped, quiet)


def cascade(session: Session, actor: Actor, *, member_id: UUID, slug: str) -> list[Earned]:
    """Award the badges that a member earned by having been given the badge ``slug``."""
    standing = _standing(session, locks.members(session, [member_id]))
    catalogue = current(session, standing.seen)
    return _evaluate(session, actor, catalogue, catalogue.that_need(slug), standing, dict, quiet=False)


def _evaluate(
    session: Session,
    actor: Actor,
    catalogue: Catalogue,
    due: Iterable[int],
    standing: _Standing,
    tipped: Tipped,
    quiet: bool,
) -> list[Earned]:
    at = now()
    had, facts = standing.had, standing.facts
    everybody_had = set[str].intersection(*had.values()) if had else set()

    def may_come(position: int) -> bool:
        badge = catalogue.badges[position]
        return badge.slug not in everybody_had and badge.active(at)

    queue = [position for position in due if may_come(position)] if had else []
    heapify(queue)
    loaded: set[Source] = {HELD, VERIFIED}
    earned: list[Earned] = []
    last = -1
    events: list[BadgeAwarded] = []
    due_rewards: list[rewards.Due] = []
    while queue:  # in dependency order, so one pass reaches the fixpoint
        position = heappop(queue)
        if position == last:
            continue
        last = position
        badge = catalogue.badges[position]
        if not badge.sources <= loaded:  # what all the others ask is read together
            wanted = badge.sources.union(*(catalogue.badges[one].sources for one in queue)) - loaded
            for source, found in load_all(session, wanted, had.keys()).items():
                for member_id, fact in found.items():
                    facts[member_id][source] = fact
            loaded |= wanted
        met = [member_id for member_id in had if badge.slug not in had[member_id] and badge.test(facts[member_id])]
        if not met:
            continue
        causes = tipped()
        rows = [
            {
                "id": new_id(),
                "member_id": member_id,
                "contribution_id": causes.get(member_id),
                "facts": badge.node.measure(facts[member_id]),
            }
            for member_id in sorted(met)
        ]
        made = _insert(session, badge, at, rows)
        for award_id, member_id, _contribution in made:
            had[member_id].add(badge.slug)
            facts[member_id][HELD] |= {badge.slug}
            earned.append(Earned(award_id, badge, member_id))
        if made:
            events += (_event(badge, award, quiet) for award in made)
            due_rewards += (rewards.Due(badge.id, *award[1:], badge.reward) for award in made)
            for dependant in catalogue.that_need(badge.slug):
                if dependant > position and may_come(dependant):
                    heappush(queue, dependant)
    publish(session, actor, *events)
    rewards.ask(session, actor, due_rewards)
    return earned


def _event(badge: Compiled, award: Made, quiet: bool) -> BadgeAwarded:
    award_id, member_id, contribution_id = award
    return BadgeAwarded(
        award_id=award_id, badge_id=badge.id, member_id=member_id, contribution_id=contribution_id, quiet=quiet
    )


def _standing(session: Session, members: Collection[UUID]) -> _Standing:
    standing = _Standing()
    asked = _HAD_OF_ONE if len(members) == 1 else _HAD_OF_MANY
    for member_id, had, held, verified, *seen in session.execute(asked, {"ids": sorted(members)}):
        standing.had[member_id] = set(had or ())
        standing.facts[member_id] = {HELD: frozenset(held or ()), VERIFIED: verified}
        standing.seen = (seen[0], seen[1])
    return standing


def _insert(session: Session, badge: Compiled, at: datetime, rows: list[dict[str, Any]]) -> list[Made]:
    """Insert what is new and within the supply; rows are in the order of members, as every other writer's."""
    if badge.supply_limit is not None:
        if taken(session, badge.id) >= badge.supply_limit:  # without the lock first: what is gone stays gone
            return []
        rows = rows[: remaining(session, badge.id)]
    if not rows:
        return []
    written = {"badge_id": badge.id, "version": badge.version, "at": at, "rows": json.dumps(rows, default=str)}
    return [tuple(row) for row in session.execute(_INSERT, written)]


def remaining(session: Session, badge_id: UUID) -> int | None:
    """How many of a limited badge are left; None without a limit. Locks the badge until the transaction ends."""
    query = select(Badge.supply_limit).where(Badge.id == badge_id).with_for_update(key_share=True)
    limit = session.scalar(query)
    return None if limit is None else max(0, limit - taken(session, badge_id))


def taken(session: Session, badge_id: UUID) -> int:
    """How many were ever awarded; removed ones are not handed out again."""
    return session.scalar(select(func.count()).select_from(Award).where(Award.badge_id == badge_id)) or 0
