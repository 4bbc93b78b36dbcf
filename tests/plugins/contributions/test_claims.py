"""Claims and reviews: history goes over exactly, and what is in doubt counts once a person says so."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from core.clock import frozen
from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Actor, DomainError, Member, members
from guildhall import reviews as inbox
from plugins.contributions import boards, claims, queries, reviews, risk, service
from plugins.contributions.models import Claim, Review, Reward
from plugins.contributions.service import NewContribution

from .conftest import add_people, findings, picture
from .test_milestones import published

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ADDRESS = "Ada@Example.org"


def outsider(session: Session, kind: str = "git", value: str = ADDRESS) -> UUID:
    subject = claims.subject_of(session, kind, value)
    return members.by_identity(session, kind, {subject: members.KnownAs(display_name="Ada L.")})[subject]


def verified(session: Session, system: Actor, email: str = ADDRESS.lower()) -> Actor:
    [ada] = add_people(session)
    session.execute(update(Member).where(Member.id == ada).values(email=email, email_verified_at=NOON))
    return replace(system, member_id=ada)


def wins(session: Session, actor: Actor, member_id: UUID, keys: str, day: int = 0) -> None:
    for key in keys:
        at = NOON - timedelta(days=day)
        service.record(session, actor, member_id=member_id, type="challenge.win", event_key=key, occurred_at=at)


def test_a_verified_address_brings_its_whole_history_exactly(session: Session, system: Actor) -> None:
    with frozen(NOON):
        straight = verified(session, system, "other@example.org")
        assert straight.member_id
        wins(session, system, straight.member_id, "ab", 1)
        wins(session, system, straight.member_id, "cde")
        expected = queries.facts(session, [straight.member_id])[straight.member_id]
        actor = verified(session, system)
        assert actor.member_id
        old = outsider(session)
        wins(session, system, actor.member_id, "fgh")
        wins(session, system, old, "ij", 1)
        made = claims.claim(session, actor, kind="git", value=f" {ADDRESS} ")
        facts = queries.facts(session, [actor.member_id, old])
    assert (made.state, made.proof, made.from_member_id) == ("approved", "email", old)
    got = facts[actor.member_id]
    assert (got.points, got.count_by_type, got.streak_best) == (500, expected.count_by_type, expected.streak_best)
    assert (facts[old].points, session.get_one(Member, old).status) == (0, "closed")
    reached = [
        one["threshold"] for one in published(session, "milestone.reached") if one["member_id"] == str(actor.member_id)
    ]
    assert reached == [100, 500]
    assert outsider(session) == actor.member_id
    assert "@" not in str(session.execute(select(Claim.subject, Claim.reason)).all())
    assert findings(session) == []
    before = picture(session)
    assert claims.claim(session, actor, kind="git", value=ADDRESS).id == made.id
    assert claims.merge(session, actor, old_id=old, new_id=actor.member_id) == []
    assert picture(session) == before
    assert len(published(session, "identity.claimed")) == 1


def test_what_is_not_proven_waits_for_an_admin(session: Session, system: Actor) -> None:
    actor = verified(session, system)
    old = outsider(session, "github", "ada")
    service.record(session, system, member_id=old, type="git.merge")
    made = claims.claim(session, actor, kind="github", value="Ada")
    assert (made.state, queries.facts(session, [actor.member_id or old])[actor.member_id or old].points) == (
        "pending",
        0,
    )
    with pytest.raises(DomainError) as again:
        claims.claim(session, actor, kind="github", value="ada")
    assert again.value.code == "CLAIM_PENDING"
    with pytest.raises(DomainError):
        claims.decide(session, actor, made.id, approve=True, reason=" ")
    claims.decide(session, system, made.id, approve=True, reason="Wrote from that account")
    claims.decide(session, system, made.id, approve=True, reason="Again")
    assert made.reason == "Wrote from that account"
    with pytest.raises(DomainError) as other:
        claims.decide(session, system, made.id, approve=False, reason="No")
    assert other.value.code == "ALREADY_DECIDED"
    assert queries.facts(session, [actor.member_id])[actor.member_id].points == 10
    rival = verified(session, system, "rival@example.org")
    session.execute(update(Member).where(Member.id == actor.member_id).values(user_id=None))
    late = claims.claim(session, rival, kind="github", value="ada")
    claims.decide(session, system, late.id, approve=False, reason="It is another's")
    assert late.state == "rejected"
    assert findings(session) == []


def test_an_identity_of_an_account_is_not_taken(platform: Platform, clients: Any, system: Actor) -> None:
    owner, rival = clients("User").sign_in("User", email="a@example.org"), clients("User")
    with platform.unit_of_work(system) as session:
        subject = claims.subject_of(session, "github", "ada")
        members.give_identity(session, kind="github", subject=subject, member_id=owner.id)
    answer = rival.post("/api/v1/contributions/claims", {"kind": "github", "value": "ada"})
    assert (answer.status_code, answer.json["data"]["state"]) == (201, "pending")
    with platform.unit_of_work(system) as session, pytest.raises(DomainError) as refused:
        claims.decide(session, system, UUID(answer.json["data"]["id"]), approve=True, reason="Sure")
    assert refused.value.code == "IDENTITY_TAKEN"
    assert [one["state"] for one in rival.get("/api/v1/contributions/me/claims").json["data"]] == ["pending"]


def test_rewards_follow_once_even_when_they_were_not_asked_for_yet(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session, frozen(NOON):
        actor, old = verified(session, system), outsider(session)
        assert actor.member_id
        wins(session, system, old, "a")
    deliverer = Deliverer(platform.database)
    deliverer.drain()
    with platform.unit_of_work(system) as session, frozen(NOON):
        wins(session, system, actor.member_id, "b")
        wins(session, system, old, "cdef")
        claims.claim(session, actor, kind="git", value=ADDRESS)
    deliverer.drain()
    with platform.unit_of_work(system) as session:
        asked = (
            session.execute(select(Reward.member_id, Reward.amount).where(Reward.reason == "milestone")).tuples().all()
        )
        assert session.scalar(text("SELECT count(*) FROM core_delivery WHERE state = 'dead'")) == 0
        mine = sorted(amount for member_id, amount in asked if member_id == actor.member_id)
        assert mine == [10, 50]
        [event] = published(session, "identity.claimed")
        theirs = session.scalars(select(Reward.id).where(Reward.member_id == old)).all()
        assert event["duplicate_rewards"] == [str(one) for one in theirs]
        assert findings(session) == []


def test_claims_race_recording_and_each_other(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        actor, old = verified(session, system), outsider(session)

    def act(n: int) -> None:
        with platform.unit_of_work(system) as session:
            if n % 3 == 0:
                claims.claim(session, actor, kind="git", value=ADDRESS)
            else:
                member_id = outsider(session)
                service.record(session, system, member_id=member_id, type="git.commit", event_key=f"k{n}")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(act, range(30)))
    with platform.unit_of_work(system) as session:
        claims.merge(session, system, old_id=old, new_id=actor.member_id)  # type: ignore[arg-type]
        assert queries.facts(session, [actor.member_id])[actor.member_id].points == 100  # type: ignore[list-item, index]
        assert len(session.scalars(select(Claim)).all()) == 1
        assert findings(session) == []


def test_a_board_that_was_kept_shows_the_present_name(session: Session, system: Actor) -> None:
    with frozen(NOON):
        actor, old = verified(session, system), outsider(session)
        assert actor.member_id
        wins(session, system, old, "ab")
        wins(session, system, actor.member_id, "c")
        boards.freeze(session, system, boards.find(session))
        claims.claim(session, actor, kind="git", value=ADDRESS)
        [name] = session.scalars(select(Member.display_name).where(Member.id == actor.member_id))
        kept = queries.leaderboard(session, me=actor.member_id)
        assert [(one.rank, one.name, one.points) for one in kept.ranks] == [(1, name, 200), (2, name, 100)]
        assert [(one.name, one.points) for one in queries.leaderboard(session, live=True).ranks] == [(name, 300)]


TEXT = "I wrote a long guide about how the ledger holds its balances under many writers at once, with all pictures"


def test_a_flag_holds_back_until_it_is_released_or_rejected(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    kinds = {"type": "submission.approved"}
    first = service.record(session, system, member_id=ada, details={"text": TEXT}, **kinds)
    copied = service.record(session, system, member_id=bob, details={"text": TEXT + "!"}, **kinds)
    near = service.record(session, system, member_id=bob, details={"text": TEXT.replace("guide", "guides")}, **kinds)
    other = service.record(
        session, system, member_id=bob, details={"text": "Quite another text: " + TEXT[::-1]}, **kinds
    )
    assert [one.state for one in (first, copied, near, other)] == ["counted", "pending", "pending", "counted"]
    held = session.scalars(select(Review).order_by(Review.created_at, Review.id)).all()
    assert [one.signals[0]["signal"] for one in held] == ["near_duplicate"] * 2
    assert queries.facts(session, [bob])[bob].points == 25
    log = text("SELECT count(*) FROM core_audit WHERE action = 'contributions.review.opened'")
    assert session.scalar(log) == 2
    by_key = {one.contribution_id: one for one in held}
    reviews.decide(session, system, by_key[copied.id].id, release=True, reason="Same author")
    reviews.decide(session, system, by_key[copied.id].id, release=True, reason="Same author")
    reviews.decide(session, system, by_key[near.id].id, release=False, reason="Copied")
    with pytest.raises(DomainError) as decided:
        reviews.decide(session, system, by_key[near.id].id, release=True, reason="Changed my mind")
    assert decided.value.code == "ALREADY_DECIDED"
    session.expire_all()
    assert (copied.state, near.state, near.points, queries.facts(session, [bob])[bob].points) == (
        "counted",
        "rejected",
        0,
        50,
    )
    assert [one["points"] for one in published(session, "contribution.recorded")] == [25, 25, 25]
    assert findings(session) == []
    cases = text("SELECT state FROM core_review WHERE kind = 'contributions.held'")
    assert set(session.scalars(cases)) == {"withdrawn"}


def test_the_inbox_decides_what_is_held_and_what_is_claimed(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    for _ in range(2):
        held = service.record(session, system, member_id=ada, type="submission.approved", details={"text": TEXT})
    old = outsider(session, "github", "ada")
    claim = claims.claim(session, replace(system, member_id=ada), kind="github", value="ada")
    cases = session.execute(text("SELECT id, kind FROM core_review WHERE state = 'open' ORDER BY kind")).tuples().all()
    assert [kind for _id, kind in cases] == ["contributions.claim", "contributions.held"]
    [bob] = add_people(session)
    for case, _kind in cases:
        inbox.decide(session, replace(system, member_id=bob), case, approved=True)
    session.expire_all()
    assert (held.state, claim.state, claim.from_member_id) == ("counted", "approved", old)
    assert findings(session) == []


def test_rapid_events_wait_but_history_and_bulk_do_not(session: Session, system: Actor, monkeypatch: Any) -> None:
    ada, bob = add_people(session, 2)
    with frozen(NOON):
        states = [service.record(session, system, member_id=ada, type="git.commit").state for _ in range(122)]
        rows = [NewContribution(member_id=bob, type="git.commit") for _ in range(200)]
        bulk = service.record_many(session, system, rows, source="system")
    assert states == ["counted"] * 120 + ["pending"] * 2
    assert {one.outcome for one in bulk} == {"recorded"}
    [signal] = session.scalars(select(Review.signals).order_by(Review.id).limit(1)).one()
    assert signal == {"signal": "rapid", "found": 121, "limit": 120}


def test_joining_challenges_without_doing_anything_else_waits(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    service.record(session, system, member_id=bob, type="submission.approved")
    for who, last in ((ada, "pending"), (bob, "counted")):
        made = [service.record(session, system, member_id=who, type=risk.PARTICIPATION) for _ in range(21)]
        assert [one.state for one in made] == ["counted"] * 20 + [last]


def test_two_reviewers_at_once_decide_once(platform: Platform, people: Callable[..., Any], system: Actor) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        for _ in range(2):
            service.record(session, system, member_id=ada, type="submission.approved", details={"text": TEXT})
        review = session.scalars(select(Review.id)).one()

    def decide(n: int) -> str:
        try:
            with platform.unit_of_work(system) as session:
                return str(reviews.decide(session, system, review, release=bool(n % 2), reason="Seen").state)
        except DomainError as problem:
            return problem.code

    with ThreadPoolExecutor(8) as threads:
        told = set(threads.map(decide, range(8)))
    assert "ALREADY_DECIDED" in told and len(told) == 2
    with platform.unit_of_work(system) as session:
        assert findings(session) == []
