"""Tables of imports: each file, what every row of it made or changed, and what was wrong with rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import Count, CreatedAt, Id, Instant, Json, Model, choice

STATES = ("uploaded", "checking", "checked", "running", "done", "undoing", "undone")
STEPS = ("tried", "done", "undone")
NO_PERSON = {"pii": False}


class Import(Model):
    """A file of records of one resource. Its id is the correlation id of all that it causes.

    ``plan`` is a ``core.imports.plan.Plan``; ``figures`` has an object for each step that ended. ``file_id`` is empty
    once the file is forgotten.
    """

    __tablename__ = "core_import"
    __table_args__ = (Index("ix_core_import_resource", "resource", "id"),)

    id: Mapped[Id]
    resource: Mapped[str] = mapped_column(String(120), info=NO_PERSON)
    name: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = choice("csv", "xlsx")
    file_id: Mapped[UUID | None]
    plan: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict)
    state: Mapped[str] = choice(*STATES, default="uploaded")
    rows: Mapped[Count] = mapped_column(server_default="0", default=0)
    figures: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict, info=NO_PERSON)
    job_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(200), server_default="", default="")
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    impersonator_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[Instant | None]

    def __str__(self) -> str:
        return self.name


class ImportRow(Model):
    """What a row of the file did: it created or updated the record ``key``, of which it then set ``fields``.

    ``mark`` is a keyed digest of the record as the import left it (of what it changed, where it was there before);
    undoing leaves alone what has another by then.
    """

    __tablename__ = "core_import_row"
    __table_args__ = (CheckConstraint("action IN ('created', 'updated')", name="action"),)

    import_id: Mapped[UUID] = mapped_column(ForeignKey("core_import.id", ondelete="CASCADE"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(10))
    fields: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    mark: Mapped[bytes] = mapped_column(LargeBinary(16))


class ImportProblem(Model):
    """Why a step left a row of the file alone; ``field`` is empty where it is about the whole row.

    Sentences say what is wrong; none holds an address.
    """

    __tablename__ = "core_import_problem"
    __table_args__ = (CheckConstraint(f"step IN {STEPS}", name="step"),)

    import_id: Mapped[UUID] = mapped_column(ForeignKey("core_import.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(String(10), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    field: Mapped[str] = mapped_column(String(120), primary_key=True)
    code: Mapped[str] = mapped_column(String(80))
    sentence: Mapped[str] = mapped_column(Text)
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
