"""The kinds of criteria that badges bring themselves; the hook ``badge_criteria`` registers them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, exists, false, func, null, select, text
from sqlalchemy.orm import Session

from guildhall import Member, _
from plugins.contributions import Level, MemberFacts, MemberProgress, TypeProgress

from .counts import (
    ANY_TYPE,
    PROGRESS,
    ChallengeFinalist,
    ChallengeParticipation,
    ChallengeWin,
    EventCount,
    Number,
)
from .frame import Frame, Keep
from .leaf import AtLeast, Explanation, Leaf, Measured, Source, Units38
from .models import Award, Badge

EMAIL_VERIFIED = "email.verified"  # no contribution, but what an event can bring
BadgeSlug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]


_OWN = text("""
    SELECT m.id, m.email_verified_at IS NOT NULL, ARRAY(
        SELECT b.slug FROM badges_award a JOIN badges_badge b ON b.id = a.badge_id
        WHERE a.member_id = m.id AND a.revoked_at IS NULL
    ) FROM core_member m WHERE m.id = ANY(:ids)
""")


def _own(session: Session, asked: Collection[str], member_ids: Collection[UUID]) -> dict[str, dict[UUID, Any]]:
    """What members hold, and whether their address is confirmed."""
    held: dict[UUID, frozenset[str]] = {}
    verified: dict[UUID, bool] = {}
    for member_id, confirmed, slugs in session.execute(_OWN, {"ids": list(member_ids)}):
        held[member_id], verified[member_id] = frozenset(slugs), confirmed
    return {"held": held, "verified": verified}


HELD = Source.one_of("held", _own, "held")
VERIFIED = Source.one_of("verified", _own, "verified")


def yes_or_no(ok: bool, met: str, open_: str) -> Explanation:
    """The explanation of what is so or not so."""
    return Explanation(actual=ok, target=True, ok=ok, remaining=0 if ok else 1, sentence=met if ok else open_)


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

    def column(self, frame: Frame) -> ColumnElement[Any]:
        return frame.column(MemberProgress, "points")

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE,))


class ProfileComplete(Leaf):
    """Filled in the whole profile, which counts as a contribution once."""

    type_name = "profile.complete"
    label = _("Profile complete")
    wanted = _("has a complete profile")
    source = PROGRESS

    def actual(self, fact: MemberFacts) -> bool:
        return self.type_name in fact.count_by_type and fact.count_by_type[self.type_name] > 0

    def holds(self, actual: Measured) -> bool:
        return actual is True

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return frame.column(TypeProgress, "count", type=self.type_name) > 0

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        return func.coalesce(self.sql(frame), false())

    def depends_on(self) -> frozenset[str]:
        return frozenset((self.type_name,))

    def explain(self, actual: Measured) -> Explanation:
        return yes_or_no(actual is True, _("the profile is complete"), _("the profile is not complete"))


class EmailVerified(Leaf):
    """Confirmed the e-mail address."""

    type_name = EMAIL_VERIFIED
    label = _("E-mail address confirmed")
    wanted = _("has a confirmed e-mail address")
    source = VERIFIED

    def actual(self, fact: bool) -> bool:
        return fact

    def holds(self, actual: Measured) -> bool:
        return actual is True

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return Member.email_verified_at.is_not(None)

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        return self.sql(frame)

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE, EMAIL_VERIFIED))

    def explain(self, actual: Measured) -> Explanation:
        return yes_or_no(actual is True, _("the e-mail address is confirmed"), _("the e-mail address is not confirmed"))


class LevelReached(AtLeast):
    """Is on the level ``level`` or a higher one."""

    type_name = "level"
    label = _("Level")
    wanted = _("is at least on level {level}")
    source = PROGRESS
    sentence = _("on level {actual} of {target}")

    level: Annotated[int, Field(ge=1, le=1_000)]

    @property
    def target(self) -> int:
        return self.level

    def actual(self, fact: MemberFacts) -> int:
        return fact.level

    def column(self, frame: Frame) -> ColumnElement[Any]:
        points = frame.column(MemberProgress, "points")
        reached = select(func.max(Level.number)).where(Level.enabled, Level.threshold <= points)
        return reached.correlate(*frame.parts).scalar_subquery()

    def depends_on(self) -> frozenset[str]:
        return frozenset((ANY_TYPE,))


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

    def column(self, frame: Frame) -> ColumnElement[Any]:
        return frame.column(MemberProgress, "streak_best")

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

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return Member.joined_at < datetime.combine(self.date, time.min, UTC)

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
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

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return frame.rows((Award, self.badge), self._holders).c.member_id.is_not(None)

    def _holders(self, keep: Keep) -> Select[Any]:
        badge_id = select(Badge.id).where(Badge.slug == self.badge).scalar_subquery()
        query = select(Award.member_id).where(Award.badge_id == badge_id, Award.revoked_at.is_(None))
        return query.where(keep(Award.member_id))

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        return self.sql(frame)

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

    def sql(self, frame: Frame) -> ColumnElement[bool]:
        return false()

    def actual_sql(self, frame: Frame) -> ColumnElement[Any]:
        return null()

    def depends_on(self) -> frozenset[str]:
        return frozenset()

    def explain(self, actual: Measured) -> Explanation:
        return Explanation(actual=None, target=None, ok=False, remaining=None, sentence=_("is given by an admin"))


LEAVES: list[type[Leaf]] = [
    PointsThreshold,
    EventCount,
    ChallengeParticipation,
    ChallengeFinalist,
    ChallengeWin,
    ProfileComplete,
    EmailVerified,
    Streak,
    LevelReached,
    BadgeHeld,
    MemberBefore,
    Manual,
]
