"""What admins do with types. Each edit is a version that stays."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, _, new_id, now

from . import rules
from .models import ContributionType, TypeVersion


def create_type(session: Session, actor: Actor, values: dict[str, Any]) -> ContributionType:
    """A new type. Raises Invalid by field."""
    rules.check(values)
    row = ContributionType(**values)
    session.add(row)
    session.flush()
    keep_version(session, actor, row)
    return row


def update_type(session: Session, actor: Actor, record: ContributionType, values: dict[str, Any]) -> ContributionType:
    """Change a type; its version goes up, and contributions recorded before keep theirs. Raises Invalid by field."""
    rules.check(values)
    session.refresh(record, with_for_update={"key_share": True})
    if values.get("code", record.code) != record.code:
        raise Invalid({"code": [_("The code cannot be changed: contributions and webhooks use it.")]})
    for name, value in values.items():
        setattr(record, name, value)
    record.version += 1
    session.flush()
    keep_version(session, actor, record)
    return record


def keep_version(session: Session, actor: Actor, row: ContributionType) -> None:
    """Keep the version as it is now."""
    kept = {name: getattr(row, name) for name in rules.RULE_FIELDS}
    session.add(
        TypeVersion(
            id=new_id(), type=row.code, version=row.version, rules=kept, made_by=actor.member_id, created_at=now()
        )
    )
    session.flush()
