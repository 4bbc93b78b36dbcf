"""Members who are perhaps one person: they share a browser, a wallet, or (where an admin wants it) an address.

An address alone flags nobody by default, for many people have it in common. A group that a person has released is not
held again until somebody new joins it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guildhall import members

from .models import Review
from .settings import ContributionSettings

HISTORY = "import"  # what others did long ago says nothing about who signs in now
PREFIX = "shared_"
NAMED = 50
_COUNTS = text(members.SHARED)
_RELEASED = text("""
    SELECT review.signals, review.member_id FROM unnest(CAST(:ids AS uuid[])) AS asked (id)
    CROSS JOIN LATERAL (
        SELECT signals, member_id FROM contributions_review
        WHERE member_id = asked.id AND state = 'released' AND signals @? '$[*].members' ORDER BY decided_at DESC LIMIT 5
    ) review
""")


def limits(settings: ContributionSettings) -> dict[str, int]:
    """How many members may share a signal, by its kind; kinds that do not matter are left out."""
    most = {
        "device": settings.shared_device_members,
        "wallet": settings.shared_wallet_members,
        "address": settings.shared_address_members,
    }
    return {kind: number for kind, number in most.items() if number}


def parameters(session: Session, settings: ContributionSettings) -> dict[str, Any]:
    """Those of ``members.SHARED``, but for the members' ids."""
    most = limits(settings)
    return {**members.sharing_window(session), "kinds": list(most), "most": max(most.values(), default=0)}


def concerns(rows: Sequence[Mapping[str, Any]], source: str, settings: ContributionSettings) -> bool:
    """Whether any of these contributions would wait if its member shared too much."""
    wanted = settings.shared_types.split()
    return bool(source != HISTORY and limits(settings)) and any(not wanted or row["type"] in wanted for row in rows)


def over(counts: Collection[tuple[str, int]], settings: ContributionSettings) -> dict[str, int]:
    """By kind, how many members share it, of (kind, other members); those within the limit are left out."""
    most = limits(settings)
    return {kind: others + 1 for kind, others in counts if others + 1 > most.get(kind, others + 1)}


def signals(
    session: Session, rows: Sequence[Mapping[str, Any]], settings: ContributionSettings
) -> dict[UUID, list[dict[str, Any]]]:
    """What members share that speaks against them, by member: ``{"signal", "found", "limit", "members"}``.

    ``members`` are the others, the last seen first; what a person released before is left out.
    """
    wanted = settings.shared_types.split()
    ids = {row["member_id"] for row in rows if row["source"] != HISTORY and (not wanted or row["type"] in wanted)}
    if not ids or not limits(settings):
        return {}
    counts: dict[UUID, list[tuple[str, int]]] = {}
    for member_id, kind, others in session.execute(_COUNTS, {**parameters(session, settings), "ids": list(ids)}):
        counts.setdefault(member_id, []).append((kind, others))
    flagged = {member_id: found for member_id, one in counts.items() if (found := over(one, settings))}
    if not flagged:
        return {}
    known = members.sharing(session, flagged, kinds=members.KINDS, most=NAMED)
    groups = _released(session, {*flagged, *(one.member_id for ones in known.values() for one in ones)})
    told: dict[UUID, list[dict[str, Any]]] = {}
    for member_id, found in flagged.items():
        for kind, number in found.items():
            others = [one.member_id for one in known.get(member_id, ()) if kind in one.kinds][:NAMED]
            if any({member_id, *others} <= group for group in groups.get(PREFIX + kind, ())):
                continue
            found_here = max(number, len(others) + 1)  # they are counted no further than the limit
            signal = {"signal": PREFIX + kind, "found": found_here, "limit": limits(settings)[kind]}
            told.setdefault(member_id, []).append({**signal, "members": [str(one) for one in others]})
    return told


def group_of(review: Review) -> set[UUID]:
    """The member of a review with those who share something with them."""
    others = (UUID(one) for signal in review.signals for one in signal.get("members", ()))
    return {review.member_id, *others}


def open_of_group(session: Session, review: Review) -> list[Review]:
    """The open reviews of a review's group that were opened because of what members share, the oldest first."""
    shared = text("contributions_review.signals @? '$[*].members'")
    query = select(Review).where(Review.member_id.in_(group_of(review)), Review.state == "open", shared)
    return list(session.scalars(query.order_by(Review.created_at, Review.id)))


def _released(session: Session, ids: Collection[UUID]) -> dict[str, list[set[UUID]]]:
    """The groups that a person has released, by signal."""
    groups: dict[str, list[set[UUID]]] = {}
    for found, member_id in session.execute(_RELEASED, {"ids": list(ids)}):
        for one in found:
            if "members" in one:
                groups.setdefault(one["signal"], []).append({member_id, *map(UUID, one["members"])})
    return groups
