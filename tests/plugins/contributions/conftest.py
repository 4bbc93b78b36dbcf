"""People, and a picture of everything that recording changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.platform import Platform
from guildhall import Actor, Member, new_id
from plugins.contributions.verify import verify
from tests.core.workshop import plain_logs as plain_logs
from tests.core.workshop import workshop as workshop

TABLES = {
    "contributions_contribution": "member_id, type, event_key, points, state, reason, breakdown, local_day",
    "contributions_progress": "*",
    "contributions_type_progress": "*",
    "contributions_month_progress": "*",
    "contributions_day_progress": "*",
    "contributions_limit_slot": "*",
}
REACHED = """
    SELECT r.member_id, m.threshold, c.event_key FROM contributions_milestone_reached r
    JOIN contributions_milestone m ON m.id = r.milestone_id
    JOIN contributions_contribution c ON c.id = r.contribution_id
"""


def picture(session: Session, *but: str) -> dict[str, list[str]]:
    """Every row that recording leaves behind, but what differs by nature: ids and when it was received."""
    found = {
        table: sorted(map(str, session.execute(text(f"SELECT {columns} FROM {table}"))))
        for table, columns in TABLES.items()
        if table not in but
    }
    if "reached" not in but:
        found["reached"] = sorted(map(str, session.execute(text(REACHED))))
    return found


def findings(session: Session) -> list[Any]:
    """Whatever does not add up."""
    return [finding for found in verify(session).values() for finding in found]


def add_people(session: Session, count: int = 1, **values: Any) -> list[UUID]:
    ids = sorted(new_id() for _ in range(count))
    session.add_all(Member(id=key, display_name=f"Member {n}", **values) for n, key in enumerate(ids))
    session.flush()
    return ids


@pytest.fixture
def people(platform: Platform, system: Actor) -> Callable[..., list[UUID]]:
    """Make members on the platform: ``people(3, time_zone="Asia/Tokyo")`` returns their ids, sorted."""

    def make(count: int = 1, **values: Any) -> list[UUID]:
        with platform.unit_of_work(system) as session:
            return add_people(session, count, **values)

    return make
