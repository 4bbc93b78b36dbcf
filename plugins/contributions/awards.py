"""Awards: prizes by place, a pool shared by points, every month or at the end of a season. Each is asked for once.

Ties are fair: those who share places share their prizes. A division leaves dust, and the last one takes it, so that
the parts always sum to the whole. The last one is who comes last in the order of points, then of the member's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, JobContext, _, now

from .milestones import request_reward
from .models import AwardPlan, AwardRun, MonthProgress
from .rules import window_start

MOST_PLACES = 1000


class Prize(BaseModel):
    """What each of the places ``first`` to ``last`` gets, in the asset's smallest unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    first: int = Field(ge=1, le=MOST_PLACES)
    last: int = Field(ge=1, le=MOST_PLACES)
    amount: int = Field(ge=1, le=10**18)


_PRIZES = TypeAdapter(list[Prize])
Points = Sequence[tuple[UUID, int]]


def check(prizes: Any) -> None:
    """Refuse prizes that could not be awarded. Raises Invalid."""
    try:
        listed = sorted(_PRIZES.validate_python(prizes), key=lambda one: one.first)
    except ValidationError as problem:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
        raise Invalid({"awards": found}) from None
    ends = [0, *(one.last for one in listed)]
    if any(one.last < one.first or one.first <= before for one, before in zip(listed, ends, strict=False)):
        raise Invalid({"awards": [_("Each place may have one prize, and first must not come after last.")]})


def split(pool: int, weights: Sequence[int]) -> list[int]:
    """``pool`` in parts as ``weights`` (whole, positive) say; each is rounded down and the last takes the dust."""
    whole = sum(weights)
    if not weights or whole <= 0:
        return []
    parts = [pool * weight // whole for weight in weights]
    parts[-1] += pool - sum(parts)
    return parts


def by_place(prizes: Any, standings: Points) -> dict[UUID, int]:
    """Who gets how much: those with equal points pool the prizes of the places they take and share them equally."""
    listed = _PRIZES.validate_python(prizes)
    amount = {place: one.amount for one in listed for place in range(one.first, one.last + 1)}
    ordered = sorted((one for one in standings if one[1] > 0), key=lambda one: (-one[1], one[0]))
    paid: dict[UUID, int] = {}
    place = 1
    for _points, group in groupby(ordered, key=lambda one: one[1]):
        members = [member_id for member_id, _ in group]
        pool = sum(amount.get(taken, 0) for taken in range(place, min(place + len(members), MOST_PLACES + 1)))
        place += len(members)
        paid.update(zip(members, split(pool, [1] * len(members)), strict=True))
        if place > MOST_PLACES:
            break
    return {member_id: part for member_id, part in paid.items() if part}


def by_share(pool: int, standings: Points) -> dict[UUID, int]:
    """Who gets how much of a pool that is shared by points."""
    ordered = sorted((one for one in standings if one[1] > 0), key=lambda one: (-one[1], one[0]))
    parts = split(pool, [points for _member_id, points in ordered])
    return {member_id: part for (member_id, _), part in zip(ordered, parts, strict=True) if part}


def create_plan(session: Session, actor: Actor, values: dict[str, Any]) -> AwardPlan:
    """A new award of every month. Raises Invalid by field."""
    check(values.get("awards") or [])
    plan = AwardPlan(**{**values, "first_month": values["first_month"].replace(day=1)})
    session.add(plan)
    session.flush()
    return plan


def update_plan(session: Session, actor: Actor, record: AwardPlan, values: dict[str, Any]) -> AwardPlan:
    """Change a plan; months that were paid stay as they were. Raises Invalid by field."""
    check(values.get("awards", record.awards) or [])
    for name, value in values.items():
        setattr(record, name, value.replace(day=1) if name == "first_month" else value)
    session.flush()
    return record


def pay_due(context: JobContext) -> dict[str, Any]:
    """The job: pay every plan for every month that is over and was not paid, oldest first, a transaction each."""
    paid = 0
    while True:
        with context.unit_of_work() as session:
            due = _next_due(session)
            if due is None:
                return {"months": paid}
            pay_month(session, context.actor, *due)
        paid += 1


def _next_due(session: Session) -> tuple[AwardPlan, date] | None:
    this_month = window_start("month", now()).date()
    for plan in session.scalars(select(AwardPlan).where(AwardPlan.enabled).order_by(AwardPlan.created_at)):
        last = session.scalar(select(func.max(AwardRun.month)).where(AwardRun.plan_id == plan.id))
        month = plan.first_month if last is None else (last + timedelta(days=32)).replace(day=1)
        if month < this_month:
            return plan, month
    return None


def pay_month(session: Session, actor: Actor, plan: AwardPlan, month: date) -> dict[UUID, int]:
    """Ask for the rewards of a month that is over; a second call finds it done and asks for nothing."""
    session.execute(text("LOCK TABLE contributions_contribution IN SHARE ROW EXCLUSIVE MODE"))
    query = select(MonthProgress.member_id, MonthProgress.points)
    standings = session.execute(query.where(MonthProgress.month == month, MonthProgress.points > 0)).tuples().all()
    parts = by_share(plan.pool, standings) if plan.kind == "share" else by_place(plan.awards, standings)
    run = insert(AwardRun).values(
        plan_id=plan.id, month=month, members=len(parts), paid=sum(parts.values()), created_at=now()
    )
    if session.scalar(run.on_conflict_do_nothing().returning(AwardRun.plan_id)) is None:
        return {}
    ask(session, actor, parts, asset=plan.asset, reason="month", reference=f"month:{plan.id}:{month.isoformat()}")
    return parts


def ask(session: Session, actor: Actor, parts: dict[UUID, int], *, asset: str, reason: str, reference: str) -> None:
    """Ask the wallet for each part, once for each member and ``reference``."""
    for member_id in sorted(parts):
        request_reward(
            session,
            actor,
            member_id=member_id,
            amount=parts[member_id],
            asset=asset,
            reason=reason,
            reference=f"{reference}:{member_id}",
        )
