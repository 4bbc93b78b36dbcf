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

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, locks, new_id, now

from . import limits, milestones, progress, reviews, risk, schemas, scoring
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
from .people import Person, people
from .rules import EVER, Rules, rules_of
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
    """What became of one line: ``recorded``, ``pending`` (held for a review), ``duplicate``, ``rejected`` (kept, 0
    points) or ``invalid`` (not kept).

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


_INSERT = text("""
    INSERT INTO contributions_contribution
    SELECT * FROM jsonb_populate_recordset(NULL::contributions_contribution, CAST(:rows AS jsonb))
    ON CONFLICT (type, event_key) DO NOTHING RETURNING id
""")
_REFUSE = text("""
    UPDATE contributions_contribution c SET state = 'rejected', reason = r.reason, points = 0, breakdown = '[]'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r (id, reason) WHERE c.id = r.id
""")


class Intake:
    """One call's work: the rules and settings are read once, the members locked once, in sorted order."""

    def __init__(
        self, session: Session, actor: Actor, source: str, settings: ContributionSettings, *, bulk: bool = False
    ) -> None:
        self.session = session
        self.actor = actor
        self.source = source
        self.bulk = bulk
        self.settings = settings
        self.at = now()
        self._rules: dict[str, Rules | None] = {}
        self._people: dict[UUID, Person] = {}

    def lock(self, member_ids: set[UUID]) -> None:
        """Lock the members and learn their zones and tiers."""
        self._people = people(self.session, sorted(locks.members(self.session, member_ids)))

    def meet(self, member_ids: set[UUID]) -> None:
        """Learn the members' zones and tiers without a lock, for a score that has no effect."""
        self._people = people(self.session, sorted(member_ids))

    def take(self, rows: Sequence[NewContribution]) -> list[Outcome]:
        """Record ``rows`` (of locked members); one outcome for each, in their order."""
        outcomes: list[Outcome | None] = [None] * len(rows)
        prepared = self.prepare(rows, outcomes)
        self.score(list(prepared.values()))
        stored = self._insert(list(prepared.values()))
        new = [values for values in prepared.values() if values["id"] in stored]
        refused = self._limit(new)
        counted = [values for values in new if values["id"] not in refused]
        flagged = self._hold(counted)
        self._add_up([values for values in counted if values["id"] not in flagged])
        firsts = self._firsts([values for values in prepared.values() if values["id"] not in stored])
        for position, values in prepared.items():
            line, key = rows[position].line, values["id"]
            if key in refused:
                outcome = Outcome(line=line, outcome="rejected", contribution_id=key, error=refused[key])
            elif key in flagged:
                outcome = Outcome(line=line, outcome="pending", contribution_id=key, points=values["points"])
            elif key in stored:
                outcome = Outcome(line=line, outcome="recorded", contribution_id=key, points=values["points"])
            else:
                first = firsts[values["type"], values["event_key"]]
                outcome = Outcome(line=line, outcome="duplicate", contribution_id=first)
            outcomes[position] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def prepare(self, rows: Sequence[NewContribution], outcomes: list[Outcome | None]) -> dict[int, dict[str, Any]]:
        """The valid rows by position, not scored yet; the others' outcomes are written down."""
        prepared: dict[int, dict[str, Any]] = {}
        self._learn({row.type for row in rows})
        for position, row in enumerate(rows):
            try:
                prepared[position] = self._prepare(row)
            except DomainError as problem:
                outcomes[position] = Outcome(line=row.line, outcome="invalid", error=problem)
        return prepared

    def score(self, rows: Sequence[dict[str, Any]]) -> None:
        """Give rows their points and breakdowns; plugins and overrides have their say. Raises ScoringError."""
        scoring.score_rows(self.session, rows, self._rules, self._people)

    def _prepare(self, row: NewContribution) -> dict[str, Any]:
        """The row to insert, but for its score. Raises the error that makes it invalid."""
        rules = self.rules_of(row.type)
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
        if rules.details_schema is not None:
            schemas.require(rules.details_schema, details)
        at = self._when(row.occurred_at)
        return {
            "id": contribution_id,
            "member_id": row.member_id,
            "type": rules.code,
            "points": 0,
            "correction": 0,
            "state": "counted",
            "breakdown": [],
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
            "fingerprint": risk.fingerprint(details) if self.source not in risk.TRUSTED else None,
        }

    def _learn(self, codes: set[str]) -> None:
        """Read the rules of types that were not met before."""
        unmet = [code for code in codes if code not in self._rules and code.isprintable()]
        if not unmet:
            return
        self._rules.update(dict.fromkeys(unmet))
        query = select(ContributionType).where(ContributionType.code.in_(unmet), ContributionType.enabled)
        for row in self.session.scalars(query.execution_options(populate_existing=True)):
            self._rules[row.code] = rules_of(row)

    def tier_of(self, member_id: UUID, at: datetime) -> str:
        """The tier that a member held at a time."""
        return self._people[member_id].tier_at(at)

    def rules_of(self, code: str) -> Rules:
        """The rules of a type. Raises InvalidContributionType, ScoringError."""
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
        """Claim the places of types with limits; what finds none is kept as rejected."""
        refused = limits.claim(self.session, rows, {row["type"]: self.rules_of(row["type"]) for row in rows})
        if refused:
            reasons = [f"limit:{error.params['per']}" for error in refused.values()]
            self.session.execute(_REFUSE, {"ids": list(refused), "reasons": reasons})
        return refused

    def _hold(self, rows: list[dict[str, Any]]) -> set[UUID]:
        """Hold back what looks like abuse, and open a review of each."""
        found = risk.signals(self.session, rows, self.settings, bulk=self.bulk)
        if found:
            held = [(row, found[row["id"]]) for row in rows if row["id"] in found]
            reviews.open_reviews(self.session, self.actor, held)
        return set(found)

    def _add_up(self, rows: list[dict[str, Any]]) -> None:
        points = progress.add(self.session, [progress.Change(row["id"], row["points"]) for row in rows])
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
