"""The table of data keys."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Model


class DataKey(Model):
    """A key that seals the values of one context, itself wrapped by the key called ``key_id``.

    A retired one still opens what it sealed. Each context has one that is not retired.
    """

    __tablename__ = "core_data_key"
    __table_args__ = (Index("uq_core_data_key_current", "context", unique=True, postgresql_where="retired_at IS NULL"),)

    id: Mapped[Id]
    context: Mapped[str] = mapped_column(String(200))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(300), index=True)
    created_at: Mapped[CreatedAt]
    retired_at: Mapped[Instant | None]
