"""Which contributions that count meet a condition on the single event (CEL, see ``expressions``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from .expressions import BadExpression, holds
from .models import Contribution

ANY_TYPE = "*"
AT_ONCE = 1_000  # rows
_TIER = """coalesce(
    (SELECT t.tier FROM core_member_tier t WHERE t.member_id = contributions_contribution.member_id
        AND t.since <= contributions_contribution.occurred_at ORDER BY t.since DESC LIMIT 1),
    (SELECT 'free' FROM core_member_tier t WHERE t.member_id = contributions_contribution.member_id LIMIT 1),
    (SELECT m.tier FROM core_member m WHERE m.id = contributions_contribution.member_id))"""  # as Person.tier_at


@dataclass(frozen=True, slots=True)
class Condition:
    """Contributions of ``type`` (``*``: of any) for which the expression ``when`` holds."""

    type: str
    when: str


Match = tuple[Condition, UUID, UUID]  # the condition, the member, the contribution


def matches(
    session: Session,
    conditions: Collection[Condition],
    *,
    ids: Collection[UUID] | None = None,
    members: Collection[UUID] | None = None,
    unless: Any = None,
) -> Iterator[list[Match]]:
    """What meets the conditions, a list for each thousand rows read; an empty list shows that time passes.

    ``ids`` and ``members`` narrow the contributions; ``unless`` is an SQL condition on ``Contribution`` that leaves
    rows out. An expression that runs into its bounds on an event is not met by it.
    """
    if not conditions:
        return
    asks = any("tier" in condition.when for condition in conditions)
    columns: tuple[Any, ...] = (
        Contribution.id,
        Contribution.member_id,
        Contribution.type,
        Contribution.source,
        Contribution.occurred_at,
        Contribution.details,
        literal_column(_TIER if asks else "''").label("tier"),
    )
    query = select(*columns).where(Contribution.state == "counted")
    types = {condition.type for condition in conditions}
    if ANY_TYPE not in types:
        query = query.where(Contribution.type.in_(sorted(types)))
    if ids is not None:
        query = query.where(Contribution.id.in_(list(ids)))
    if members is not None:
        query = query.where(Contribution.member_id.in_(list(members)))
    if unless is not None:
        query = query.where(~unless)
    for rows in session.execute(query.execution_options(yield_per=AT_ONCE)).partitions():
        found = []
        for row in rows:
            event = {
                "details": row.details,
                "kind": row.type,
                "source": row.source,
                "tier": row.tier,
                "occurred_at": row.occurred_at,
            }
            for condition in conditions:
                if condition.type in (ANY_TYPE, row.type) and _meets(condition.when, event):
                    found.append((condition, row.member_id, row.id))
        yield found


def _meets(when: str, event: dict[str, Any]) -> bool:
    try:
        return holds(when, event)
    except BadExpression:
        return False
