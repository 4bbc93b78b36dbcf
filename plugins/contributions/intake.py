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

from guildhall import Actor, DomainError, locks, members, new_id, now

from . import limits, milestones, progress, reviews, risk, schemas, scoring, sharing, storing
from .errors import (
    FrequencyLimit,
    InvalidContributionType,
    InvalidEvent,
    InvalidMetadata,
    MemberUnknown,
    OccurredInFuture,
    OccurredTooLongAgo,
)
from .models import BY_HAND, Contribution
from .rules import EVER, Rules, Score, Window, window_start
from .scoring_context import KNOWN, Known, know
from .settings import ContributionSettings

DETAILS_LIMIT = 16_000
KEY_LENGTH = 200
Taken = tuple[set[UUID], dict[UUID, FrequencyLimit], set[UUID]]  # what is stored, refused of it, held back of it
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL's text holds no such character


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContribution:
    """A contribution as it is reported. ``occurred_at`` is aware, and now when missing; ``line`` is the caller's own.

    Without ``event_key`` the submission or the challenge makes one, with the member; else it is unique. ``given`` is
    what a person says that it is worth: the rules of its type are not asked, and re-scoring leaves it.
    """

    member_id: UUID
    type: str
    event_key: str | None = None
    occurred_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    challenge_id: UUID | None = None
    submission_id: UUID | None = None
    line: int = 0
    given: Score | None = None


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


_REFUSE = text("""
    UPDATE contributions_contribution c SET state = 'rejected', reason = r.reason, points = 0, breakdown = '[]'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r (id, reason) WHERE c.id = r.id
""")


