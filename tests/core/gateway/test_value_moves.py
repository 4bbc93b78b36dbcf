"""What staff does that moves value takes a fresh proof of who does it, by whatever door they come."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import text, update

from core.actor import Actor
from core.clock import now
from core.errors import StepUpRequired, WhileImpersonating
from core.ids import new_id
from core.members.models import MemberSession
from core.platform import Platform
from core.reviews import service as reviews
from tests.core.doors import Person
from tests.core.gateway.test_matrix import requests

MOVING = {
    "badges.award_badge",
    "badges_pages.award_post",
    "contributions.decide_claim",
    "contributions.grant",
    "contributions.override_score",
    "contributions.reverse",
    "contributions_pages.grant_page_post",
    "wallet.propose_adjustment",
    "wallet.fill_fund",
    "wallet.reverse",
    "wallet_pages.fund_post",
}
GRANT = "/admin/contributions/grant"


def long_ago(site: Platform, *whose: Person) -> None:
    """Let the last proof of these people be an hour old."""
    seen = {"stepped_up_at": now() - timedelta(hours=1)}
    with site.unit_of_work() as session:
        ids = [UUID(one.id) for one in whose]
        session.execute(update(MemberSession).where(MemberSession.member_id.in_(ids)).values(seen))


def test_every_route_that_moves_value_asks_who_it_is(web: Flask, site: Platform, people: Callable[..., Person]) -> None:
    token, browser = people("Admin"), people("Admin", browser=True)
    assert browser.csrf
    long_ago(site, token, browser)
    asked = set()
    for endpoint, method, path in requests(web):
        if not getattr(web.view_functions[endpoint], "moves_value", False):
            continue
        asked.add(endpoint)
        if path.startswith("/api/"):
            answer = token.open(method, path, json={}, headers={"Idempotency-Key": str(uuid4())})
            assert (answer.status_code, answer.json["error"]["code"]) == (403, "STEP_UP_REQUIRED"), path
        else:
            assert browser.send(path).location.startswith("/confirm?next="), path
    assert asked >= MOVING
    paths = token.get("/api/v1/openapi.json").json["paths"]
    assert paths["/api/v1/contributions/grants"]["post"]["x-step-up"] is True
    assert "x-step-up" not in paths["/api/v1/wallet/transfer"]["post"], "members pay as they are"


@pytest.mark.parametrize("resource", ["wallet.transfer", "contributions.contribution"])
def test_an_operation_that_moves_value_asks_too(site: Platform, people: Callable[..., Person], resource: str) -> None:
    token, browser = people("Admin"), people("Admin", browser=True)
    member = UUID(token.id)
    with site.unit_of_work(Actor.system("test")) as session:
        operation = next(one for one in site.registry.resources[resource].operations if one.name == "reverse")
        assert operation.moves_value
        if resource == "wallet.transfer":
            from plugins.wallet import service as wallet

            wallet.fund_rewards(session, Actor.system("test"), amount=5, asset="POINTS", reason="x", reference="x")
            key = session.scalar(text("SELECT id FROM wallet_transfer LIMIT 1"))
        else:
            from plugins.contributions import service as contributions

            actor = Actor.system("test")
            key = contributions.record(session, actor, member_id=member, type="git.commit").id
    assert browser.csrf
    long_ago(site, token, browser)
    sent = browser.send(f"/admin/acts/{resource}/reverse/{key}", reason="x")
    assert sent.location.startswith("/confirm?next=")
    body = {"act": "reverse", "ids": [str(key)], "values": {"reason": "x"}}
    if resource == "wallet.transfer":
        many = token.post("/api/v1/wallet/transfers/bulk", body, headers={"Idempotency-Key": str(uuid4())})
        assert (many.status_code, many.json["error"]["code"]) == (403, "STEP_UP_REQUIRED")


def test_an_approval_that_moves_value_asks_too(site: Platform, people: Callable[..., Person]) -> None:
    system, token, browser = Actor.system("test"), people("Admin"), people("Admin", browser=True)
    with site.unit_of_work(system) as session:
        about = {"subject_id": new_id(), "title": "The fund is short"}
        key = reviews.open_review(session, system, "wallet.fund", **about)
        rejected = reviews.open_review(session, system, "wallet.fund", **{**about, "subject_id": new_id()})
    assert browser.csrf
    long_ago(site, token, browser)
    for path, form in ((f"/admin/reviews/{key}/decide", {}), ("/admin/reviews/bulk", {"case": [str(key)]})):
        assert browser.send(path, decision="approve", **form).location.startswith("/confirm?next="), path
    answer = token.post(f"/api/v1/core/reviews/{key}/decide", {"approved": True})
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "STEP_UP_REQUIRED")
    assert token.get(f"/api/v1/core/reviews/{key}").json["data"]["state"] == "open"
    answer = browser.send(f"/admin/reviews/{rejected}/decide", decision="reject", reason="No")
    assert not answer.location.startswith("/confirm"), "saying no moves nothing"


def test_who_proves_themselves(people: Callable[..., Person]) -> None:
    person = Actor(kind="member", name="Ada", member_id=new_id(), session_id=new_id())
    key = replace(person, kind="service", session_id=None)
    fresh = replace(person, stepped_up_at=now())
    for actor in (fresh, Actor.system("test")):
        actor.require_step_up()
    key.require_step_up(or_key=True)
    for actor, error in ((person, StepUpRequired), (replace(fresh, impersonator=new_id()), WhileImpersonating)):
        with pytest.raises(error):
            actor.require_step_up(or_key=True)
    for actor in (key, Actor(kind="anonymous", name="")):
        with pytest.raises(StepUpRequired):
            actor.require_step_up()


def test_what_was_filled_in_is_kept_and_sent_when_they_say_so(site: Platform, people: Callable[..., Person]) -> None:
    admin, amina = people("Admin", browser=True), people("User")
    csrf = admin.csrf
    form = {"member": amina.id, "points": "25", "reason": "Held the <i>stand</i>", "type": "admin.granted"}
    long_ago(site, admin)
    refused = admin.post(GRANT, data={**form, "csrf_token": csrf, "_once": str(new_id())})
    assert refused.location.startswith("/confirm?next=")
    with site.unit_of_work() as session:
        mine = MemberSession.member_id == UUID(admin.id)
        session.execute(update(MemberSession).where(mine).values(stepped_up_at=now()))
    page = admin.get("/confirm/go-on?next=/admin").text
    assert "Held the &lt;i&gt;stand&lt;/i&gt;" in page and f'action="{GRANT}"' in page
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
    assert {name: fields[name] for name in ("member", "points", "type")} == {
        k: form[k] for k in ("member", "points", "type")
    }
    for _twice in range(2):
        assert "/admin/contributions/contribution/" in admin.post(GRANT, data={**form, **fields}).location
    with site.unit_of_work() as session:
        query = text("SELECT points FROM contributions_progress WHERE member_id = :id")
        assert session.scalar(query, {"id": amina.id}) == 25


@pytest.mark.parametrize(
    "more",
    [{"reason": "加" * 300}, {"password": "hunter2"}, {"client_secret": "x"}, {"mailed_code": "1"}, {"points": ""}],
    ids=["long", "password", "secret", "code", "nothing"],
)
def test_what_is_long_secret_or_empty_is_not_kept(site: Platform, people: Callable[..., Person], more: Any) -> None:
    admin = people("Admin", browser=True)
    assert admin.csrf
    long_ago(site, admin)
    assert admin.send(GRANT, points="1").location.startswith("/confirm?next=")
    assert admin.get("/confirm/go-on?next=/admin").status_code == 200
    assert admin.send(GRANT, **{"points": "1", **more}).location.startswith("/confirm?next=")
    assert admin.get("/confirm/go-on?next=/admin").location == "/admin", "nor is the one before it"
