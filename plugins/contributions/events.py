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


class LevelReached(Event):
    """A member's points reached a level for the first time. Not published again when points fall and rise.

    ``tier`` is the one that the level granted; None when it grants none or the member's is at least as high.
    """

    event_name = "contributions.level.reached"
    member_id: UUID
    level_id: UUID
    number: int
    tier: str | None = None
    quiet: bool = False


class ContributionCorrected(Event):
    """A contribution is worth something else now: ``points`` more, or less. ``kind``: override or reversal.

    Not published by the re-scoring of a period, which publishes one BatchCorrected a chunk.
    """

    event_name = "contributions.contribution.corrected"
    contribution_id: UUID
    member_id: UUID
    type: str
    kind: str
    points: int


class BatchCorrected(Event):
    """A chunk of a period was scored anew: at most 1,000 contributions whose points changed.

    Not published for a chunk in which nothing changed.
    """

    event_name = "contributions.batch.corrected"
    rescore_id: UUID
    contribution_ids: list[UUID]
    member_ids: list[UUID]
    types: list[str]


class ReviewOpened(Event):
    """A contribution is held back until somebody has reviewed it. Not published for one that counts at once."""

    event_name = "contributions.review.opened"
    review_id: UUID
    contribution_id: UUID
    member_id: UUID


class ReviewDecided(Event):
    """A review was decided: ``released`` or ``rejected``. One released is published as recorded too.

    Not published again when the same decision comes twice.
    """

    event_name = "contributions.review.decided"
    review_id: UUID
    contribution_id: UUID
    member_id: UUID
    state: str


class IdentityClaimed(Event):
    """A member was given an outside identity, and with it the whole history of ``from_member_id``.

    ``duplicate_rewards`` are rewards of ``from_member_id`` for what ``member_id`` was rewarded for too: they are not
    to be paid to the member again. Not published for an identity that nobody's history hangs on.
    """

    event_name = "contributions.identity.claimed"
    claim_id: UUID
    member_id: UUID
    from_member_id: UUID
    duplicate_rewards: list[UUID]


class SeasonClosed(Event):
    """A season was closed: its standings are final, and its awards are asked for.

    Not published for one that is over but not closed, nor when it is closed again.
    """

    event_name = "contributions.season.closed"
    season_id: UUID
    members: int


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
