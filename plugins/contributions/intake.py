"""The one way in, for one contribution and for a thousand: check, lock, insert, limit, add up, reach milestones.

The members' locks come first and as a statement of their own, so that everything after them sees what the last
holder wrote. The unique key (type, event_key) decides what is new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text, tuple_, update
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Member, locks, new_id, now

from . import limits, milestones, progress
from .errors import (
    FrequencyLimit,
    InvalidContributionType,
    InvalidEvent,
    InvalidMetadata,
    MemberUnknown,
    OccurredInFuture,
    OccurredTooLongAgo,
)
from .models import Contribution, ContributionType
from .rules import EVER, Rules, rules_of, score
from .settings import ContributionSettings

DETAILS_LIMIT = 16_000
KEY_LENGTH = 200
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL's text holds no such character


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContribution:
    """A contribution as it is reported. ``occurred_at`` is aware, and now when missing; ``line`` is the caller's own.

    Without ``event_key`` the submission or the challenge makes one, with the member; else it is unique.
    """

    member_id: UUID
    type: str
    event_key: str | None = None
    occurred_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    challenge_id: UUID | None = None
    submission_id: UUID | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one line: ``recorded``, ``duplicate``, ``rejected`` (kept, 0 points) or ``invalid`` (not kept).

    ``contribution_id`` is the first one's for a duplicate; ``error`` says why it is not recorded.
    """

    line: int
    outcome: str
    contribution_id: UUID | None = None
    points: int = 0
    error: DomainError | None = None

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


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


_TIERS = text("SELECT member_id, since, tier FROM core_member_tier WHERE member_id = ANY(:ids) ORDER BY since")

_INSERT = text("""
    INSERT INTO contributions_contribution
    SELECT * FROM jsonb_populate_recordset(NULL::contributions_contribution, CAST(:rows AS jsonb))
    ON CONFLICT (type, event_key) DO NOTHING RETURNING id
""")


