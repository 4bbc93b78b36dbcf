"""What can be done with contributions. Each function flushes, publishes, and never commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, make_transient_to_detached

from guildhall import Actor, audit, locks, publish, read_settings

from . import progress
from .errors import DuplicateEvent, MemberUnknown
from .events import BatchRecorded, ContributionRecorded
from .intake import Intake, NewContribution, Outcome
from .milestones import request_reward, request_rewards, rewarded
from .models import Contribution
from .rules import Score
from .settings import ContributionSettings
from .types import create_type, update_type

CHUNK = 1000
AT_ONCE = 10_000  # one statement for each aggregate, whatever the number of rows


def record(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    type: str,
    event_key: str | None = None,
    occurred_at: datetime | None = None,
    details: Mapping[str, Any] | None = None,
    source: str = "system",
    challenge_id: UUID | None = None,
    submission_id: UUID | None = None,
    given: Score | None = None,
) -> Contribution:
    """Record one contribution of a member, once for each (``type``, ``event_key``); ``given`` as of NewContribution.

    Returns it ``counted``; ``pending`` when it waits for a review; or ``rejected`` with 0 points and ``reason``
    ``limit:<window>`` when the type's limit is reached: that one is kept so that a retry gets the same answer,
    therefore no FrequencyLimit is raised here.
    Raises DuplicateEvent (``details``: the first one), InvalidContributionType, InvalidMetadata, InvalidEvent,
    OccurredInFuture, OccurredTooLongAgo, MemberUnknown, ScoringError.
    """
    row = NewContribution(
        member_id=member_id,
        type=type,
        event_key=event_key,
        occurred_at=occurred_at,
        details=details or {},
        challenge_id=challenge_id,
        submission_id=submission_id,
        given=given,
    )
    intake = Intake(session, actor, source, read_settings(session, ContributionSettings))
    intake.lock({member_id})
    outcome = intake.take([row])[0]
    if outcome.outcome == "invalid" and outcome.error:
        raise outcome.error
    if outcome.outcome == "duplicate":
        first = session.get_one(Contribution, outcome.contribution_id)
        raise DuplicateEvent(summary(first), type=first.type)
    contribution = _stored(session, intake.taken[0], outcome)
    if outcome.outcome == "recorded":
        publish(
            session,
            actor,
            ContributionRecorded(
                contribution_id=contribution.id,
                member_id=member_id,
                type=contribution.type,
                points=contribution.points,
            ),
        )
    return contribution


def _stored(session: Session, values: dict[str, Any], outcome: Outcome) -> Contribution:
    """The contribution as it was just written; it is not read again."""
    if outcome.outcome == "rejected" and outcome.error:
        values = {**values, "state": "rejected", "points": 0, "breakdown": []}
        values["reason"] = f"limit:{outcome.error.params['per']}"
    elif outcome.outcome == "pending":
        return session.get_one(Contribution, outcome.contribution_id)
    contribution = Contribution(**values)
    make_transient_to_detached(contribution)
    session.add(contribution)
    return contribution


def record_many(
    session: Session, actor: Actor, rows: Iterable[NewContribution], *, source: str = "import"
) -> list[Outcome]:
    """Record many contributions in the caller's transaction; one outcome for each line, none is raised.

    Ends in the same state as ``record`` for each row in turn, but publishes one BatchRecorded for each 1,000.
    """
    rows = list(rows)
    intake = Intake(session, actor, source, read_settings(session, ContributionSettings), bulk=True)
    intake.lock({row.member_id for row in rows})
    outcomes: list[Outcome] = []
    for start in range(0, len(rows), AT_ONCE):
        outcomes += intake.take(rows[start : start + AT_ONCE])
    batches = [
        _batch(rows[start : start + CHUNK], outcomes[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)
    ]
    publish(session, actor, *(batch for batch in batches if batch))
    return outcomes


def _batch(rows: Sequence[NewContribution], outcomes: Sequence[Outcome]) -> BatchRecorded | None:
    pairs = zip(rows, outcomes, strict=True)
    recorded = [(row, one.contribution_id) for row, one in pairs if one.outcome == "recorded" and one.contribution_id]
    if not recorded:
        return None
    return BatchRecorded(
        contribution_ids=[contribution_id for _, contribution_id in recorded],
        member_ids=sorted({row.member_id for row, _ in recorded}),
        types=sorted({row.type for row, _ in recorded}),
    )


def summary(contribution: Contribution) -> dict[str, Any]:
    """A contribution as a JSON object, for error details and answers that are kept."""
    return {
        "id": str(contribution.id),
        "type": contribution.type,
        "event_key": contribution.event_key,
        "points": contribution.points,
        "state": contribution.state,
        "reason": contribution.reason,
        "occurred_at": contribution.occurred_at.isoformat().replace("+00:00", "Z"),
    }


def recalculate(session: Session, actor: Actor, *, member_id: UUID | None = None) -> int:
    """Work out every member's progress anew from the contributions, or one's; returns the number of members. Audited.

    Recording waits meanwhile: everybody's, or that one's. Raises MemberUnknown.
    """
    about: dict[str, Any] = {"subject_type": "contributions.progress", "subject_id": member_id or "all"}
    if member_id is None:
        count = progress.rebuild(session)
    elif locks.members(session, [member_id]):
        count = len(progress.rebuild_members(session, [member_id])) or 1
    else:
        raise MemberUnknown()
    audit(session, actor, "contributions.progress.recalculated", **about)
    return count


__all__ = [
    "NewContribution",
    "Outcome",
    "create_type",
    "recalculate",
    "record",
    "record_many",
    "request_reward",
    "request_rewards",
    "rewarded",
    "summary",
    "update_type",
]