# Asked of one contribution before it is scored: the used places of its windows, a neighbour, how many just before, and
# with how many others its member shares a browser, a wallet or an address.
_OF_ONE = f"""
    {KNOWN}
    UNION ALL SELECT 'used', NULL, NULL, NULL, NULL, NULL, json_build_array(window_kind, used)::text
    FROM contributions_limit_slot
    WHERE member_id = ANY(:ids) AND type = ANY(:codes) AND (window_kind, window_start) IN (
        ('hour', :hour), ('day', :day), ('week', :week), ('month', :month), ('ever', :ever))
    UNION ALL SELECT 'near', NULL, NULL, NULL, NULL, NULL, to_json(near.occurred_at)::text
    FROM contributions_type t CROSS JOIN LATERAL (
        SELECT occurred_at FROM contributions_contribution
        WHERE member_id = ANY(:ids) AND type = t.code AND state IN ('counted', 'pending')
            AND occurred_at > :first - cooldown_seconds * interval '1 second'
            AND occurred_at < :first + cooldown_seconds * interval '1 second' LIMIT 1
    ) near WHERE t.code = ANY(:codes) AND cooldown_seconds > 0
    UNION ALL SELECT 'rapid', NULL, NULL, NULL, NULL, NULL, (
        SELECT count(*) FROM (
            SELECT FROM contributions_contribution
            WHERE member_id = ANY(:ids) AND occurred_at > :first - interval '1 minute' AND occurred_at <= :first
                AND source <> ALL(:trusted) LIMIT :rapid
        ) before
    )::text
    UNION ALL SELECT 'shared', NULL, NULL, NULL, NULL, NULL, json_build_array(kind, others)::text
    FROM ({members.SHARED}) shared
"""
# PostgreSQL takes an array for ten, and would plan the whole anew each time for the one that it is.
_KNOWN_OF_ONE = text(
    _OF_ONE.replace("= ANY(:ids)", "= (CAST(:ids AS uuid[]))[1]").replace(
        "= ANY(:codes)", "= (CAST(:codes AS text[]))[1]"
    )
)
_WINDOWS: tuple[Window, ...] = ("hour", "day", "week", "month", "ever")


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
        self._latest = self.at + timedelta(minutes=settings.future_skew_minutes)
        self._oldest = self.at - timedelta(days=settings.oldest_days)
        self._known = Known()
        self._alone: datetime | None = None  # when the only contribution of the call happened
        self._given: dict[UUID, Score] = {}
        self.taken: dict[int, dict[str, Any]] = {}

    def lock(self, member_ids: set[UUID]) -> None:
        """Lock the members."""
        locks.members(self.session, member_ids)

    def take(self, rows: Sequence[NewContribution]) -> list[Outcome]:
        """Record ``rows`` (of locked members); one outcome for each, in their order."""
        outcomes: list[Outcome | None] = [None] * len(rows)
        prepared = self.prepare(rows, outcomes)
        self.score(list(prepared.values()))
        unique: dict[tuple[str, str], dict[str, Any]] = {}  # of two with the same key in one call, the first
        for values in prepared.values():
            unique.setdefault((values["type"], values["event_key"]), values)
        arriving = list(unique.values())
        at_once = self._is_plain(arriving)
        stored, refused, flagged = self._at_once(arriving) if at_once else self._in_steps(arriving)
        firsts = self._firsts([values for values in prepared.values() if values["id"] not in stored])
        for position, values in prepared.items():
            line, key = rows[position].line, values["id"]
            if key not in stored:
                first = firsts[values["type"], values["event_key"]]
                outcome = Outcome(line=line, outcome="duplicate", contribution_id=first)
            elif key in refused:
                outcome = Outcome(line=line, outcome="rejected", contribution_id=key, error=refused[key])
            else:
                what = "pending" if key in flagged else "recorded"
                outcome = Outcome(line=line, outcome=what, contribution_id=key, points=values["points"])
            outcomes[position] = outcome
        self.taken = prepared
        return [outcome for outcome in outcomes if outcome is not None]

    def _is_plain(self, rows: Sequence[dict[str, Any]]) -> bool:
        """Whether nothing needs to be asked of the rows once they are stored."""
        if not rows:
            return False
        if self._alone is None and any(self._known.rules[code].limited for code in {row["type"] for row in rows}):
            return False
        if sharing.concerns(rows, self.source, self.settings) and self._shared(rows):
            return False
        if self.source in risk.TRUSTED:
            return True
        rapid = int(self._known.more.get("rapid", [0])[0])
        if self._alone is not None and self.settings.rapid_per_minute and rapid >= self.settings.rapid_per_minute:
            return False
        compared = self.settings.near_duplicates and any(row["fingerprint"] is not None for row in rows)
        joining = self.settings.idle_participations and any(row["type"] == risk.PARTICIPATION for row in rows)
        return not (compared or joining)

    def _shared(self, rows: Sequence[dict[str, Any]]) -> bool:
        """Whether a member of the rows may share too much with others."""
        if self._alone is None:
            return bool(sharing.signals(self.session, rows, self.settings))
        return bool(
            sharing.over([(kind, others) for kind, others in self._known.more.get("shared", ())], self.settings)
        )

    def _at_once(self, rows: list[dict[str, Any]]) -> Taken:
        """Store, limit, add up and reach milestones in one statement."""
        refused: dict[UUID, FrequencyLimit] = {}
        places: dict[limits.Slot, int] = {}
        if self._alone is not None and self._known.rules[rows[0]["type"]].limited:
            refused, places = self._weigh(rows[0])
        stored = storing.record(self.session, rows, places)
        self._reach([row for row in rows if row["id"] in stored.ids and row["id"] not in refused], stored)
        return stored.ids, refused, set()

    def _weigh(self, row: dict[str, Any]) -> tuple[dict[UUID, FrequencyLimit], dict[limits.Slot, int]]:
        """What becomes of a lone row of a limited type; a refused one is written down as rejected."""
        of = (row["member_id"], row["type"])
        starts = {per: window_start(per, row["occurred_at"]) for per in _WINDOWS}
        used = {(*of, per, starts[per]): number for per, number in self._known.more.get("used", ())}
        near = [datetime.fromisoformat(at) for at in self._known.more.get("near", ())]
        refused, places = limits.weigh([row], self._known.rules, used, {of: near})
        for error in refused.values():
            row.update(state="rejected", reason=_reason(error), points=0, breakdown=[])
        return refused, places

    def _in_steps(self, rows: list[dict[str, Any]]) -> Taken:
        """Store first, then ask the limits and what looks like abuse, then add up what is left."""
        stored = storing.insert(self.session, rows) if rows else set()
        new = [row for row in rows if row["id"] in stored]
        refused = self._limit(new)
        counted = [row for row in new if row["id"] not in refused]
        flagged = self._hold(counted)
        self._add_up([row for row in counted if row["id"] not in flagged])
        return stored, refused, flagged

    def prepare(self, rows: Sequence[NewContribution], outcomes: list[Outcome | None]) -> dict[int, dict[str, Any]]:
        """The valid rows by position, not scored yet; the others' outcomes are written down."""
        prepared: dict[int, dict[str, Any]] = {}
        self._learn(rows)
        for position, row in enumerate(rows):
            try:
                prepared[position] = self._prepare(row)
            except DomainError as problem:
                outcomes[position] = Outcome(line=row.line, outcome="invalid", error=problem)
        return prepared

    def score(self, rows: Sequence[dict[str, Any]]) -> None:
        """Give rows their points and breakdowns; plugins and overrides have their say, but for what is ``given``.

        Raises ScoringError.
        """
        known, given = self._known, self._given
        by_rules = [row for row in rows if row["id"] not in given]
        scoring.score_rows(self.session, by_rules, known.rules, known.people, known.overrides)
        for row in rows:
            if score := given.get(row["id"]):
                row.update(points=score.points, breakdown=score.lines, type_version=BY_HAND)

    def _prepare(self, row: NewContribution) -> dict[str, Any]:
        """The row to insert, but for its score. Raises the error that makes it invalid."""
        rules = self.rules_of(row.type)
        person = self._known.people.get(row.member_id)
        if person is None:
            raise MemberUnknown()
        contribution_id = new_id()
        if row.given is not None:
            self._given[contribution_id] = row.given
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
            "reason": None,
            "breakdown": [],
            "type_version": rules.version,
            "details": details,
            "source": self.source,
            "event_key": key,
            "challenge_id": row.challenge_id,
            "submission_id": row.submission_id,
            "occurred_at": at,
            "local_day": at.date() if person.zone.key == "UTC" else at.astimezone(person.zone).date(),
            "counts_for_streak": rules.counts_for_streak,
            "created_at": self.at,
            "correlation_id": self.actor.correlation_id,
            "fingerprint": risk.fingerprint(details) if self.source not in risk.TRUSTED else None,
        }

    def _learn(self, rows: Sequence[NewContribution]) -> None:
        """Read what scoring and limits need to know, in one statement."""
        ids = sorted({row.member_id for row in rows})
        codes = sorted({row.type for row in rows if row.type.isprintable()})
        told = (row.occurred_at for row in rows if row.occurred_at and row.occurred_at.tzinfo)
        times = [min(at, self.at) for at in told] or [self.at]
        first, last = min(*times, self.at), max(*times, self.at)
        self._alone = times[0] if len(rows) == 1 and not self.bulk and _can_be(times[0]) else None
        if self._alone is None:
            self._known = know(self.session, ids, codes, first, last)
            return
        asked: dict[str, Any] = {per: window_start(per, self._alone) for per in _WINDOWS}
        asked |= {"trusted": list(risk.TRUSTED), "rapid": self.settings.rapid_per_minute + 1}
        asked |= sharing.parameters(self.session, self.settings)
        self._known = know(self.session, ids, codes, times[0], times[0], statement=_KNOWN_OF_ONE, **asked)

    def tier_of(self, member_id: UUID, at: datetime) -> str:
        """The tier that a member held at a time."""
        return self._known.people[member_id].tier_at(at)

    def rules_of(self, code: str) -> Rules:
        """The rules of a type. Raises InvalidContributionType, ScoringError."""
        rules = self._known.rules.get(code)
        if rules is None:
            raise InvalidContributionType(type=code)
        return rules

    def _when(self, occurred_at: datetime | None) -> datetime:
        if occurred_at is None:
            return self.at
        if occurred_at.tzinfo is None:
            raise InvalidEvent(problem="the time has no offset from UTC")
        if not _can_be(occurred_at):
            raise InvalidEvent(problem="the year is out of range")
        at = occurred_at.astimezone(UTC)
        if at > self._latest:
            raise OccurredInFuture(occurred_at=at.isoformat())
        if self.source != "import" and at < self._oldest:
            raise OccurredTooLongAgo(days=self.settings.oldest_days)
        return min(at, self.at)  # a clock that is ahead reports what happens now, and takes no place of tomorrow's

    def _limit(self, rows: list[dict[str, Any]]) -> dict[UUID, FrequencyLimit]:
        """Claim the places of types with limits; what finds none is kept as rejected."""
        refused = limits.claim(self.session, rows, {row["type"]: self.rules_of(row["type"]) for row in rows})
        if refused:
            reasons = [_reason(error) for error in refused.values()]
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
        if rows:
            milestones.reach(self.session, self.actor, _gains(rows), points, quiet=self.source == "import")

    def _reach(self, rows: list[dict[str, Any]], stored: storing.Stored) -> None:
        if stored.due:
            quiet = self.source == "import"
            milestones.note(self.session, self.actor, stored.due, _gains(rows), stored.points, quiet=quiet)

    def _firsts(self, rows: list[dict[str, Any]]) -> dict[tuple[str, str], UUID]:
        """Which contribution came first under each key."""
        keys = [(row["type"], row["event_key"]) for row in rows]
        if not keys:
            return {}
        query = select(Contribution.type, Contribution.event_key, Contribution.id)
        found = self.session.execute(query.where(tuple_(Contribution.type, Contribution.event_key).in_(keys)))
        return {(code, key): contribution_id for code, key, contribution_id in found}


def _gains(rows: Sequence[Mapping[str, Any]]) -> dict[UUID, list[tuple[UUID, int]]]:
    gains: dict[UUID, list[tuple[UUID, int]]] = {}
    for row in rows:
        gains.setdefault(row["member_id"], []).append((row["id"], row["points"]))
    return gains


def _reason(error: FrequencyLimit) -> str:
    return f"limit:{error.params['per']}"


def _can_be(at: datetime) -> bool:
    """Whether a time is one that a contribution can have, so that its windows can be told."""
    return EVER.year < at.year < 9999


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
