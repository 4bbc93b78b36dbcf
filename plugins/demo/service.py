"""Load the demo: all of it in one transaction, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Member, members, now, read_settings
from plugins import contributions, wallet

from .history import SEED, deeds, lives
from .models import Load
from .people import ACCOUNTS, DOMAIN, PEOPLE, SUGGESTIONS, TIERS
from .settings import DemoSettings

FUND = 50_000  # POINTS
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Loaded:
    """What a load made."""

    members: int
    contributions: int
    suggestions: int


def load(platform: Any, progress: Progress = lambda what, done, total: None) -> Loaded | None:
    """Make the demo community; None when it was made before, whatever became of it since.

    ``progress(what, done, total)`` is called as it goes. Deliveries are left to the worker: badges, rewards and
    notices come after it. Nobody can sign in as a member: three have an account without a password, for an admin to act
    as them, the others have none; their addresses reach nobody.
    """
    actor = Actor.system("demo", bulk=True)
    with platform.unit_of_work(actor) as session:
        end = _end(session)
        row = insert(Load).values(seed=SEED, end_date=end.date(), loaded_at=now())
        if session.scalar(row.on_conflict_do_nothing().returning(Load.seed)) is None:
            return None
        people = _people(session, end, progress)
        _accounts(session, actor, people)
        _tiers(session, people, end)
        _fund(session, actor)
        recorded = _contributions(session, actor, people, end, progress)
        suggested = _suggestions(session, actor, people, progress)
        return Loaded(len(people), recorded, suggested)


def make_account(session: Session, actor: Actor, email: str, *roles: str) -> str:
    """An account with these roles; returns its password, which is kept nowhere. Raises EmailTaken."""
    password = secrets.token_urlsafe(12)
    name = email.partition("@")[0].capitalize()
    members.register(session, actor, email=email, password=password, display_name=name, roles=roles)
    return password


def _end(session: Session) -> datetime:
    """The last moment of the demo."""
    wanted = read_settings(session, DemoSettings).end_date
    return min(now(), datetime.combine(wanted, time.max, UTC)) if wanted else now()


def _people(session: Session, end: datetime, progress: Progress) -> list[UUID]:
    """Members in the order of PEOPLE."""
    known = {}
    for position, (person, life) in enumerate(zip(PEOPLE, lives(Random(SEED)), strict=True)):
        joined = end - timedelta(days=life.joined + 1)
        known[f"demo:{position}"] = members.KnownAs(display_name=person.name, time_zone=person.zone, joined_at=joined)
    found = members.by_identity(session, "demo", known)
    people = [found[subject] for subject in known]
    for person, member_id in zip(PEOPLE, people, strict=True):
        if person.address:
            member = session.get_one(Member, member_id)
            member.email, member.locale = f"{person.address}@{DOMAIN}", person.locale
    session.flush()
    progress("members", len(people), len(people))
    return people


def _accounts(session: Session, actor: Actor, people: list[UUID]) -> None:
    by_address = {person.address: member_id for person, member_id in zip(PEOPLE, people, strict=True)}
    for address, roles in ACCOUNTS.items():
        members.open_account(session, actor, by_address[address], roles=roles)


def _tiers(session: Session, people: list[UUID], end: datetime) -> None:
    by_address = {person.address: member_id for person, member_id in zip(PEOPLE, people, strict=True)}
    for address, changes in TIERS.items():
        for tier, days in changes:
            members.set_tier(session, by_address[address], tier, since=end - timedelta(days=days))


def _fund(session: Session, actor: Actor) -> None:
    account = wallet.open_account(session, asset="POINTS", purpose="rewards")
    wallet.issue(session, actor, destination=account, amount=FUND, reason="Rewards of the demo", reference="demo:fund")


def _contributions(session: Session, actor: Actor, people: list[UUID], end: datetime, progress: Progress) -> int:
    rows = [
        contributions.service.NewContribution(
            member_id=people[deed.person],
            type=deed.type,
            event_key=f"demo:{deed.number}",
            occurred_at=deed.at,
            details=deed.details,
            challenge_id=deed.challenge_id,
        )
        for deed in sorted(deeds(end), key=lambda deed: deed.at)
    ]
    recorded = 0
    for start in range(0, len(rows), 500):
        outcomes = contributions.service.record_many(session, actor, rows[start : start + 500])
        recorded += sum(one.outcome == "recorded" for one in outcomes)
        progress("contributions", min(start + 500, len(rows)), len(rows))
    return recorded


def _suggestions(session: Session, actor: Actor, people: list[UUID], progress: Progress) -> int:
    box = session.info["registry"].resources["suggestions.suggestion"]
    by_address = {person.address: member_id for person, member_id in zip(PEOPLE, people, strict=True)}
    for position, (author, title, body, status) in enumerate(SUGGESTIONS):
        values = {"author_id": by_address[author], "title": title, "body": body, "status": status}
        box.create(session, actor, values)
        progress("suggestions", position + 1, len(SUGGESTIONS))
    return len(SUGGESTIONS)


def is_loaded(session: Session) -> bool:
    """Whether the demo was ever loaded here."""
    return session.scalar(select(Load.seed).where(Load.seed == SEED)) is not None
