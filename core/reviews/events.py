"""What the review inbox says."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class ReviewOpened(Event):
    """A case began to wait for a person. Not published when the subject has an open case of the kind already."""

    event_name = "core.review.opened"
    review_id: UUID
    kind: str
    subject_id: str
    member_id: UUID | None


class ReviewAssigned(Event):
    """Somebody took a case or was given it. Not published when a case is released."""

    event_name = "core.review.assigned"
    review_id: UUID
    kind: str
    assignee_id: UUID


class ReviewEscalated(Event):
    """A case was passed up to those who decide escalated ones. Not published again for the same case."""

    event_name = "core.review.escalated"
    review_id: UUID
    kind: str


class ReviewDecided(Event):
    """A case was approved or rejected, and its effect is done. Not published when a case is withdrawn."""

    event_name = "core.review.decided"
    review_id: UUID
    kind: str
    subject_id: str
    approved: bool
