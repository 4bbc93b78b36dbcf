"""Each switch stops what it says at once, tells clients when to come back, and loses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from core.actor import Actor
from core.clock import frozen, now
from core.errors import NotFound, PermissionMissing
from core.events.deliver import Deliverer
from core.events.models import Delivery
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.loader import load
from core.members import accounts, sessions
from core.members.models import Member
from core.platform import Platform
from core.plugin import Plugin
from core.reviews.models import Review
from core.switches import commands, service
from core.switches.service import SwitchedOff, SwitchUnusable, pulled
from core.switches.switch import Switch
from guildhall import new_id
from plugins.wallet import service as wallet
from tests.conftest import test_config
from tests.core.doors import Person

SYSTEM = Actor.system("test")


@pytest.fixture
def pull(site: Platform) -> Iterator[Callable[..., None]]:
    """Pulls a switch, seen at once; every switch is on again after the test."""

    def off(name: str, **about: Any) -> None:
        with site.unit_of_work(SYSTEM) as session:
            service.pull(session, SYSTEM, name, **{"reason": "A test", **about})
        site.registry.cache.looked_at = float("-inf")

    yield off
    with site.unit_of_work() as session:
        session.execute(text("DELETE FROM core_switch"))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    site.registry.cache.looked_at = float("-inf")


def restore(site: Platform, name: str) -> None:
    with site.unit_of_work(SYSTEM) as session:
        assert service.restore(session, SYSTEM, name)
    site.registry.cache.looked_at = float("-inf")


def refused(answer: Any, name: str) -> None:
    assert answer.status_code == 503 and answer.json["error"]["code"] == "SWITCHED_OFF"
    assert answer.json["error"]["details"] == {"switch": name}
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def test_registration(site: Platform, pull: Callable[..., None]) -> None:
    pull("core.registration")
    with site.unit_of_work() as session, pytest.raises(SwitchedOff):
        accounts.sign_up(session, SYSTEM, email="new@example.org", display_name="New")


def test_sign_in_but_for_admins(site: Platform, people: Callable[..., Person], pull: Callable[..., None]) -> None:
    member, admin = people("User"), people("Admin")
    pull("core.sign_in")
    assert member.get("/api/v1/core/me").status_code == 200  # who is signed in stays so
    with site.unit_of_work() as session:
        about = {"kind": "token", "ip": None, "device": None}
        with pytest.raises(SwitchedOff):
            sessions.start(session, session.get_one(Member, member.member.id), **about)  # type: ignore[union-attr]
        assert sessions.start(session, session.get_one(Member, admin.member.id), **about)  # type: ignore[union-attr]


def test_changes_through_the_api(site: Platform, people: Callable[..., Person], pull: Callable[..., None]) -> None:
    member = people("User")
    pull("core.rest_writes")
    refused(member.patch("/api/v1/core/me", {"display_name": "Zoë"}), "core.rest_writes")
    assert member.get("/api/v1/core/me").json["data"]["display_name"] == "Amina"
    assert member.post("/api/v1/core/auth/logout").status_code < 400
    restore(site, "core.rest_writes")
    assert people("User").patch("/api/v1/core/me", {"display_name": "Zoë"}).status_code == 200


def test_uploads(people: Callable[..., Person], pull: Callable[..., None]) -> None:
    member = people("User")

    def send() -> Any:
        form = {"file": (BytesIO(b"a note that is long enough"), "note.txt")}
        query = {"purpose": "core.attachment"}
        return member.post("/api/v1/core/files", data=form, query_string=query, content_type="multipart/form-data")

    kept = send()
    assert kept.status_code == 201
    pull("core.uploads")
    refused(send(), "core.uploads")
    assert member.get(f"/api/v1/core/files/{kept.json['data']['id']}").status_code == 200


def test_transfers(site: Platform, people: Callable[..., Person], pull: Callable[..., None]) -> None:
    member = people("User")
    body = {"to_member": str(new_id()), "amount": {"amount": "1", "asset": "POINTS"}}
    key = {"Idempotency-Key": str(new_id())}
    pull("wallet.transfers")
    refused(member.post("/api/v1/wallet/transfer", body, headers=key), "wallet.transfers")
    restore(site, "wallet.transfers")
    assert member.post("/api/v1/wallet/transfer", body, headers=key).status_code not in (200, 503)  # not kept


@pytest.mark.parametrize("name", ["contributions.webhooks", "contributions.intake"])
def test_what_comes_in(people: Callable[..., Person], pull: Callable[..., None], name: str) -> None:
    pull(name)
    path = "webhooks/none" if name.endswith("webhooks") else "contributions"
    refused(people("Admin").post(f"/api/v1/contributions/{path}", {}), name)


def test_mail_waits_and_goes_out_later(
    site: Platform, pull: Callable[..., None], people: Callable[..., Person]
) -> None:
    person = people("User")
    pull("notifications.mail")
    with site.unit_of_work(SYSTEM) as session:
        accounts.send_way_in(session, SYSTEM, person.member.id)  # type: ignore[union-attr]
    deliverer = Deliverer(site.database)

    def states() -> set[str]:
        with site.unit_of_work() as session:
            mine = select(Delivery.state).where(Delivery.subscriber.like("notifications.send_%"))
            return set(session.scalars(mine.order_by(Delivery.id.desc()).limit(1)))

    deliverer.drain()
    assert states() == {"pending"}
    restore(site, "notifications.mail")
    deliverer.drain()
    assert states() == {"done"}


def test_rewards_wait_and_are_paid_later(
    site: Platform, pull: Callable[..., None], people: Callable[..., Person]
) -> None:
    person = people("User")
    pull("wallet.rewards")
    reference = f"test:{new_id()}"
    reward = wallet.RewardRequest(
        reward_id=new_id(),
        member_id=person.member.id,  # type: ignore[union-attr]
        amount=5,
        asset="POINTS",
        reason="test",
        reference=reference,
        contribution_id=None,
        correlation_id=new_id(),
    )
    with site.unit_of_work(SYSTEM) as session:
        wallet.fund_rewards(session, SYSTEM, asset="POINTS", amount=100, reason="test", reference=str(new_id()))
        wallet.request_rewards(session, SYSTEM, [reward])

    def paid() -> str:
        with site.unit_of_work() as session:
            query = text("SELECT state FROM wallet_reward WHERE reference = :reference")
            return str(session.scalar(query, {"reference": reference}))

    with site.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, "wallet.pay_pending")
    while run_next(site.database):
        pass
    assert paid() == "pending"
    restore(site, "wallet.rewards")
    while run_next(site.database):
        pass
    assert paid() == "paid"


def test_every_switch_there_is_has_its_test(site: Platform) -> None:
    tested = {
        "core.registration",
        "core.sign_in",
        "core.rest_writes",
        "core.uploads",
        "core.automations",
        "wallet.rewards",
        "wallet.transfers",
        "contributions.webhooks",
        "contributions.intake",
        "notifications.mail",
    }
    assert {name for name in site.registry.switches if not name.startswith("library.")} == tested


def test_it_is_pulled_and_restored_on_the_page_and_shown_on_every_other(
    site: Platform, people: Callable[..., Person], pull: Callable[..., None]
) -> None:
    admin, moderator = people("Admin", browser=True), people("Moderator", browser=True)
    form = {"reason": "Spam <b>wave</b>", "lasts": "60"}
    assert admin.send("/admin/switches/core.uploads/off", **form).status_code == 303
    for person in (admin, moderator):
        assert "Uploads: switched off. Spam &lt;b&gt;wave&lt;/b&gt;" in person.get("/admin/reviews").text
    assert "switched off" not in people("User", browser=True).get("/profile").text
    assert moderator.send("/admin/switches/core.uploads/on").status_code == 403
    with site.unit_of_work() as session:
        [found] = pulled(session).values()
        assert found.until is not None and timedelta(minutes=58) < found.until - now() <= timedelta(minutes=60)
    assert admin.send("/admin/switches/core.uploads/on").status_code == 303
    assert "switched off." not in admin.get("/admin/reviews").text
    acts = admin.get("/admin/audit?q=uploads").text
    assert "core.switch.pulled" in admin.get("/admin/audit").text or "core.switch.pulled" in acts


def test_a_reason_is_needed_and_an_end_lies_ahead(site: Platform) -> None:
    with site.unit_of_work(SYSTEM) as session:
        for wrong in ({"reason": " "}, {"reason": "x" * 501}, {"reason": "x", "until": now()}):
            with pytest.raises(SwitchUnusable):
                service.pull(session, SYSTEM, "core.uploads", **wrong)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            service.pull(session, SYSTEM, "core.gravity", reason="x")
        with pytest.raises(PermissionMissing):
            service.pull(session, Actor(kind="member", name="Amina"), "core.uploads", reason="x")


def test_it_is_on_again_by_itself_when_its_time_has_come(site: Platform, pull: Callable[..., None]) -> None:
    pull("core.uploads", until=now() + timedelta(minutes=5))
    with site.unit_of_work() as session:
        assert "core.uploads" in pulled(session)
        with frozen(now() + timedelta(minutes=5)):
            assert pulled(session) == {}


def test_another_process_sees_it_within_a_second(site: Platform, pull: Callable[..., None]) -> None:
    other = Platform(test_config(), site.database.url, None)
    with other.unit_of_work() as session:
        assert pulled(session) == {}
    pull("core.uploads")
    other.registry.cache.looked_at -= 1.0  # a second later
    with other.unit_of_work() as session:
        assert set(pulled(session)) == {"core.uploads"}
    other.database.dispose()


def test_the_command_line_pulls_and_restores(site: Platform, pull: Callable[..., None]) -> None:
    def call(*words: str) -> str:
        site.registry.cache.looked_at = float("-inf")
        return CliRunner().invoke(commands.switch, words, obj=site).output

    assert "core.uploads is off." in call("off", "core.uploads", "--reason", "Spam", "--minutes", "5")
    assert re.search(r"core\.uploads\s+│ off", call("list"))
    assert "core.uploads is on again." in call("on", "core.uploads")
    assert "core.uploads was on." in call("on", "core.uploads")
    assert "Error" in call("off", "core.gravity", "--reason", "x")


def test_a_switch_that_stops_what_is_not_there_is_refused_at_the_start() -> None:
    from core.manifest import core

    bad = Plugin("odd", version="1", label="", switches=[Switch(name="x", label="", help="", jobs=("odd.nothing",))])
    _registry, found = load(test_config(safe_mode=True), core, [bad])
    assert "stops odd.nothing, which the plugin does not have" in found[0].reason


def test_forms_that_move_value_stop_too(
    site: Platform, people: Callable[..., Person], pull: Callable[..., None]
) -> None:
    admin, second = people("Admin", browser=True), people("Admin", browser=True)
    with site.unit_of_work(SYSTEM) as session:
        account = wallet.open_account(session, asset="POINTS", member_id=people("User").member.id)  # type: ignore[union-attr]
    page = f"/admin/wallet/accounts/{account}"
    form, stood = {"amount": "5", "reason": "A gift"}, {"Referer": f"http://localhost{page}"}
    assert admin.send(f"{page}/adjust", **form).location == page
    with site.unit_of_work() as session:
        case = session.scalar(select(Review.id).where(Review.kind == "wallet.adjustment").order_by(Review.id.desc()))
        before = session.scalar(text("SELECT count(*) FROM wallet_transfer"))
    pull("wallet.transfers")
    told = "This is switched off at the moment"
    for path in (f"{page}/adjust", "/admin/wallet/fund"):
        answer = admin.post(path, data={"csrf_token": admin.csrf, **form}, headers=stood)
        assert (answer.status_code, answer.location) == (303, page) and told in admin.get(page).text
    second.send(f"/admin/reviews/{case}/decide", decision="approve")
    assert told in second.get("/admin/reviews").text
    with site.unit_of_work() as session:
        assert session.get_one(Review, case).state == "open"
        assert session.scalar(text("SELECT count(*) FROM wallet_transfer")) == before
    restore(site, "wallet.transfers")
    second.send(f"/admin/reviews/{case}/decide", decision="approve")
    with site.unit_of_work() as session:
        assert session.get_one(Review, case).state == "approved"
        assert session.scalar(text("SELECT count(*) FROM wallet_transfer")) == before + 1
