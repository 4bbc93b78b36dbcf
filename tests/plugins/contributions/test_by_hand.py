"""What an admin does by hand: grant points, take many contributions back, freeze a leaderboard."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.ids import new_id
from plugins.contributions import corrections, rescoring, reviews, service
from plugins.contributions.models import BY_HAND, Correction, MilestoneReachedRow, Review
from plugins.contributions.verify import verify

from .conftest import add_people, findings
from .test_corrections import Context
from .test_milestones import published
from .test_rules import edit
from .test_sharing import BROWSER, together

PROGRESS = "SELECT points, count FROM contributions_progress WHERE member_id = :ada"
GRANTS = "/api/v1/contributions/grants"


@pytest.fixture
def ada(platform: Any) -> Any:
    with platform.unit_of_work(Actor.system("test")) as session:
        return add_people(session)[0]


def rows(platform: Any, sql: str, **params: Any) -> list[Any]:
    with platform.unit_of_work() as session:
        return list(session.execute(text(sql), params))


def test_an_admin_grants_points_with_a_reason_from_the_members_page(platform: Any, clients: Any, ada: Any) -> None:
    admin = clients("Admin")
    panel = admin.get(f"/admin/members/{ada}/contributions")
    assert "Grant points" in panel.text
    form = {"member": str(ada), "points": "250", "reason": "Organized the summer camp", "type": "admin.granted"}
    sent = admin.post("/admin/contributions/grant", data=form)
    assert sent.status_code == 303
    page = admin.get(sent.location)
    assert "250" in page.text
    assert "Organized the summer camp" in page.text
    assert ">250<" in admin.get(f"/admin/contributions/contribution/list/?_flt_0_member_id={ada}").text, "its worth now"
    [[points, total]] = rows(platform, PROGRESS, ada=ada)
    assert (points, total) == (250, 1)
    for wrong in ({"points": "-1"}, {"points": "x"}, {"reason": " "}, {"type": "no.such"}):
        assert admin.post("/admin/contributions/grant", data={**form, **wrong}).status_code == 303
    assert admin.post("/admin/contributions/grant", data={**form, "member": "nobody"}).status_code == 404
    assert rows(platform, "SELECT count FROM contributions_progress WHERE member_id = :ada", ada=ada) == [(1,)]
    [[reason]] = rows(
        platform,
        "SELECT reason FROM core_audit WHERE action = 'contributions.contribution.granted' "
        "AND subject_id IN (SELECT id::text FROM contributions_contribution WHERE member_id = :ada)",
        ada=ada,
    )
    assert reason == "Organized the summer camp"
    with platform.unit_of_work() as session:
        assert not any(verify(session).values())


def test_only_who_may_correct_may_grant(clients: Any, ada: Any) -> None:
    moderator = clients("Moderator")
    assert "Grant points" not in moderator.get(f"/admin/members/{ada}/contributions").text
    assert moderator.post("/admin/contributions/grant", data={"member": str(ada)}).status_code == 403
    key = {"Idempotency-Key": str(uuid4())}
    body = {"member_id": str(ada), "points": 5, "reason": "x"}
    assert moderator.post(GRANTS, body, headers=key).status_code == 403


def test_a_grant_by_rest_counts_once_under_its_key(clients: Any, ada: Any) -> None:
    admin = clients("Admin")
    body = {"member_id": str(ada), "points": 7, "reason": "Thanks", "event_key": "camp-2025"}
    first = admin.post(GRANTS, body, headers={"Idempotency-Key": str(uuid4())})
    assert first.status_code == 201, first.text
    assert first.json["data"]["total"] == 7
    again = admin.post(GRANTS, body, headers={"Idempotency-Key": str(uuid4())})
    assert again.json["error"]["code"] == "DUPLICATE_EVENT"
    unknown = admin.post(GRANTS, {**body, "member_id": str(uuid4())}, headers={"Idempotency-Key": str(uuid4())})
    assert unknown.status_code == 404


def test_a_grant_is_worth_what_was_given_from_the_start(session: Session, system: Actor) -> None:
    [bob] = add_people(session)
    made = corrections.grant(session, system, member_id=bob, points=99, reason="Nearly", type="challenge.win")
    assert (made.points, made.total, made.type_version) == (99, 99, BY_HAND), "its type is worth 100"
    assert [(line["label"], line["points"]) for line in made.breakdown] == [("Granted: Nearly", 99)]
    assert session.scalars(select(MilestoneReachedRow)).all() == [], "100 points were never reached"
    assert [event["points"] for event in published(session, "contribution.recorded")] == [99]
    assert session.scalars(select(Correction)).all() == []
    corrections.grant(session, system, member_id=bob, points=1, reason="There", type="challenge.win")
    assert [event["threshold"] for event in published(session, "milestone.reached")] == [100]
    assert findings(session) == []


def test_scoring_a_period_anew_leaves_what_was_granted(session: Session, system: Actor) -> None:
    [bob] = add_people(session)
    granted = corrections.grant(session, system, member_id=bob, points=3, reason="Thanks", type="git.commit")
    scored = service.record(session, system, member_id=bob, type="git.commit")
    edit(session, system, base_points=8)
    span = {"starts_at": now() - timedelta(hours=1), "ends_at": now() + timedelta(hours=1)}
    period = rescoring.try_out(session, system, reason="New rules", **span)
    rescoring.run(Context(session, system, period))
    rescoring.apply(session, system, period.id)
    rescoring.run(Context(session, system, period))
    session.expire_all()
    assert (granted.total, scored.total) == (3, 8)


def test_a_grant_that_a_review_held_is_worth_what_was_given(session: Session, system: Actor) -> None:
    crowd = add_people(session, 4)
    together(session, crowd, device=BROWSER)
    held = corrections.grant(session, system, member_id=crowd[0], points=40, reason="Camp")
    assert held.state == "pending"
    reviews.decide(session, system, session.scalars(select(Review.id)).one(), release=True, reason="A family")
    session.expire_all()
    assert (held.state, held.total) == ("counted", 40)
    assert findings(session) == []


def test_grants_of_one_key_at_once_are_one(platform: Any, ada: Any) -> None:
    def grant(_number: int) -> str:
        try:
            with platform.unit_of_work(Actor.system("test")) as session:
                corrections.grant(session, Actor.system("test"), member_id=ada, points=3, reason="x", event_key="one")
        except Exception as problem:
            return str(getattr(problem, "code", problem))
        return "granted"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(grant, range(16)))
    assert sorted(answers) == ["DUPLICATE_EVENT"] * 15 + ["granted"]
    assert rows(platform, "SELECT points FROM contributions_progress WHERE member_id = :ada", ada=ada) == [(3,)]


def test_what_a_limit_rejects_is_told_and_has_no_points(platform: Any, clients: Any, ada: Any) -> None:
    admin = clients("Admin")
    form = {"member": str(ada), "points": "50", "reason": "x", "type": "profile.complete"}
    admin.post("/admin/contributions/grant", data=form)
    second = admin.post("/admin/contributions/grant", data={**form, "reason": "y"})
    assert "A limit of its type rejected it" in admin.get(second.location).text
    assert rows(platform, "SELECT points FROM contributions_progress WHERE member_id = :ada", ada=ada) == [(50,)]


def test_many_contributions_are_taken_back_at_once(platform: Any, clients: Any, ada: Any) -> None:
    actor = Actor.system("test")
    with platform.unit_of_work(actor) as session:
        ids = [str(service.record(session, actor, member_id=ada, type="git.commit").id) for _ in range(3)]
    admin = clients("Admin")
    listed = admin.get(f"/admin/contributions/contribution/list/?member_id={ada}")
    assert listed.status_code == 200
    assert "Reverse" in listed.text
    acts = "/admin/acts/contributions.contribution/reverse/"
    assert "Takes what counted back" in admin.get(acts + ids[0]).text
    for key in (ids[0], ids[0], ids[1]):  # the second time it is told that it counts no longer
        assert admin.post(acts + key, data={"reason": "copied"}).status_code == 303
    assert rows(platform, "SELECT points FROM contributions_progress WHERE member_id = :ada", ada=ada) == [(5,)]
    with platform.unit_of_work() as session:
        assert not any(verify(session).values())


def test_a_leaderboard_is_frozen_and_thawed_on_its_page(platform: Any, clients: Any, ada: Any) -> None:
    actor, admin, board = Actor.system("test"), clients("Admin"), "/admin/contributions/leaderboard"
    code = f"test.{new_id().hex}"
    with platform.unit_of_work(actor) as session:
        service.create_type(session, actor, {"code": code, "label": "Freezing", "base_points": 11})
        service.record(session, actor, member_id=ada, type=code)
    assert "Freeze" in admin.get(f"{board}?type={code}").text
    assert admin.post(f"{board}/freeze", data={"period": "all", "type": code}).status_code == 303
    with platform.unit_of_work(actor) as session:
        service.record(session, actor, member_id=ada, type=code)
    frozen = admin.get(f"{board}?type={code}").text
    assert "It stands as it stood" in frozen
    got = admin.get(f"/api/v1/contributions/leaderboard?type={code}").json["data"]
    assert got["ranks"][0]["points"] == 11
    assert admin.post(f"{board}/freeze", data={"period": "all", "type": code, "thaw": "1"}).status_code == 303
    assert admin.get(f"/api/v1/contributions/leaderboard?type={code}").json["data"]["ranks"][0]["points"] == 22
    assert clients("Moderator").post(f"{board}/freeze", data={"period": "all"}).status_code == 403
    assert admin.post(f"{board}/freeze", data={"period": "month", "at": "soon"}).status_code == 404


@pytest.mark.parametrize(
    "hostile", ["a\x00b", "9" * 5_000, "' OR 1=1 --", "\ud83d"], ids=["nul", "long", "quote", "half"]
)
def test_nothing_that_is_sent_is_a_mistake_of_ours(clients: Any, ada: Any, hostile: str) -> None:
    admin, home = clients("Admin"), "/admin/contributions"
    grant = {"member": str(ada), "points": "1", "reason": "x", "type": "admin.granted"}
    for field in grant:
        sent = admin.post(f"{home}/grant", data={**grant, field: hostile.encode("utf-8", "replace")})
        assert sent.status_code < 500, field
    for field in ("period", "at", "type"):
        sent = admin.post(
            f"{home}/leaderboard/freeze", data={"period": "all", field: hostile.encode("utf-8", "replace")}
        )
        assert sent.status_code < 500, field
