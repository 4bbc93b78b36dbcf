"""When points are taken back nothing removes a badge; a person is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, Review, StoredEvent, new_id, reviews
from plugins.badges import Award, corrections, handlers, service
from plugins.badges.evaluator import evaluate
from plugins.badges.recalculation import recalculate
from plugins.contributions import BatchCorrected, ContributionCorrected
from plugins.contributions import corrections as scores

from .conftest import add_badge, add_people, count, points, slugs
from .test_evaluator import record, stored


def open_cases(session: Session) -> list[Review]:
    query = select(Review).where(Review.kind == corrections.KIND, Review.state == "open")
    return list(session.scalars(query))


def correct(session: Session, actor: Actor, event: StoredEvent, member_id: UUID, points: int, kind: str) -> None:
    payload = ContributionCorrected(
        contribution_id=event.payload.contribution_id,
        member_id=member_id,
        type=event.payload.type,
        kind=kind,
        points=points,
    )
    corrections.on_correction(session, actor, stored(payload))


@pytest.fixture
def won(session: Session, system: Actor) -> tuple[UUID, StoredEvent]:
    """A member who won a challenge and got the badges for it, and the event."""
    [member_id] = add_people(session)
    event = record(session, system, member_id, "challenge.win")
    handlers.evaluate(session, system, event)
    return member_id, event


def test_a_reversal_opens_a_review_and_removes_nothing(session: Session, system: Actor, won: Any) -> None:
    member_id, event = won
    service.award(session, system, slug="finalist", member_id=member_id, reason="by hand, so not asked about")
    before = slugs(session, member_id)
    scores.reverse(session, system, event.payload.contribution_id, reason="shared account")
    for _twice in range(2):
        correct(session, system, event, member_id, -100, "reversal")
    assert slugs(session, member_id) == before == {"winner", "points-100", "contributor", "finalist"}
    cases = open_cases(session)
    assert {case.params["badge"] for case in cases} == {"winner", "points-100", "contributor"}
    assert {case.member_id for case in cases} == {member_id}


def test_the_review_decides_and_what_was_removed_stays_removed(session: Session, system: Actor, won: Any) -> None:
    member_id, event = won
    scores.reverse(session, system, event.payload.contribution_id, reason="shared account")
    correct(session, system, event, member_id, -100, "reversal")
    cases = {case.params["badge"]: case.id for case in open_cases(session)}
    reviews.decide(session, system, cases["winner"], approved=True)
    reviews.decide(session, system, cases["points-100"], approved=False, reason="earned it otherwise")
    assert slugs(session, member_id) == {"points-100", "contributor"}
    service.revoke(session, system, slug="contributor", member_id=member_id, reason="by hand meanwhile")
    reviews.decide(session, system, cases["contributor"], approved=True)
    handlers.evaluate(session, system, record(session, system, member_id, "challenge.win"))
    recalculate(session, system, "winner", "contributor")
    assert slugs(session, member_id) == {"points-100"}


def test_what_still_holds_is_not_asked_about(session: Session, system: Actor, won: Any) -> None:
    member_id, event = won
    add_badge(session, system, "newcomer", {"all": [count("*"), {"not": points(1000)}]})
    handlers.evaluate(session, system, record(session, system, member_id, "challenge.win"))
    scores.reverse(session, system, event.payload.contribution_id, reason="twice")
    correct(session, system, event, member_id, -100, "reversal")
    assert open_cases(session) == []
    assert "newcomer" in slugs(session, member_id)


def test_more_points_bring_badges_and_a_batch_does_both(session: Session, system: Actor, won: Any) -> None:
    member_id, event = won
    scores.override_score(session, system, event.payload.contribution_id, points=500, reason="a great one")
    correct(session, system, event, member_id, 400, "override")
    assert "points-500" in slugs(session, member_id)
    scores.override_score(session, system, event.payload.contribution_id, points=100, reason="a mistake")
    batch = BatchCorrected(
        rescore_id=new_id(),
        contribution_ids=[event.payload.contribution_id],
        member_ids=[member_id],
        types=[event.payload.type],
    )
    corrections.on_batch_correction(session, system, stored(batch))
    assert {case.params["badge"] for case in open_cases(session)} == {"points-500"}


def test_an_award_is_judged_by_the_version_that_gave_it(session: Session, system: Actor, won: Any) -> None:
    member_id, event = won
    badge = service.find(session, "winner")
    service.update_badge(session, system, badge, {"criteria": count("challenge.win", 5)})
    assert evaluate(session, system, members=[member_id], types=["challenge.win"], tipped=dict) == []
    correct(session, system, event, member_id, -1, "override")
    assert open_cases(session) == []
    assert session.scalars(select(Award.badge_version).where(Award.badge_id == badge.id)).one() == 1
