"""Two years of a community, drawn from one seed: who did what, and when.

What is done does not depend on the calendar, only when it is done. A few do most of it (Zipf), work slackens on
weekends and in quiet months and bursts in challenge weeks, and everybody keeps the hours of an own time zone.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from .people import PEOPLE

SEED = 2024
DAYS = 730
EVENTS = 3000
WEEK = (1.0, 1.1, 1.15, 1.05, 0.85, 0.4, 0.35)  # from Monday
QUIET_MONTHS = {8: 0.45, 12: 0.55}
HOURS = (1, 1, 1, 0, 0, 1, 3, 6, 12, 20, 24, 22, 14, 17, 22, 22, 18, 13, 9, 10, 14, 13, 8, 3)
CHALLENGES = (("Winter docs sprint", 640), ("Spring hack week", 415), ("Bug bash", 230), ("Autumn jam", 48))
CHALLENGE_DAYS = 9
REPOSITORIES = ("handbook", "website", "platform", "translations", "design")

# How much of each type somebody of a kind does; a challenge's types happen in its weeks alone.
KINDS: tuple[dict[str, float], ...] = (
    {"git.commit": 74, "git.merge": 16, "git.release": 1, "learning.completed": 3, "challenge.participation": 3},
    {"git.commit": 45, "git.merge": 9, "submission.approved": 26, "learning.completed": 14, "referral.success": 2},
    {"submission.approved": 58, "learning.completed": 22, "referral.success": 9, "challenge.participation": 8},
    {"challenge.participation": 32, "submission.approved": 30, "challenge.finalist": 5, "challenge.win": 2},
)


@dataclass(frozen=True)
class Deed:
    """One thing that somebody did: ``person`` is a position in PEOPLE, ``at`` in UTC."""

    number: int
    person: int
    type: str
    at: datetime
    details: dict[str, str]
    challenge_id: UUID | None = None


@dataclass(frozen=True)
class Life:
    """How somebody takes part: days before the end of joining and of the last deed, and what they mostly do."""

    joined: int
    left: int
    share: float
    kind: int


def lives(random: Random) -> list[Life]:
    """How each of PEOPLE takes part, in their order."""
    ranks = list(range(1, len(PEOPLE) + 1))
    random.shuffle(ranks)
    drawn = []
    for rank in ranks:
        founder = rank <= 12
        joined = DAYS - 1 - random.randrange(90) if founder else random.randrange(14, DAYS - 60)
        stays = founder or random.random() < 0.6
        left = 0 if stays else int(joined * random.uniform(0.1, 0.8))
        drawn.append(Life(joined, left, 1 / rank**0.95, random.choices(range(4), (5, 3, 2, 1))[0]))
    return drawn


def deeds(end: datetime) -> Iterator[Deed]:
    """The whole history up to ``end``, in the order of its numbers."""
    what, when = Random(SEED), Random(SEED + 1)
    everybody = lives(what)
    days = Calendar(end.date())
    shares = [life.share for life in everybody]
    entered: set[tuple[int, str, str]] = set()
    for number in range(EVENTS):
        # Everybody begins with a complete profile; the rest goes by share.
        person = number if number < len(everybody) else what.choices(range(len(everybody)), shares)[0]
        life = everybody[person]
        kind = "profile.complete" if number < len(everybody) else _pick(what, KINDS[life.kind])
        details, challenge, day = {}, None, life.joined
        if kind.startswith("challenge."):
            title, begins = what.choice(CHALLENGES)
            if life.joined >= begins and life.left < begins - CHALLENGE_DAYS and (person, kind, title) not in entered:
                entered.add((person, kind, title))
                challenge, details = uuid5(NAMESPACE_URL, f"demo:{title}"), {"challenge": title}
                day = begins - when.randrange(CHALLENGE_DAYS)
            else:
                kind = "learning.completed"
        if challenge is None and kind != "profile.complete":
            day = days.draw(when, life.joined, life.left)
        if kind.startswith("git."):
            details = {"repository": what.choice(REPOSITORIES)}
        at = _at(when, end.date() - timedelta(days=day), PEOPLE[person].zone)
        while at > end:
            at -= timedelta(days=1)
        yield Deed(number, person, kind, at, details, challenge)


class Calendar:
    """How busy each day is, counted back from the end."""

    def __init__(self, end: date) -> None:
        busy = [self._busy(end - timedelta(days=back), back) for back in range(DAYS)]
        self._sums = [0.0, *accumulate(busy)]

    def draw(self, random: Random, first: int, last: int) -> int:
        """A day between ``first`` and ``last`` days before the end (first is the larger), by how busy it is."""
        low, high = self._sums[last], self._sums[first + 1]
        return min(first, max(last, bisect_left(self._sums, random.uniform(low, high)) - 1))

    @staticmethod
    def _busy(day: date, back: int) -> float:
        growth = 0.6 + 0.7 * (1 - back / DAYS)
        tide = 1 + 0.35 * math.sin(back / 17) + 0.15 * math.sin(back / 5)
        burst = 2.6 if any(0 <= before - back < CHALLENGE_DAYS for _title, before in CHALLENGES) else 1
        return growth * tide * burst * WEEK[day.weekday()] * QUIET_MONTHS.get(day.month, 1)


def _pick(random: Random, weights: dict[str, float]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


def _at(random: Random, day: date, zone: str) -> datetime:
    """A moment of ``day`` at an hour when people of that zone are up."""
    hour = random.choices(range(24), HOURS)[0]
    local = datetime.combine(day, time(hour, random.randrange(60), random.randrange(60)), ZoneInfo(zone))
    return local.astimezone(UTC)
