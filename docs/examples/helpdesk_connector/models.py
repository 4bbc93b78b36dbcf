"""What the help desk answered."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import mapped_column

from guildhall import CreatedAt, Id, Mapped, Model, ShortText


class Ticket(Model):
    """The ticket of a suggestion; there is one."""

    __tablename__ = "helpdesk_connector_ticket"

    id: Mapped[Id]
    suggestion_id: Mapped[UUID] = mapped_column(unique=True)
    number: Mapped[ShortText]
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.number
