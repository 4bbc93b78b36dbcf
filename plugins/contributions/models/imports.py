"""Files that are brought in: how far each is, what it brought, and which lines it could not take."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import mapped_column

from guildhall import Count, CreatedAt, Id, Instant, Json, Mapped, Model, ShortText, choice

STEPS = ("tried", "done")


class Import(Model):
    """A CSV file that is brought in by a job: tried first, then done, and perhaps undone.

    ``columns`` says which column of the file holds what. ``figures`` has an object for each step that ended: lines and
    what became of them. ``file_id`` is empty once the file is forgotten.
    """

    __tablename__ = "contributions_import"
    __table_args__ = (Index("ix_contributions_import_created", "created_at", "id"),)

    id: Mapped[Id]
    name: Mapped[ShortText]
    file_id: Mapped[UUID | None]
    columns: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"), info={"pii": False})
    state: Mapped[str] = choice(
        "uploaded", "checking", "checked", "running", "done", "undoing", "undone", default="uploaded"
    )
    figures: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"), info={"pii": False})
    lines: Mapped[Count] = mapped_column(default=0, server_default="0")
    job_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="", info={"pii": False})
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[Instant | None]

    def __str__(self) -> str:
        return self.name

    @property
    def told(self) -> dict[str, Any]:
        """The figures of the step that ended last."""
        found: dict[str, Any] = (
            self.figures.get("undone") or self.figures.get("done") or self.figures.get("tried") or {}
        )
        return found


class ImportRow(Model):
    """That a contribution came by an import; undoing goes by it."""

    __tablename__ = "contributions_import_row"

    import_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_import.id", name="fk_contributions_import_row_import"), primary_key=True
    )
    contribution_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_import_row_contribution"),
        primary_key=True,
        index=True,
    )


class ImportProblem(Model):
    """A line of a file that a step could not take, and why."""

    __tablename__ = "contributions_import_problem"

    import_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_import.id", name="fk_contributions_import_problem_import"), primary_key=True
    )
    step: Mapped[str] = mapped_column(String(10), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(60))
    message: Mapped[str] = mapped_column(String(300))
