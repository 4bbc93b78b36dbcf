"""The one table: that the demo was loaded."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import mapped_column

from guildhall import CreatedAt, Mapped, Model


class Load(Model):
    """A loaded demo community. Its seed is the key, so that it is loaded once and never comes back after edits."""

    __tablename__ = "demo_load"

    seed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    end_date: Mapped[date]
    loaded_at: Mapped[CreatedAt]
