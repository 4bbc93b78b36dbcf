"""The table of notices."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import mapped_column, relationship

from guildhall import CreatedAt, Id, Instant, Json, Mapped, Member, Model, Slug


class Notification(Model):
    """One notice to one member, shown in-app and perhaps mailed.

    ``params`` holds ids and public names only; the text is made from them and the kind when it is shown.
    ``reference`` names the cause, so that a cause tells a member once. ``mailed_at`` and ``mail_error`` are
    how the e-mail ended: accepted by the mail server, or refused for good; both empty while none
    was sent. ``event_id`` is the event whose delivery mails it.
    """

    __tablename__ = "notifications_notification"
    __table_args__ = (
        # Ids are UUIDv7, so this is the order of time too, and the keyset of the list.
        Index("ix_notifications_notification_member_id_id", "member_id", "id"),
        Index("ix_notifications_notification_refused", "id", postgresql_where=text("mail_error IS NOT NULL")),
        Index("ix_notifications_notification_unread", "member_id", postgresql_where=text("read_at IS NULL")),
        Index(
            "ix_notifications_notification_contribution",
            text("(params ->> 'contribution_id')"),
            postgresql_where=text("params ? 'contribution_id'"),
        ),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    kind: Mapped[Slug] = mapped_column(info={"pii": False})
    params: Mapped[Json]
    url: Mapped[str] = mapped_column(String(500), default="")
    reference: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[CreatedAt]
    read_at: Mapped[Instant | None]
    mailed_at: Mapped[Instant | None]
    mail_error: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[UUID | None]

    member: Mapped[Member] = relationship(viewonly=True, lazy="raise")

    def __str__(self) -> str:
        return self.kind
