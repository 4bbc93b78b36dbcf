"""What scoring needs to know: members' zones and tiers, the types' rules, and the overrides that may hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from .models import ContributionType
from .rules import Exemption, Rules, rules_of


@dataclass(frozen=True, slots=True)
class Person:
    """What scoring needs to know of a member: the zone, and the tier since when."""

    zone: ZoneInfo
    tier: str
    tiers: tuple[tuple[datetime, str], ...]

    def tier_at(self, at: datetime) -> str:
        """The tier held at ``at``; before the first known change it was free."""
        if not self.tiers:
            return self.tier
        return next((tier for since, tier in reversed(self.tiers) if since <= at), "free")


@dataclass(frozen=True, slots=True)
class Holding:
    """An override that may hold: of a member, a type, or everybody, for what occurred in a stretch of time."""

    member_id: UUID | None
    type: str | None
    starts_at: datetime
    ends_at: datetime
    exemption: Exemption


@dataclass(frozen=True, slots=True)
class Overrides:
    """The overrides that may hold for some rows, the most particular and newest first."""

    rows: Sequence[Holding] = ()

    def of(self, row: Mapping[str, Any]) -> Exemption | None:
        """The one that holds for a row: of its member before its type's, before everybody's; then the newest."""
        for one in self.rows:
            at: datetime = row["occurred_at"]
            if (
                one.starts_at <= at < one.ends_at
                and one.member_id in (None, row["member_id"])
                and one.type in (None, row["type"])
            ):
                return one.exemption
        return None


@dataclass(slots=True)
class Known:
    """What was read: members by id, rules by the code of enabled types, overrides, and ``more`` by kind."""

    people: dict[UUID, Person] = field(default_factory=dict)
    rules: dict[str, Rules] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)
    more: dict[str, list[Any]] = field(default_factory=dict)


# Rows of (kind, member, zone, tier, tiers' beginnings, tiers, JSON): all that is asked before scoring in one trip.
KNOWN = """
    SELECT 'person' AS kind, id, time_zone, tier,
        ARRAY(SELECT since FROM core_member_tier t WHERE t.member_id = m.id ORDER BY since) AS since,
        ARRAY(SELECT tier FROM core_member_tier t WHERE t.member_id = m.id ORDER BY since) AS tiers,
        NULL::text AS written
    FROM core_member m WHERE id = ANY(:ids)
    UNION ALL SELECT 'rules', NULL, NULL, NULL, NULL, NULL, to_jsonb(t)::text
    FROM contributions_type t WHERE code = ANY(:codes) AND (enabled OR :disabled)
    UNION ALL SELECT 'override', NULL, NULL, NULL, NULL, NULL, to_jsonb(o)::text
    FROM contributions_override o
    WHERE ends_at > :first AND starts_at <= :last AND (member_id IS NULL OR member_id = ANY(:ids))
"""
_KNOWN = text(KNOWN)


def know(
    session: Session, ids: Sequence[UUID], codes: Sequence[str], first: datetime, last: datetime, **more: Any
) -> Known:
    """What scoring of ``ids`` needs to know for types ``codes`` and a stretch of time, both ends included.

    ``more`` may hold ``disabled``, to know the rules of such types too, and ``statement``, one that goes on from KNOWN
    with kinds of its own, with its parameters.
    Raises ScoringError for rules that cannot be used.
    """
    statement = more.pop("statement", _KNOWN)
    asked = {"ids": list(ids), "codes": list(codes), "first": first, "last": last, "disabled": False, **more}
    found = session.execute(statement, asked).all()
    known, overrides = Known(), []
    for kind, member_id, zone, tier, since, tiers, written in found:
        if kind == "person":
            known.people[member_id] = Person(ZoneInfo(zone), tier, tuple(zip(since, tiers, strict=True)))
        elif kind == "rules":
            rules = _rules(written)
            known.rules[rules.code] = rules
        elif kind == "override":
            overrides.append(json.loads(written))
        else:
            known.more.setdefault(kind, []).append(json.loads(written))
    known.overrides = Overrides(_holding(overrides))
    return known


@lru_cache(maxsize=1000)
def _rules(written: str) -> Rules:
    """The rules of a type's row; checked once for as long as the row stays what it is."""
    return rules_of(ContributionType(**json.loads(written)))


def _holding(found: list[dict[str, Any]]) -> list[Holding]:
    """Overrides, the most particular and newest first."""
    found.sort(key=lambda one: (one["created_at"], one["id"]), reverse=True)
    found.sort(key=lambda one: (one["member_id"] is None, one["type"] is None))
    return [
        Holding(
            member_id=one["member_id"] and UUID(one["member_id"]),
            type=one["type"],
            starts_at=datetime.fromisoformat(one["starts_at"]),
            ends_at=datetime.fromisoformat(one["ends_at"]),
            exemption=Exemption(label=one["reason"], basis_points=one["basis_points"], points=one["points"]),
        )
        for one in found
    ]
