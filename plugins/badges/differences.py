"""The history of a badge's criteria, each version with what it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Member

from . import queries
from .models import Badge

AROUND = 3  # lines that stay, before and after those that differ


@dataclass(frozen=True, kw_only=True)
class Change:
    """A version of the criteria: who wrote it, and its lines against the version before. ``lines`` are (mark, text);
    the mark is ``+``, ``-``, a space for what stayed, or ``@`` for lines left out."""

    version: int
    at: datetime
    by: str | None
    criteria: Any
    lines: Sequence[tuple[str, str]]


def history(session: Session, badge: Badge) -> list[Change]:
    """Every version of a badge's criteria, the newest first."""
    kept = queries.versions(session, badge)
    authors = select(Member.id, Member.display_name).where(Member.id.in_({one.created_by for one in kept}))
    names = dict(session.execute(authors).tuples().all())
    older = [*(one.criteria for one in kept[1:]), None]
    return [
        Change(
            version=one.version,
            at=one.created_at,
            by=names.get(one.created_by) if one.created_by else None,
            criteria=one.criteria,
            lines=differences(before, one.criteria),
        )
        for one, before in zip(kept, older, strict=True)
    ]


def differences(before: Any, after: Any) -> list[tuple[str, str]]:
    """What differs between two JSON values, line by line; empty for a first version and where nothing does."""
    if before is None:
        return []
    made = unified_diff(_lines(before), _lines(after), n=AROUND, lineterm="")
    return [("@", "…") if line.startswith("@@") else (line[0], line[1:]) for line in list(made)[2:]]


def _lines(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
