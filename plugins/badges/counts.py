"""Criteria that count contributions: of a type, of any, within some days, and what challenges bring."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from sqlalchemy import (
    ColumnElement,
    FrameClause,
    FrameClauseType,
    Select,
    exists,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Session

from guildhall import _
from plugins.contributions import (
    Contribution,
    ContributionType,
    MemberFacts,
    MemberProgress,
    TypeProgress,
    expressions,
    queries,
)

from . import filters
from .frame import Frame, Keep
from .leaf import AtLeast, Explanation, Measured, Source

ANY_TYPE = "*"
TypeCode = Annotated[str, Field(pattern=r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*)$", max_length=80)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]

PROGRESS = Source("progress", queries.facts)


def best(event: str, days: int, keep: Keep) -> Select[Any]:
    """The most contributions of a type that each member made within ``days`` times 24 hours (start excluded)."""
    span = timedelta(days=days) - timedelta(microseconds=1)
    window = FrameClause(span, None, FrameClauseType.PRECEDING, FrameClauseType.CURRENT)
    counted = func.count().over(partition_by=Contribution.member_id, order_by=Contribution.occurred_at, range_=window)
    counts = Contribution.state == literal_column("'counted'")  # a parameter would hide the index from a kept plan
    query = select(Contribution.member_id, counted.label("n")).where(counts)
    query = query.where(keep(Contribution.member_id))
    inner = (query if event == ANY_TYPE else query.where(Contribution.type == event)).subquery()
    return select(inner.c.member_id, func.max(inner.c.n).label("best")).group_by(inner.c.member_id)


# What ``best`` tells, for several pairs at once. In a sorted array the place of a time, less that of the last one
# before its window, is how many lie in it. Of pairs as JSON the planner expects as many each time, and keeps its plan.
_BEST = """
    WITH pair AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(CAST(:pairs AS jsonb)) AS one (event text, days int))
    SELECT pair.event, pair.days, m.id, (
        SELECT max(place - width_bucket(at - pair.days * interval '24 hours', kept.times))
        FROM unnest(kept.times) WITH ORDINALITY AS one (at, place)
    ) AS best
    FROM {of} AS m (id) CROSS JOIN (SELECT DISTINCT event FROM pair) AS e
    CROSS JOIN LATERAL (
        SELECT array_agg(occurred_at ORDER BY occurred_at) AS times FROM contributions_contribution c
        WHERE c.member_id = m.id AND c.state = 'counted' AND (e.event = '*' OR c.type = e.event)
    ) kept
    JOIN pair ON pair.event = e.event
    WHERE kept.times IS NOT NULL
