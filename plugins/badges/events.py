"""What badges publish."""

from __future__ import annotations

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
    """A recalculation gave a badge to so many members that single events would flood the subscribers.

    Not published when it gave the badge to few (each then has its ``badges.badge.awarded``).
    """

    event_name = "badges.batch.awarded"

    badge_id: UUID
    awards: int


class BadgeRevoked(Event):
    """An admin took a badge from a member. Not published by the evaluator, which takes nothing away."""

    event_name = "badges.badge.revoked"

    award_id: UUID
    badge_id: UUID
    member_id: UUID