class Intake:
    """One call's work: the rules and settings are read once, the members locked once, in sorted order."""

    def __init__(self, session: Session, actor: Actor, source: str, settings: ContributionSettings) -> None:
        self.session = session
        self.actor = actor
        self.source = source
        self.settings = settings
        self.at = now()
        self._rules: dict[str, Rules | None] = {}
        self._people: dict[UUID, Person] = {}

    def lock(self, member_ids: set[UUID]) -> None:
        """Lock the members and learn their zones and tiers."""
        ids = sorted(locks.members(self.session, member_ids))
        changes: dict[UUID, list[tuple[datetime, str]]] = {}
        for member_id, since, tier in self.session.execute(_TIERS, {"ids": ids}):
            changes.setdefault(member_id, []).append((since, tier))
        query = select(Member.id, Member.time_zone, Member.tier).where(Member.id.in_(ids))
        for member_id, zone, tier in self.session.execute(query):
            self._people[member_id] = Person(ZoneInfo(zone), tier, tuple(changes.get(member_id, ())))

    def take(self, rows: Sequence[NewContribution]) -> list[Outcome]:
        """Record ``rows`` (of locked members); one outcome for each, in their order."""
        outcomes: list[Outcome | None] = [None] * len(rows)
        prepared: dict[int, dict[str, Any]] = {}
        for position, row in enumerate(rows):
            try:
                prepared[position] = self._prepare(row)
            except DomainError as problem:
                outcomes[position] = Outcome(line=row.line, outcome="invalid", error=problem)
        stored = self._insert(list(prepared.values()))
        refused = self._limit([values for values in prepared.values() if values["id"] in stored])
        counted = [values for values in prepared.values() if values["id"] in stored and values["id"] not in refused]
        self._add_up(counted)
        firsts = self._firsts([values for values in prepared.values() if values["id"] not in stored])
        for position, values in prepared.items():
            line, key = rows[position].line, values["id"]
            if key in refused:
                outcome = Outcome(line=line, outcome="rejected", contribution_id=key, error=refused[key])
            elif key in stored:
                outcome = Outcome(line=line, outcome="recorded", contribution_id=key, points=values["points"])
            else:
                first = firsts[values["type"], values["event_key"]]
                outcome = Outcome(line=line, outcome="duplicate", contribution_id=first)
            outcomes[position] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _prepare(self, row: NewContribution) -> dict[str, Any]:
        """The row to insert, scored. Raises the error that makes it invalid."""
        rules = self._rules_of(row.type)
        person = self._people.get(row.member_id)
        if person is None:
            raise MemberUnknown()
        contribution_id = new_id()
        key = row.event_key
        if key is None:
            key = f"{row.submission_id or row.challenge_id or contribution_id}:{row.member_id}"
        if not 1 <= len(key) <= KEY_LENGTH or not key.isprintable():
            raise InvalidEvent(problem=f"the key must have 1 to {KEY_LENGTH} printable characters")
        details = _checked(row.details)
        at = self._when(row.occurred_at)
        result = score(rules, person.tier_at(at), details)
        return {
            "id": contribution_id,
            "member_id": row.member_id,
            "type": rules.code,
            "points": result.points,
            "state": "counted",
            "breakdown": result.lines,
            "type_version": rules.version,
            "details": details,
            "source": self.source,
            "event_key": key,
            "challenge_id": row.challenge_id,
            "submission_id": row.submission_id,
            "occurred_at": at,
            "local_day": at.astimezone(person.zone).date(),
            "counts_for_streak": rules.counts_for_streak,
            "created_at": self.at,
            "correlation_id": self.actor.correlation_id,
        }

    def _rules_of(self, code: str) -> Rules:
        if code not in self._rules and code.isprintable():
            row = self.session.scalar(
                select(ContributionType).where(ContributionType.code == code, ContributionType.enabled)
            )
            self._rules[code] = rules_of(row) if row else None
        rules = self._rules.get(code)
        if rules is None:
            raise InvalidContributionType(type=code)
        return rules

    def _when(self, occurred_at: datetime | None) -> datetime:
        if occurred_at is None:
            return self.at
        if occurred_at.tzinfo is None:
            raise InvalidEvent(problem="the time has no offset from UTC")
        if not EVER.year < occurred_at.year < 9999:
            raise InvalidEvent(problem="the year is out of range")
        at = occurred_at.astimezone(UTC)
        if at > self.at + timedelta(minutes=self.settings.future_skew_minutes):
            raise OccurredInFuture(occurred_at=at.isoformat())
        if self.source != "import" and at < self.at - timedelta(days=self.settings.oldest_days):
            raise OccurredTooLongAgo(days=self.settings.oldest_days)
        return at

    def _insert(self, rows: list[dict[str, Any]]) -> set[UUID]:
        """Insert what is new; of two with the same key in one call, the first."""
        if not rows:
            return set()
        unique: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            unique.setdefault((row["type"], row["event_key"]), row)
        written = json.dumps(list(unique.values()), default=str)
        return set(self.session.scalars(_INSERT, {"rows": written}))

    def _limit(self, rows: list[dict[str, Any]]) -> dict[UUID, FrequencyLimit]:
        """Claim the places of types with limits, one by one; what finds none is kept as rejected."""
        refused: dict[UUID, FrequencyLimit] = {}
        for row in rows:
            reached = limits.claim(
                self.session,
                self._rules_of(row["type"]).limits,
                member_id=row["member_id"],
                type=row["type"],
                occurred_at=row["occurred_at"],
            )
            if reached:
                refused[row["id"]] = FrequencyLimit(count=reached.count, per=reached.per)
                reject = update(Contribution).where(Contribution.id == row["id"])
                reason = f"limit:{reached.per}"
                self.session.execute(reject.values(state="rejected", reason=reason, points=0, breakdown=[]))
        return refused

    def _add_up(self, rows: list[dict[str, Any]]) -> None:
        points = progress.add(self.session, [row["id"] for row in rows])
        gains: dict[UUID, list[tuple[UUID, int]]] = {}
        for row in rows:
            gains.setdefault(row["member_id"], []).append((row["id"], row["points"]))
        if gains:
            milestones.reach(self.session, self.actor, gains, points, quiet=self.source == "import")

    def _firsts(self, rows: list[dict[str, Any]]) -> dict[tuple[str, str], UUID]:
        """Which contribution came first under each key."""
        keys = [(row["type"], row["event_key"]) for row in rows]
        if not keys:
            return {}
        query = select(Contribution.type, Contribution.event_key, Contribution.id)
        found = self.session.execute(query.where(tuple_(Contribution.type, Contribution.event_key).in_(keys)))
        return {(code, key): contribution_id for code, key, contribution_id in found}


def _checked(details: Any) -> dict[str, Any]:
    """The details as JSON would bring them back. Raises InvalidMetadata."""
    if not isinstance(details, Mapping):
        raise InvalidMetadata(limit=DETAILS_LIMIT)
    if not details:
        return {}
    try:
        written = json.dumps(dict(details), allow_nan=False, ensure_ascii=False)
        written.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidMetadata(limit=DETAILS_LIMIT) from None
    if len(written) > DETAILS_LIMIT or _NUL.search(written):
        raise InvalidMetadata(limit=DETAILS_LIMIT)
    checked: dict[str, Any] = json.loads(written)
    return checked
