"""What comments say."""

from __future__ import annotations

from uuid import UUID

from core.events.event import Event


class CommentMade(Event):
    """Somebody of the staff wrote a comment on a record. ``mentions`` are those it names; ``url`` is its place.

    ``member_id`` is whom the record is about, who is never to be told. Not published when a comment is edited, but
    for those whom the edit names for the first time, alone.
    """

    event_name = "core.comment.made"
    comment_id: UUID
    subject_type: str
    subject_id: str
    member_id: UUID | None
    mentions: tuple[UUID, ...] = ()
    url: str = ""
