"""Tables of lists: saved views, what each reader chose to see, and work on many records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import Count, CreatedAt, Id, Instant, Json, Model

KINDS = ("edit", "delete", "operation", "revert")
ITEM_STATES = ("waiting", "done", "unchanged", "failed")
NO_PERSON = {"pii": False}


class SavedView(Model):
    """A list's state under a name, of one member; ``query`` is the query string. Shared ones are seen by all."""

    __tablename__ = "core_list_view"
    __table_args__ = (
        Index("uq_core_list_view_own", "member_id", "resource", text("lower(name)"), unique=True),
        Index("ix_core_list_view_resource", "resource", "shared"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"))
    resource: Mapped[str] = mapped_column(String(120), info=NO_PERSON)
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(Text)
    shared: Mapped[bool] = mapped_column(server_default="false", default=False)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class ListChoice(Model):
    """How a member wants to see a list: the columns in their order (none: as declared), dense rows, first view."""

    __tablename__ = "core_list_choice"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    resource: Mapped[str] = mapped_column(String(120), primary_key=True)
    columns: Mapped[list[str]] = mapped_column(JSONB, server_default="[]", default=list, info=NO_PERSON)
    dense: Mapped[bool] = mapped_column(server_default="false", default=False)
    view_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_list_view.id", ondelete="SET NULL"), index=True)


class BulkRun(Model):
    """One act upon many records. Its id is the correlation id of all it causes.

    ``values`` are the new values of an edit or what the form of an operation gave; never personal.
    """

    __tablename__ = "core_bulk_run"
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind"),)

    id: Mapped[Id]
    resource: Mapped[str] = mapped_column(String(120), info=NO_PERSON)
    kind: Mapped[str] = mapped_column(String(10))
    operation: Mapped[str] = mapped_column(String(80), server_default="", default="", info=NO_PERSON)
    values: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict, info=NO_PERSON)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    impersonator_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    reverts_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_bulk_run.id", ondelete="CASCADE"), unique=True)
    job_id: Mapped[UUID | None]
    total: Mapped[Count]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Instant | None] = mapped_column(index=True)


class BulkItem(Model):
    """One record of a run, what its fields held before and after, or why it was left as it is."""

    __tablename__ = "core_bulk_item"
    __table_args__ = (
        CheckConstraint(f"state IN {ITEM_STATES}", name="state"),
        Index("ix_core_bulk_item_state", "run_id", "state", "position"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("core_bulk_run.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(10), server_default="waiting", default="waiting")
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
