"""What admins do with levels."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, _

from .models import Level


def create_level(session: Session, actor: Actor, values: dict[str, Any]) -> Level:
    """A new level; who is beyond it already reaches it with the next contribution. Raises Invalid by field."""
    _check(values)
    level = Level(**values)
    session.add(level)
    session.flush()
    return level


def update_level(session: Session, actor: Actor, record: Level, values: dict[str, Any]) -> Level:
    """Change a level; who reached it before is not told again. Raises Invalid by field."""
    _check(values)
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()
    return record


def _check(values: dict[str, Any]) -> None:
    problems: dict[str, list[str]] = {}
    if (values.get("number") or 1) < 1:
        problems["number"] = [_("Levels are numbered from 1.")]
    if (values.get("threshold") or 0) < 0:
        problems["threshold"] = [_("Points cannot be negative.")]
    if problems:
        raise Invalid(problems)
