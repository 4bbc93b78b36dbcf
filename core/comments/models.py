"""Tables of comments, of whom they mention and of the files they hold."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db.base import CreatedAt, Id, Instant, Model
from core.files.models import StoredFile


class Comment(Model):
    """What somebody of the staff wrote about a record. Deleted, it keeps its place and loses its text.

    ``member_id`` is whom the record is about: the comment is in the copy of their data, and goes blank with their
    erasure; they never see it on a page. In ``text`` a mentioned member reads ``@[id]``.
    """

    __tablename__ = "core_comment"
    __table_args__ = (Index("ix_core_comment_subject", "subject_type", "subject_id", "id"),)

    id: Mapped[Id]
    subject_type: Mapped[str] = mapped_column(String(120), info={"pii": False})
    subject_id: Mapped[str] = mapped_column(String(120), info={"pii": False})
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    text: Mapped[str] = mapped_column(Text, info={"pii": True})
    created_at: Mapped[CreatedAt]
    edited_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]
    deleted_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)

    files: Mapped[list[StoredFile]] = relationship(secondary="core_comment_file", order_by=StoredFile.id)


class CommentFile(Model):
    """A file that hangs on a comment."""

    __tablename__ = "core_comment_file"

    comment_id: Mapped[UUID] = mapped_column(ForeignKey("core_comment.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("core_file.id", ondelete="CASCADE"), primary_key=True, index=True)


class CommentMention(Model):
    """Whom a comment mentions."""

    __tablename__ = "core_comment_mention"

    comment_id: Mapped[UUID] = mapped_column(ForeignKey("core_comment.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(
        ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True, index=True
    )
