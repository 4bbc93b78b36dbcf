"""The table of files. Their content lies in a storage, under the digest of itself."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import Count, CreatedAt, Id, Instant, Model, choice

CODE = {"pii": False}


class StoredFile(Model):
    """One file of one member. ``loose`` until a record of a plugin refers to it (``keep``), else it is swept away.

    Files of the same content share it in the storage, and nothing else.
    """

    __tablename__ = "core_file"
    __table_args__ = (
        Index("ix_core_file_state", "state", "created_at", postgresql_where="state <> 'kept'"),
        Index("ix_core_file_owner_id_created_at", "owner_id", "created_at"),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    plugin: Mapped[str] = mapped_column(String(60), info=CODE)
    purpose: Mapped[str] = mapped_column(String(120), info=CODE)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100), info=CODE)
    size: Mapped[Count]
    sha256: Mapped[str] = mapped_column(String(64), info=CODE)
    state: Mapped[str] = choice("loose", "kept", "deleted", default="loose")
    storage_key: Mapped[str] = mapped_column(String(100), index=True, info=CODE)
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Instant | None]
