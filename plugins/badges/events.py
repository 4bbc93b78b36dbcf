"""What badges publish."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from guildhall import Event


class BadgeAwarded(Event):
    """A member now holds a badge, by its criteria or by an admin's hand.

    ``quiet`` when it came from an import's batch or a recalculation: tell nobody by mail. Not published when the
    member held the badge before, when a removed one would be met again, nor one by one when a recalculation
    awards a badge to many at once (``badges.batch.awarded``).
    """

    event_name = "badges.badge.awarded"

    award_id: UUID
    badge_id: UUID
    member_id: UUID
    contribution_id: UUID | None = None
    quiet: bool = False


class BatchAwarded(Event):
    """A step of a recalculation gave so many awards that single events would flood the subscribers.

    Each of ``member_ids`` was given at least one of ``badge_ids`` then; ``awards`` counts them. Events of version 1
    named one badge and no members, and those without ``awarded_at`` (the moment that all its awards have) name none of
    the awards. Not published when a step gave few (each then has its ``badges.badge.awarded``),
    nor when it gave none.
    """

    event_name = "badges.batch.awarded"
    event_version = 2

    badge_ids: list[UUID]
    member_ids: list[UUID]
    awards: int
    awarded_at: datetime | None = None

    @classmethod
    def upcast(cls, version: int, payload: dict[str, Any]) -> dict[str, Any]:
        return {"badge_ids": [payload["badge_id"]], "member_ids": [], "awards": payload["awards"]}


class BadgeRevoked(Event):
    """An admin took a badge from a member. Not published by the evaluator, which takes nothing away."""

    event_name = "badges.badge.revoked"

    award_id: UUID
    badge_id: UUID
    member_id: UUID
