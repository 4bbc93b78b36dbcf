"""The kinds of criteria that badges bring themselves; the hook ``badge_criteria`` registers them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, exists, false, func, literal, null, select
from sqlalchemy.orm import Session

from guildhall import Member, _
from plugins.contributions import ContributionType, MemberFacts, MemberProgress, TypeProgress, queries

from .leaf import AtLeast, Explanation, Leaf, Measured, Source, Units38
from .models import Award, Badge

ANY_TYPE = "*"
TypeCode = Annotated[str, Field(pattern=r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*)$", max_length=80)]
BadgeSlug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]

PROGRESS = Source("progress", queries.facts)


def _held(session: Session, member_ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    held: dict[UUID, set[str]] = {member_id: set() for member_id in member_ids}
    query = select(Award.member_id, Badge.slug).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.member_id.in_(list(member_ids)), Award.revoked_at.is_(None))
    for member_id, slug in session.execute(query):
        held[member_id].add(slug)
    return {member_id: frozenset(slugs) for member_id, slugs in held.items()}


HELD = Source("held", _held)


class PointsThreshold(AtLeast):
    """At least ``value`` points in all."""

    type_name = "points.threshold"
    label = _("Points")
    wanted = _("at least {value} points")
    source = PROGRESS
    sentence = _("{actual} of {target} points")

    value: Units38

    @property
    def target(self) -> int:
        return self.value

    def actual(self, fact: MemberFacts) -> int:
        return fact.points

    def sql(self) -> ColumnElement[bool]:
        return _mine(select(MemberProgress.points).where(MemberProgress.points >= self.value))

    def actual_sql(self) -> ColumnElement[Any]:
        return _value(select(MemberProgress.points))

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE,))


class EventCount(AtLeast):
    """At least ``count`` contributions of the type ``event``; ``*`` counts those of every type."""

    type_name = "event.count"
    label = _("Contributions")
    wanted = _("at least {count} contributions of type {event}")
    source = PROGRESS
    sentence = _("{actual} of {target} contributions of type {event}")

    event: TypeCode
    count: Number = 1

    @property
    def target(self) -> int:
        return self.count

    def actual(self, fact: MemberFacts) -> int:
        counts = fact.count_by_type
        return sum(counts.values()) if self.event == ANY_TYPE else counts.get(self.event, 0)

    def sql(self) -> ColumnElement[bool]:
        if self.event == ANY_TYPE:
            return _mine(select(MemberProgress.count).where(MemberProgress.count >= self.count))
        return _mine(self._of_type().where(TypeProgress.count >= self.count))

    def actual_sql(self) -> ColumnElement[Any]:
        return _value(select(MemberProgress.count) if self.event == ANY_TYPE else self._of_type())

    def _of_type(self) -> Select[Any]:
        return select(TypeProgress.count).where(TypeProgress.type == self.event)

    def depends_on(self) -> frozenset[str]:
        return frozenset((self.event,))

    def explain(self, actual: Measured) -> Explanation:
        told = super().explain(actual)
        if self.event != ANY_TYPE:
            return told
        return Explanation(
            actual=told.actual,
            target=told.target,
            ok=told.ok,
            remaining=told.remaining,
            sentence=_("{actual} of {target} contributions"),
            params=told.params,
        )

    def check(self, session: Session) -> str | None:
        known = select(exists().where(ContributionType.code == self.event))
        if self.event == ANY_TYPE or session.scalar(known):
            return None
        return _("there is no contribution type {name}.").format(name=self.event)


class Streak(AtLeast):
    """A run of at least ``days`` days in a row, at any time: the member's best streak, not the present one."""

    type_name = "streak"
    label = _("Streak")
    wanted = _("a streak of at least {days} days")
    source = PROGRESS
    sentence = _("best streak {actual} of {target} days")

    days: Number

    @property
    def target(self) -> int:
        return self.days

    def actual(self, fact: MemberFacts) -> int:
        return fact.streak_best

    def sql(self) -> ColumnElement[bool]:
        return _mine(select(MemberProgress.streak_best).where(MemberProgress.streak_best >= self.days))

    def actual_sql(self) -> ColumnElement[Any]:
        return _value(select(MemberProgress.streak_best))

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE,))


