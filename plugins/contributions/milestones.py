"""Milestones and levels: reached once for each member, and a reward asked for once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Event, Member, members, new_id, now, publish

from .events import LevelReached, MilestoneReached, RewardRequested
from .models import TIERS, LevelReachedRow, MilestoneReachedRow, Reward

Gains = Mapping[UUID, Sequence[tuple[UUID, int]]]


_ORDER = tuple(TIERS)
# For a statement that has ``risen (member_id, points)``: who has just come to what, a JSON array of arrays.
DUE = """
    SELECT json_agg(json_build_array(kind, member_id, id, threshold, number, tier) ORDER BY member_id, threshold, kind)
    FROM (
        SELECT 'milestone' AS kind, member_id, m.id, threshold, NULL::int AS number, NULL AS tier
        FROM risen JOIN contributions_milestone m ON m.enabled AND m.threshold <= points
        WHERE NOT EXISTS (SELECT 1 FROM contributions_milestone_reached r
            WHERE r.member_id = risen.member_id AND r.milestone_id = m.id)
        UNION ALL
        SELECT 'level', member_id, l.id, threshold, number, tier
        FROM risen JOIN contributions_level l ON l.enabled AND l.threshold <= points
        WHERE NOT EXISTS (SELECT 1 FROM contributions_level_reached r
            WHERE r.member_id = risen.member_id AND r.level_id = l.id)
    ) due
"""
_DUE = text(f"""
    WITH risen AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:points AS numeric[])) AS r (member_id, points))
    {DUE}
""")


@dataclass(frozen=True, slots=True)
class Due:
    """A milestone or a level (with its ``number`` and ``tier``) that a member has come to."""

    kind: str
    member_id: UUID
    id: UUID
    threshold: int
    number: int | None
    tier: str | None


def due_of(answer: Sequence[Sequence[Any]] | None) -> list[Due]:
    """What DUE answered."""
    return [
        Due(kind, UUID(member_id), UUID(one), int(threshold), number, tier)
        for kind, member_id, one, threshold, number, tier in answer or ()
    ]


def reach(session: Session, actor: Actor, gains: Gains, points: Mapping[UUID, int], *, quiet: bool = False) -> None:
    """Note the milestones and levels that members reached just now, and publish each; a level may grant a tier.

    ``gains``: by member, the contributions in the order they were recorded with their points; ``points``: the
    members' points after them. The caller holds the members' locks; the unique keys make each once.
    """
    answer = session.scalar(_DUE, {"ids": list(points), "points": list(points.values())})
    note(session, actor, due_of(answer), gains, points, quiet=quiet)


def note(
    session: Session,
    actor: Actor,
    due: Sequence[Due],
    gains: Gains,
    points: Mapping[UUID, int],
    *,
    quiet: bool = False,
) -> None:
    """The second half of ``reach``: write down and publish what is ``due``."""
    if not due:
        return
    at = now()
    milestones, levels = [one for one in due if one.kind == "milestone"], [one for one in due if one.kind == "level"]

    def row(one: Due, step: str) -> dict[str, Any]:
        contribution_id = _crossing(gains[one.member_id], points[one.member_id], one.threshold)
        return {"member_id": one.member_id, step: one.id, "contribution_id": contribution_id, "created_at": at}

    if milestones:
        session.execute(
            insert(MilestoneReachedRow), [{"id": new_id(), **row(one, "milestone_id")} for one in milestones]
        )
    if levels:
        session.execute(insert(LevelReachedRow), [row(one, "level_id") for one in levels])
    events: list[Event] = [
        MilestoneReached(member_id=one.member_id, milestone_id=one.id, threshold=one.threshold, quiet=quiet)
        for one in milestones
    ]
    for one in levels:
        tier = _grant(session, one.member_id, one.tier) if one.tier else None
        number = one.number or 0
        events.append(LevelReached(member_id=one.member_id, level_id=one.id, number=number, tier=tier, quiet=quiet))
    publish(session, actor, *events)


def _grant(session: Session, member_id: UUID, tier: str) -> str | None:
    """Put a member on a tier from now on unless theirs is at least as high; returns what was granted."""
    held = session.get_one(Member, member_id, populate_existing=True).tier
    if held in _ORDER and _ORDER.index(tier) <= _ORDER.index(held):
        return None
    members.set_tier(session, member_id, tier)
    return tier


def _crossing(gains: Sequence[tuple[UUID, int]], after: int, threshold: int) -> UUID:
    """The contribution with which the points came to ``threshold``."""
    total = after - sum(points for _, points in gains)
    for contribution_id, points in gains:
        total += points
        if total >= threshold:
            return contribution_id
    return gains[-1][0]


def request_reward(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    amount: int,
    asset: str,
    reason: str,
    reference: str,
    contribution_id: UUID | None = None,
) -> UUID | None:
    """Ask the wallet to pay ``amount`` (smallest units) once for ``reference``; None when it was asked before."""
    row = {
        "member_id": member_id,
        "amount": amount,
        "asset": asset,
        "reason": reason,
        "reference": reference,
        "contribution_id": contribution_id,
    }
    made = request_rewards(session, actor, [row])
    return made[0] if made else None


def rewarded(session: Session, member_ids: Collection[UUID], reason: str) -> set[tuple[UUID, str]]:
    """Members with the references of what they were rewarded for; those that came with a claimed history too."""
    query = select(Reward.member_id, Reward.reference)
    query = query.where(Reward.member_id.in_(list(member_ids)), Reward.reason == reason)
    return set(session.execute(query).tuples())


def request_rewards(session: Session, actor: Actor, rows: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """``request_reward`` for many, each with all of its arguments; returns the ids of those that are new."""
    if not rows:
        return []
    at = now()
    asked = [{"id": new_id(), **row, "created_at": at} for row in sorted(rows, key=lambda row: str(row["reference"]))]
    statement = insert(Reward).values(asked).on_conflict_do_nothing(index_elements=["reference"])
    made = set(session.scalars(statement.returning(Reward.id)))
    new = [row for row in asked if row["id"] in made]
    names = ("member_id", "amount", "asset", "reason", "reference", "contribution_id")
    publish(
        session, actor, *(RewardRequested(reward_id=row["id"], **{name: row[name] for name in names}) for row in new)
    )
    return [row["id"] for row in new]
