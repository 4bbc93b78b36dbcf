"""What contributions say has happened. Payloads hold ids, never personal data."""

from __future__ import annotations

from uuid import UUID

from guildhall import Event


class ContributionRecorded(Event):
    """One contribution was recorded and counts.

    Not published for a duplicate, for one that a limit rejected, nor for those of an import or a bulk call, which
    publish one BatchRecorded a chunk.
    """

    event_name = "contributions.contribution.recorded"
    contribution_id: UUID
    member_id: UUID
    type: str
    points: int


class BatchRecorded(Event):
    """A chunk of an import or a bulk call was recorded: at most 1,000 contributions that count.

    Not published for a chunk that brought nothing new.
    """

    event_name = "contributions.batch.recorded"
    contribution_ids: list[UUID]
    member_ids: list[UUID]
    types: list[str]


class MilestoneReached(Event):
    """A member's points reached a milestone for the first time. Not published again when points fall and rise.

    ``quiet`` is true when an import brought it: nobody is to be mailed about history.
    """

    event_name = "contributions.milestone.reached"
    member_id: UUID
    milestone_id: UUID
    threshold: int
    quiet: bool = False


class RewardRequested(Event):
    """Somebody is to be rewarded; the wallet pays. ``amount`` is in the asset's smallest unit.

    Published once for each ``reference``; not published again when something is delivered or replayed twice.
    """

    event_name = "contributions.reward.requested"
    reward_id: UUID
    member_id: UUID
    amount: int
    asset: str
    reason: str
    reference: str
    contribution_id: UUID | None