"""
BEST_OF_ONE = text(_BEST.format(of="(SELECT (CAST(:ids AS uuid[]))[1])"))
BEST_OF_MANY = text(_BEST.format(of="unnest(CAST(:ids AS uuid[]))"))


def _best_of_all(
    session: Session, pairs: Collection[tuple[str, int]], member_ids: Collection[UUID]
) -> dict[tuple[str, int], dict[UUID, int]]:
    asked = {"ids": list(member_ids), "pairs": json.dumps([{"event": event, "days": days} for event, days in pairs])}
    found = {pair: dict.fromkeys(member_ids, 0) for pair in pairs}
    statement = BEST_OF_ONE if len(member_ids) == 1 else BEST_OF_MANY
    for event, span, member_id, number in session.execute(statement, asked):
        found[event, span][member_id] = number
    return found


@cache
def best_of(event: str, days: int) -> Source:
    """``best`` as a fact; one source for each pair, however many badges ask."""
    return Source.one_of(f"best {event} {days}", _best_of_all, (event, days))


class OfType(AtLeast):
    """At least ``count`` contributions of one type."""

    source = PROGRESS
    sentence = _("{actual} of {target} contributions")
    wanted = _("at least {count} contributions of type {event}")

    count: Number = 1

    @property
    def code(self) -> str:
        """The type of the contributions that are counted."""
        return self.type_name

    @property
    def target(self) -> int:
        return self.count

    def actual(self, fact: MemberFacts) -> int:
        return fact.count_by_type.get(self.code, 0)

    def column(self, frame: Frame) -> ColumnElement[Any]:
        return frame.column(TypeProgress, "count", type=self.code)

    def depends_on(self) -> frozenset[str]:
        return frozenset((self.code,))


class ChallengeParticipation(OfType):
    """Took part in at least ``count`` challenges."""

    type_name = "challenge.participation"
    label = _("Challenges joined")
    wanted = _("took part in at least {count} challenges")
    sentence = _("took part in {actual} of {target} challenges")


class ChallengeFinalist(OfType):
    """Was in the final of at least ``count`` challenges."""

    type_name = "challenge.finalist"
    label = _("Challenge finals")
    wanted = _("reached the final of at least {count} challenges")
    sentence = _("reached {actual} of {target} finals")


class ChallengeWin(OfType):
    """Won at least ``count`` challenges."""

    type_name = "challenge.win"
    label = _("Challenges won")
    wanted = _("won at least {count} challenges")
    sentence = _("won {actual} of {target} challenges")


class EventCount(AtLeast):
    """At least ``count`` contributions of the type ``event``; ``*`` counts those of every type.

    With ``days`` they lie within that many times 24 hours, whenever that was: the best such time counts, so that the
    order in which contributions arrive changes nothing. With ``where`` those count for which that condition in CEL
    holds; it sees one contribution: ``details``, ``kind``, ``source``, ``tier`` and ``occurred_at``.
    """

    type_name = "event.count"
    label = _("Contributions")
    wanted = _("at least {count} contributions of type {event}")
    source = PROGRESS
    sentence = _("{actual} of {target} contributions of type {event}")

    event: TypeCode
    count: Number = 1
    days: Annotated[int, Field(ge=1, le=366)] | None = None
    where: Annotated[str, Field(min_length=1, max_length=expressions.LONGEST)] | None = None

    @field_validator("where")
    @classmethod
    def _usable(cls, where: str | None) -> str | None:
        """Compile the condition and try it on an event without details. Raises ValueError."""
        if where is not None:
            expressions.holds(where, filters.EXAMPLE)
        return where

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.days is not None and self.where is not None:
            raise ValueError("give days or where, not both")
        return self

    @property
    def filter(self) -> filters.Filter | None:
        """What keeps the count of a condition; None without one."""
        return None if self.where is None else filters.Filter(self.event, self.where)

    @property
    def wish(self) -> str:
        if self.where is not None:
            return _("at least {count} contributions of type {event} where {where}")
        if self.days is not None:
            return _("at least {count} contributions of type {event} within {days} days")
        return self.wanted

    @property
    def target(self) -> int:
        return self.count

    @property
    def reads(self) -> Source:
        if self.filter is not None:
            return filters.count_of(self.filter)
        return self.source if self.days is None else best_of(self.event, self.days)

    def actual(self, fact: Any) -> int:
        if self.days is not None or self.where is not None:
            return int(fact)
        counts = fact.count_by_type
        return sum(counts.values()) if self.event == ANY_TYPE else counts.get(self.event, 0)

    def column(self, frame: Frame) -> ColumnElement[Any]:
        event, days = self.event, self.days
        if self.filter is not None:
            return filters.column_of(frame, self.filter)
        if days is not None:
            return frame.rows(("best", event, days), lambda keep: best(event, days, keep)).c.best
        if event == ANY_TYPE:
            return frame.column(MemberProgress, "count")
        return frame.column(TypeProgress, "count", type=event)

    def depends_on(self) -> frozenset[str]:
        return frozenset((self.event,))

    def explain(self, actual: Measured) -> Explanation:
        told = super().explain(actual)
        if self.where is not None:
            return replace(told, sentence=_("{actual} of {target} contributions where {where}"))
        if self.days is not None:
            return replace(told, sentence=_("at best {actual} of {target} contributions within {days} days"))
        if self.event == ANY_TYPE:
            return replace(told, sentence=_("{actual} of {target} contributions"))
        return told

    def check(self, session: Session) -> str | None:
        known = select(exists().where(ContributionType.code == self.event))
        if self.event == ANY_TYPE or session.scalar(known):
            return None
        return _("there is no contribution type {name}.").format(name=self.event)