class MemberBefore(Leaf):
    """Joined before the UTC day ``date`` began."""

    type_name = "member.before"
    label = _("Member before")
    wanted = _("joined before {date}")
    source = PROGRESS

    date: date

    def actual(self, fact: MemberFacts) -> str:
        return fact.joined_at.astimezone(UTC).date().isoformat()

    def holds(self, actual: Measured) -> bool:
        return isinstance(actual, str) and date.fromisoformat(actual) < self.date

    def sql(self) -> ColumnElement[bool]:
        return Member.joined_at < datetime.combine(self.date, time.min, UTC)

    def actual_sql(self) -> ColumnElement[Any]:
        return func.to_char(func.timezone("UTC", Member.joined_at), "YYYY-MM-DD")

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE,))

    def explain(self, actual: Measured) -> Explanation:
        target = self.date.isoformat()
        return Explanation(
            actual=actual,
            target=target,
            ok=self.holds(actual),
            remaining=None,
            sentence=_("joined on {actual}; before {target} is needed"),
            params={"actual": actual, "target": target},
        )


class BadgeHeld(Leaf):
    """Holds another badge; one that an admin removed does not count."""

    type_name = "badge.held"
    label = _("Badge held")
    wanted = _("holds the badge {badge}")
    source = HELD

    badge: BadgeSlug

    def actual(self, fact: frozenset[str]) -> bool:
        return self.badge in fact

    def holds(self, actual: Measured) -> bool:
        return actual is True

    def sql(self) -> ColumnElement[bool]:
        query = select(Award.id).join(Badge, Badge.id == Award.badge_id)
        query = query.where(Badge.slug == self.badge, Award.revoked_at.is_(None), Award.member_id == Member.id)
        return query.correlate(Member).exists()

    def actual_sql(self) -> ColumnElement[Any]:
        return self.sql()

    def depends_on(self) -> frozenset[str]:
        return frozenset((f"badge:{self.badge}",))

    def explain(self, actual: Measured) -> Explanation:
        ok = self.holds(actual)
        sentence = _("holds the badge {badge}") if ok else _("does not hold the badge {badge}")
        return Explanation(
            actual=ok, target=True, ok=ok, remaining=0 if ok else 1, sentence=sentence, params={"badge": self.badge}
        )

    def check(self, session: Session) -> str | None:
        if session.scalar(select(exists().where(Badge.slug == self.badge))):
            return None
        return _("there is no badge {badge}.").format(badge=self.badge)


class Manual(Leaf):
    """Never met by itself: the badge is given by an admin's hand."""

    type_name = "manual"
    label = _("By hand")
    wanted = _("is given by an admin")
    source = HELD

    def actual(self, fact: frozenset[str]) -> None:
        return None

    def holds(self, actual: Measured) -> bool:
        return False

    def sql(self) -> ColumnElement[bool]:
        return false()

    def actual_sql(self) -> ColumnElement[Any]:
        return null()

    def depends_on(self) -> frozenset[str]:
        return frozenset()

    def explain(self, actual: Measured) -> Explanation:
        return Explanation(actual=None, target=None, ok=False, remaining=None, sentence=_("is given by an admin"))


LEAVES: list[type[Leaf]] = [PointsThreshold, EventCount, Streak, MemberBefore, BadgeHeld, Manual]


def _mine(query: Select[Any]) -> ColumnElement[bool]:
    """Whether the progress row of the enclosing statement's member is among ``query``."""
    table = query.get_final_froms()[0]
    return query.where(table.c.member_id == Member.id).correlate(Member).exists()


def _value(query: Select[Any]) -> ColumnElement[Any]:
    """The one number of ``query`` for the enclosing statement's member, 0 without a row."""
    table = query.get_final_froms()[0]
    return func.coalesce(query.where(table.c.member_id == Member.id).correlate(Member).scalar_subquery(), literal(0))
