"""Many accounts of one person wait for a review together; many people behind one address do not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import settings
from core.events.deliver import Deliverer
from core.platform import Platform
from core.reviews import service as inbox
from core.reviews.errors import OwnCase, ReviewTaken
from guildhall import Actor, members
from plugins.contributions import reviews, service
from plugins.contributions.models import Review
from plugins.contributions.service import NewContribution
from plugins.contributions.settings import ContributionSettings
from plugins.wallet.models import Reward

from .conftest import add_people, findings
from .test_claims import TEXT

BROWSER = "d" * 22
KIND = "git.commit"
CASES = text("SELECT id FROM core_review WHERE kind = 'contributions.held' AND state = 'open' ORDER BY id")


def together(session: Session, ids: list[UUID], **seen: str) -> None:
    for one in ids:
        members.note_seen(session, one, **seen)


def state(session: Session, actor: Actor, member_id: UUID, **values: Any) -> str:
    return str(service.record(session, actor, member_id=member_id, type=KIND, **values).state)


def signals(session: Session) -> list[list[str]]:
    return [[one["signal"] for one in found] for found in session.scalars(select(Review.signals).order_by(Review.id))]


def test_fifty_members_behind_one_address_wait_for_nobody(session: Session, system: Actor) -> None:
    crowd = add_people(session, 50)
    together(session, crowd, address="203.0.113.7")
    assert {state(session, system, one) for one in crowd} == {"counted"}
    rows = [NewContribution(member_id=one, type=KIND) for one in crowd]
    assert {one.outcome for one in service.record_many(session, system, rows, source="system")} == {"recorded"}


@pytest.mark.parametrize("source", ["system", "webhook"])
def test_five_accounts_of_one_browser_wait_alone_and_in_bulk(session: Session, system: Actor, source: str) -> None:
    five = add_people(session, 5)
    together(session, five[:3], device=BROWSER)
    assert {state(session, system, one, source=source) for one in five} == {"counted"}  # a family
    together(session, five[3:], device=BROWSER)
    assert {state(session, system, one, source=source) for one in five} == {"pending"}
    rows = [NewContribution(member_id=one, type=KIND) for one in five]
    assert {one.outcome for one in service.record_many(session, system, rows, source=source)} == {"pending"}
    [signal] = session.scalars(select(Review.signals).where(Review.member_id == five[0]).limit(1)).one()
    assert signal["signal"] == "shared_device" and (signal["found"], signal["limit"]) == (5, 3)
    assert set(signal["members"]) == {str(one) for one in five[1:]}
    log = text("SELECT count(*) FROM core_audit WHERE action = 'contributions.review.opened'")
    assert session.scalar(log) == 10
    assert findings(session) == []


def test_history_of_the_same_members_counts(session: Session, system: Actor) -> None:
    five = add_people(session, 5)
    together(session, five, device=BROWSER)
    rows = [NewContribution(member_id=one, type=KIND) for one in five]
    assert {one.outcome for one in service.record_many(session, system, rows, source="import")} == {"recorded"}


def test_many_browsers_of_a_family_are_not_added_up(session: Session, system: Actor) -> None:
    ada, *friends = add_people(session, 5)
    for n, friend in enumerate(friends):
        together(session, [ada, friend], device=f"{n}" * 22)
    assert state(session, system, ada) == "counted"


def test_a_wallet_that_was_anothers_waits(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    together(session, [ada, bob], wallet="0xab")
    assert state(session, system, bob) == "pending"
    assert signals(session) == [["shared_wallet"]]


@pytest.mark.parametrize(("address", "wanted"), [("203.0.113.7", "pending"), ("203.0.113.8", "counted")])
def test_a_text_further_from_anothers_waits_only_where_they_share_an_address(
    session: Session, system: Actor, address: str, wanted: str
) -> None:
    ada, bob = add_people(session, 2)
    together(session, [ada], address="203.0.113.7")
    together(session, [bob], address=address)
    kind = {"type": "submission.approved"}
    changed = TEXT.replace("balances", "amounts")
    service.record(session, system, member_id=ada, details={"text": TEXT}, **kind)
    assert service.record(session, system, member_id=bob, details={"text": changed}, **kind).state == wanted
    assert signals(session) == ([["near_duplicate_shared"]] if wanted == "pending" else [])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"shared_device_members": 0}, "counted"),
        ({"shared_device_members": 4}, "counted"),
        ({"shared_types": "git.merge challenge.win"}, "counted"),
        ({"shared_types": f"git.merge {KIND}"}, "pending"),
        ({"shared_device_members": 0, "shared_address_members": 3}, "pending"),
    ],
)
def test_the_settings_say_how_many_and_what_counts(
    session: Session, system: Actor, changes: dict[str, Any], wanted: str
) -> None:
    settings.write(session, system, ContributionSettings, changes)
    four = add_people(session, 4)
    together(session, four, device=BROWSER, address="203.0.113.7")
    assert state(session, system, four[0]) == wanted


def test_one_decision_covers_the_group_and_holds_until_somebody_new_joins(session: Session, system: Actor) -> None:
    five = add_people(session, 5)
    together(session, five[:4], device=BROWSER)
    held = [service.record(session, system, member_id=one, type=KIND) for one in five[:3] for _ in range(2)]
    review = session.scalars(select(Review.id).order_by(Review.id).limit(1)).one()
    [judge] = add_people(session)
    assert reviews.decide_group(session, replace(system, member_id=judge), review, release=True, reason="A family") == 6
    session.expire_all()
    assert {one.state for one in held} == {"counted"}
    assert {state(session, system, one) for one in five[:4]} == {"counted"}, "also of whom nothing waited"
    together(session, [five[4]], device=BROWSER)
    assert {state(session, system, one) for one in five} == {"pending"}
    assert findings(session) == []


def test_a_case_that_somebody_works_on_or_about_oneself_refuses_the_whole_group(
    session: Session, system: Actor
) -> None:
    four = add_people(session, 4)
    together(session, four, device=BROWSER)
    for one in four:
        state(session, system, one)
    review = session.scalars(select(Review.id).order_by(Review.id).limit(1)).one()
    judge, other = (replace(system, member_id=one) for one in add_people(session, 2))
    with pytest.raises(OwnCase), session.begin_nested():
        reviews.decide_group(session, replace(system, member_id=four[3]), review, release=True, reason="Mine too")
    inbox.claim(session, other, session.scalars(CASES).all()[-1])
    with pytest.raises(ReviewTaken), session.begin_nested():
        reviews.decide_group(session, judge, review, release=False, reason="One person")
    assert session.scalars(select(Review.state).distinct()).all() == ["open"]


def test_groups_are_decided_and_flagged_at_once_without_a_deadlock(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        four = add_people(session, 4)
        together(session, four, device=BROWSER)
        for one in four:
            state(session, system, one)
        open_reviews = list(session.scalars(select(Review.id)))
        [judge] = add_people(session)

    def act(n: int) -> int:
        with platform.unit_of_work(system) as session:
            if n % 4:
                rows = [NewContribution(member_id=one, type=KIND) for one in four]
                return len(service.record_many(session, system, rows, source="system"))
            by = replace(system, member_id=judge)
            return reviews.decide_group(session, by, open_reviews[n % 4], release=False, reason="One person")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(act, range(32)))
    with platform.unit_of_work(system) as session:
        assert findings(session) == []


def test_an_admin_sees_who_shares_what_and_decides_for_all(
    platform: Platform, app: Any, clients: Any, system: Actor
) -> None:
    admin = clients("Admin")
    with platform.unit_of_work(system) as session:
        four = add_people(session, 4)
        together(session, four, device=BROWSER, address="203.0.113.7")
        for one in four:
            state(session, system, one)
        case, review = session.scalars(CASES).first(), session.scalars(select(Review.id).order_by(Review.id)).first()
    page = admin.get(f"/admin/reviews/{case}").text
    assert "One browser, many members" in page and "Reject all 4" in page
    assert all(f"Member {n}" in page for n in range(4)) and "Address" in page
    assert "203.0.113.7" not in page and BROWSER not in page
    path = f"/api/v1/contributions/reviews/{review}/decide"
    body = {"approve": False, "reason": "One person", "group": True}
    decided = admin.post(path, body, headers={"Idempotency-Key": "group-1"})
    assert (decided.status_code, decided.json["data"]["state"]) == (200, "rejected")
    with platform.unit_of_work(system) as session:
        assert session.scalars(select(Review.state).distinct()).all() == ["rejected"]
        assert session.scalars(CASES).all() == []


def test_rewards_of_the_whole_group_wait(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        four = add_people(session, 4)
        together(session, four, device=BROWSER)
        for one in four:
            state(session, system, one)
            service.request_reward(
                session, system, member_id=one, amount=5, asset="POINTS", reason="test", reference=f"t:{one}"
            )
    Deliverer(platform.database).drain()
    with platform.unit_of_work(system) as session:
        assert {*session.execute(select(Reward.state, Reward.why)).tuples()} == {("pending", "MEMBER_FLAGGED")}
