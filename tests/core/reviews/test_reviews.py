"""A case waits for a person, is decided once, and its effect is part of the decision."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from core.access import member_permissions
from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import frozen, now
from core.errors import DomainError, NotFound, PermissionMissing, WhileImpersonating
from core.events.models import EventRow
from core.ids import new_id
from core.platform import Platform
from core.reviews import errors, queries, service
from core.reviews.models import Review
from core.reviews.queries import Filter
from tests.core.doors import Person
from tests.core.library import Stamp, Worn

SYSTEM = Actor.system("test")


class Desk:
    """Asks for decisions, and makes them as one person or another."""

    def __init__(self, site: Platform) -> None:
        self.site = site

    def ask(self, kind: str = "library.loan", actor: Actor = SYSTEM, **more: Any) -> UUID:
        with self.site.unit_of_work(actor) as session:
            given = {"subject_id": str(new_id()), "title": "A loan of ten books", **more}
            return service.open_review(session, actor, kind, **given)

    def actor(self, person: Person) -> Actor:
        assert person.member is not None
        with self.site.unit_of_work() as session:
            held = member_permissions(session, person.member.id)
        return Actor(kind="member", name="M", member_id=person.member.id, permissions=held)

    def do(self, what: Callable[..., Any], actor: Actor, key: UUID, **more: Any) -> Any:
        with self.site.unit_of_work(actor) as session:
            return what(session, actor, key, **more)

    def case(self, key: UUID) -> Review:
        with self.site.unit_of_work() as session:
            return session.get_one(Review, key)

    def stamps(self, key: UUID) -> list[str]:
        subject = self.case(key).subject_id
        with self.site.unit_of_work() as session:
            return list(session.scalars(select(Stamp.label).where(Stamp.label.startswith(subject))))

    def events(self, key: UUID, name: str) -> int:
        said = EventRow.name == name, EventRow.payload["review_id"].astext == str(key)
        with self.site.unit_of_work() as session:
            return session.scalar(select(func.count()).select_from(EventRow).where(*said)) or 0


@pytest.fixture
def desk(site: Platform) -> Desk:
    return Desk(site)


@pytest.fixture
def moderator(desk: Desk, people: Callable[..., Person]) -> Actor:
    return desk.actor(people("Moderator"))


def test_a_decision_its_effect_its_event_and_its_audit_row_are_one(desk: Desk, moderator: Actor) -> None:
    key = desk.ask()
    desk.do(service.decide, moderator, key, approved=True, reason="A good reader")
    case = desk.case(key)
    assert (case.state, case.decided_by, case.reason) == ("approved", moderator.member_id, "A good reader")
    assert desk.stamps(key) == [f"{case.subject_id}: True"]
    assert desk.events(key, "core.review.decided") == 1
    with desk.site.unit_of_work() as session:
        acts = session.scalars(select(AuditRow.action).where(AuditRow.subject_id == str(key))).all()
    assert acts == ["core.review.approved"]


def test_a_statement_that_was_prepared_long_ago_opens_cases_still(desk: Desk) -> None:
    with desk.site.unit_of_work(SYSTEM) as session:
        session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        asked = [
            service.open_review(session, SYSTEM, "library.loan", subject_id=number, title="A loan")
            for number in range(12)
        ]
        assert len(set(asked)) == 12
        session.rollback()


def test_what_the_effect_refuses_leaves_the_case_open(desk: Desk, moderator: Actor) -> None:
    key = desk.ask(params={"worn": True})
    with pytest.raises(Worn):
        desk.do(service.decide, moderator, key, approved=True)
    assert desk.case(key).state == "open"
    assert desk.events(key, "core.review.decided") == 0


def test_sixteen_people_decide_at_once_and_one_does(desk: Desk, people: Callable[..., Person]) -> None:
    key = desk.ask()
    actors = [desk.actor(people("Moderator")) for _one in range(4)] * 4

    def attempt(number: int) -> str:
        try:
            desk.do(service.decide, actors[number], key, approved=bool(number % 2), reason="Because of this")
        except DomainError as refused:
            return refused.code
        return "decided"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(attempt, range(16)))
    assert outcomes.count("decided") == 1
    assert set(outcomes) == {"decided", "REVIEW_DECIDED"}
    assert len(desk.stamps(key)) == 1


def test_a_subject_has_one_open_case_of_a_kind(desk: Desk, moderator: Actor) -> None:
    first = desk.ask(subject_id="book-1")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _n: desk.ask(subject_id="book-1"), range(8))) == {first}
    assert desk.events(first, "core.review.opened") == 1
    desk.do(service.decide, moderator, first, approved=False, reason="Not this one")
    assert desk.ask(subject_id="book-1") != first


def test_a_rejection_takes_a_reason(desk: Desk, moderator: Actor) -> None:
    key = desk.ask()
    for reason in ("", "  ", "no", "x" * 501):
        with pytest.raises(errors.ReasonNeeded):
            desk.do(service.decide, moderator, key, approved=False, reason=reason)
    desk.do(service.decide, moderator, key, approved=False, reason="Too many books")
    assert desk.case(key).state == "rejected"


def test_who_asked_does_not_decide_what_takes_four_eyes(desk: Desk, people: Callable[..., Person]) -> None:
    asks, other = desk.actor(people("Admin")), desk.actor(people("Admin"))
    key = desk.ask("library.purchase", asks)
    for actor in (asks, SYSTEM):
        with pytest.raises(errors.FourEyesNeeded):
            desk.do(service.decide, actor, key, approved=True)
    with pytest.raises(errors.AssigneeRefused):
        desk.do(service.assign, other, key, assignee_id=asks.member_id)
    desk.do(service.decide, other, key, approved=True)
    assert desk.case(key).decided_by == other.member_id


def test_nobody_decides_about_themselves_nor_while_acting_as_another(desk: Desk, moderator: Actor) -> None:
    from dataclasses import replace

    key = desk.ask(member_id=moderator.member_id)
    with pytest.raises(errors.OwnCase):
        desk.do(service.decide, moderator, key, approved=True)
    with pytest.raises(WhileImpersonating):
        desk.do(service.decide, replace(moderator, impersonator=new_id()), key, approved=True)


def test_a_taken_case_is_left_alone_until_it_is_taken_over(desk: Desk, people: Callable[..., Person]) -> None:
    first, second = desk.actor(people("Moderator")), desk.actor(people("Moderator"))
    key = desk.ask()
    desk.do(service.claim, first, key)
    for act in (service.claim, lambda *given: service.decide(*given, approved=True)):
        with pytest.raises(errors.ReviewTaken):
            desk.do(act, second, key)
    desk.do(service.claim, second, key, take_over=True)
    assert desk.case(key).assignee_id == second.member_id
    desk.do(service.release, second, key)
    assert desk.case(key).assignee_id is None
    assert desk.events(key, "core.review.assigned") == 2


def test_a_case_is_given_only_to_who_may_decide_it(desk: Desk, moderator: Actor, people: Callable[..., Person]) -> None:
    key = desk.ask()
    with pytest.raises(errors.AssigneeRefused):
        desk.do(service.assign, moderator, key, assignee_id=desk.actor(people("User")).member_id)
    other = desk.actor(people("Moderator"))
    desk.do(service.assign, moderator, key, assignee_id=other.member_id)
    assert desk.case(key).assignee_id == other.member_id


def test_an_escalated_case_waits_for_who_may_decide_those(
    desk: Desk, moderator: Actor, people: Callable[..., Person]
) -> None:
    key = desk.ask()
    desk.do(service.claim, moderator, key)
    desk.do(service.escalate, moderator, key, reason="Above my head")
    desk.do(service.escalate, moderator, key, reason="Above my head")
    assert desk.case(key).assignee_id is None
    assert desk.events(key, "core.review.escalated") == 1
    with pytest.raises(PermissionMissing):
        desk.do(service.decide, moderator, key, approved=True)
    desk.do(service.decide, desk.actor(people("Admin")), key, approved=True)
    assert desk.case(key).state == "approved"


def test_what_may_not_be_seen_is_not_told(
    desk: Desk, moderator: Actor, people: Callable[..., Person], switch: Callable[[str, bool], None]
) -> None:
    purchase, loan = desk.ask("library.purchase"), desk.ask()
    with pytest.raises(NotFound):
        desk.do(service.note, moderator, purchase, text="I see you")
    switch("library", False)
    with pytest.raises(NotFound):
        desk.do(service.decide, moderator, loan, approved=True)
    with desk.site.unit_of_work() as session:
        assert session.scalar(queries.waiting(session, moderator)) == 0
    switch("library", True)
    desk.do(service.decide, moderator, loan, approved=True)


def test_a_case_with_nothing_left_to_decide_is_withdrawn(desk: Desk, moderator: Actor) -> None:
    key = desk.ask(subject_id="gone")
    with desk.site.unit_of_work(SYSTEM) as session:
        assert service.withdraw_review(session, SYSTEM, "library.loan", subject_id="gone", reason="The book is lost")
        assert not service.withdraw_review(session, SYSTEM, "library.loan", subject_id="gone", reason="Twice")
    with pytest.raises(errors.ReviewDecided):
        desk.do(service.decide, moderator, key, approved=True)
    assert desk.stamps(key) == []


def test_the_inbox_shows_the_most_urgent_first_and_goes_on_to_the_next(desk: Desk, moderator: Actor) -> None:
    mine = moderator.member_id
    calm, hurried = desk.ask(member_id=None), desk.ask(due=timedelta(minutes=1))
    for key in (calm, hurried):
        desk.do(service.assign, SYSTEM, key, assignee_id=mine)
    with desk.site.unit_of_work() as session:
        wanted = Filter(view="mine")
        cases = session.scalars(queries.matching(session, moderator, wanted).order_by(Review.due_at)).all()
        assert [one.id for one in cases] == [hurried, calm]
        assert queries.next_case(session, moderator, wanted, cases[0]) == calm
        assert queries.next_case(session, moderator, wanted, cases[1]) == hurried
        assert queries.counts(session, moderator)["mine"] == 2


def test_a_case_is_late_after_its_time_and_soon_due_in_the_last_quarter(desk: Desk) -> None:
    case = desk.case(desk.ask(due=timedelta(hours=8)))
    told = [case.urgency(case.opened_at + timedelta(hours=hours)) for hours in (0, 5.9, 6.1, 8.1)]
    assert told == ["calm", "calm", "soon", "late"]
    with frozen(now() + timedelta(days=1)):
        assert case.urgency() == "late"


def test_a_kind_that_nobody_declares_is_a_mistake_of_the_caller(desk: Desk) -> None:
    with pytest.raises(LookupError):
        desk.ask("library.theft")
