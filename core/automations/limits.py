"""How often an automation may run, and the guard against automations that start each other in a circle."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from core.automations.definition import Allowance, Limits
from core.automations.errors import LimitReached, Loop
from core.automations.models import AutomationCount
from core.clock import now

FOR_EVER = date.min
LONGEST_CHAIN = 200  # events and jobs that are followed back
# The row's lock lets one run through after the other, and the condition is looked at under it.
_COUNT = text("""
    INSERT INTO core_automation_count AS c (automation_id, member_id, period, begins, count)
    VALUES (:automation_id, CAST(:member_id AS uuid), :period, :begins, 1)
    ON CONFLICT (automation_id, member_id, period, begins) DO UPDATE SET count = c.count + 1 WHERE c.count < :times
    RETURNING count
""")
_CHAIN = text("""
    WITH RECURSIVE cause (id, causation_id, steps) AS (
        SELECT id, causation_id, 1 FROM core_event WHERE id = :event_id
        UNION ALL
        SELECT n.id, n.causation_id, c.steps + 1 FROM cause c CROSS JOIN LATERAL (
            SELECT id, causation_id FROM core_event WHERE id = c.causation_id
            UNION ALL
            SELECT id, CAST(checkpoint ->> 'caused_by' AS uuid) FROM core_job WHERE id = c.causation_id
        ) AS n
        WHERE c.steps < :longest
    )
    SELECT count(*) AS runs, count(*) FILTER (WHERE r.automation_id = :automation_id) AS own,
        (SELECT max(steps) FROM cause) AS steps
    FROM cause JOIN core_automation_effect f ON f.event_id = cause.id JOIN core_automation_run r ON r.id = f.run_id
""")


def guard(session: Session, automation_id: UUID, event_id: UUID | None, most: int) -> None:
    """Raise Loop where the causes of an event hold this automation already, or more than ``most`` runs of any."""
    if event_id is None:
        return
    asked = {"event_id": event_id, "automation_id": automation_id, "longest": LONGEST_CHAIN}
    chain = session.execute(_CHAIN, asked).one()
    if chain.own or chain.runs > most or (chain.steps or 0) >= LONGEST_CHAIN:
        raise Loop()


def count(session: Session, automation_id: UUID, member_id: UUID | None, limits: Limits) -> None:
    """Count one run, for the member and altogether. Raises LimitReached; what was counted goes with the savepoint."""
    if limits.per_member and member_id is not None:
        _count(session, automation_id, member_id, limits.per_member)
    if limits.in_all:
        _count(session, automation_id, None, limits.in_all)


def _count(session: Session, automation_id: UUID, member_id: UUID | None, allowed: Allowance) -> None:
    values = {
        "automation_id": automation_id,
        "member_id": member_id,
        "period": allowed.period,
        "begins": begins(allowed.period, now()),
        "times": allowed.times,
    }
    if session.scalar(_COUNT, values) is None:
        raise LimitReached()


def begins(period: str, at: datetime) -> date:
    """The first day, in UTC, of the period that ``at`` lies in."""
    day = at.date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    return day if period == "day" else FOR_EVER


def forget(session: Session, before: datetime) -> None:
    """Delete the counts of periods that ended long before ``before``."""
    old = AutomationCount.period != "ever", AutomationCount.begins < (before - timedelta(days=40)).date()
    session.execute(delete(AutomationCount).where(*old))
