"""An event reaches a webhook signed, is tried again for three days, and never enters a private network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from standardwebhooks.webhooks import WebhookVerificationError

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import frozen, now
from core.events.deliver import Deliverer
from core.events.event import Event
from core.events.publish import publish
from core.events.replay import replay_dead
from core.platform import Platform
from core.plugin import Plugin
from core.webhooks import address, delivery, service
from core.webhooks.errors import AddressRefused, BadAddress, UnknownEvents, WebhookSilent
from core.webhooks.models import Webhook, WebhookAttempt
from tests.core.webhooks.receiver import Receiver, receiving
from tests.core.workshop import Workshop

SYSTEM = Actor.system("test")
LOCAL = (ip_network("127.0.0.0/8"),)


class Baked(Event):
    """Bread was baked."""

    event_name = "bakery.bread.baked"
    loaves: int
    kind: str = "rye"


class Sold(Event):
    event_name = "bakery.bread.sold"
    loaves: int


BAKERY = Plugin("bakery", version="1", label="Bakery", events=[Baked, Sold])


class Desk:
    """The bakery, its webhook, and the worker that sends."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.platform = platform
        self.deliverer = Deliverer(platform.database)
        with platform.unit_of_work(SYSTEM) as session:
            made = service.create(
                session, SYSTEM, {"url": url, "events": ["bakery.bread.baked"], "description": "Shop"}
            )
            self.id, self.secret = made.id, made.secret

    def bake(self, *loaves: int) -> list[UUID]:
        with self.platform.unit_of_work(SYSTEM) as session:
            return publish(session, SYSTEM, *(Baked(loaves=one) for one in loaves))

    def send(self) -> int:
        return self.deliverer.drain()

    def at(self, moment: datetime) -> int:
        with frozen(moment):
            self.platform.registry.cache.looked_at = float("-inf")
            return self.send()

    @property
    def row(self) -> Webhook:
        with self.platform.unit_of_work() as session:
            return session.get_one(Webhook, self.id)

    def attempts(self) -> list[WebhookAttempt]:
        with self.platform.unit_of_work() as session:
            mine = WebhookAttempt.webhook_id == self.id
            return list(session.scalars(select(WebhookAttempt).where(mine).order_by(WebhookAttempt.id)))

    def deliveries(self) -> list[tuple[str, int]]:
        query = text("SELECT state, attempts FROM core_delivery WHERE subscriber = :key ORDER BY id")
        with self.platform.unit_of_work() as session:
            return [tuple(row) for row in session.execute(query, {"key": service.subscriber_of(self.id)})]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def desk(workshop: Workshop, receiver: Receiver) -> Desk:
    return Desk(workshop.boot(extra=[BAKERY], webhook_networks="127.0.0.0/8"), receiver.url)


def test_an_event_arrives_once_and_the_standards_own_library_believes_it(desk: Desk, receiver: Receiver) -> None:
    [event_id] = desk.bake(12)
    desk.send()
    told = receiver.verified(desk.secret)
    assert (told["type"], told["data"], told["id"]) == (
        "bakery.bread.baked",
        {"loaves": 12, "kind": "rye"},
        str(event_id),
    )
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    assert receiver.came[0][0]["webhook-id"] == f"msg_{event_id.hex}"
    assert desk.send() == 0
    assert len(receiver.came) == 1
    [attempt] = desk.attempts()
    assert (attempt.status, attempt.event_id, attempt.arrived) == (204, event_id, True)
    with pytest.raises(WebhookVerificationError):
        receiver.verified("whsec_" + "A" * 40)


def test_only_what_was_asked_for_is_sent(desk: Desk, receiver: Receiver) -> None:
    with desk.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Sold(loaves=1))
    desk.send()
    assert receiver.came == []
    with desk.platform.unit_of_work(SYSTEM) as session:
        service.change(session, SYSTEM, session.get_one(Webhook, desk.id), {"events": ["bakery.*"]})
    with desk.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Sold(loaves=1))
    desk.send()
    assert [json.loads(body)["type"] for _headers, body in receiver.came] == ["bakery.bread.sold"]


def test_a_failure_is_tried_again_with_the_same_id_and_body_and_a_new_signature(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [(500, {}, "no oven", 0), 200]
    desk.bake(3)
    desk.send()
    assert desk.deliveries() == [("pending", 1)]
    desk.at(now() + timedelta(seconds=6))
    assert desk.deliveries() == [("done", 2)]
    first, second = receiver.came
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert [(one.status, one.answer) for one in desk.attempts()] == [(500, "no oven"), (200, "")]
    assert desk.row.failures == 0


def test_tries_go_on_for_three_days_and_then_wait_as_a_dead_letter(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [500]
    began = now()
    desk.bake(1)
    moment = began
    while desk.deliveries()[0][0] == "pending" and moment < began + timedelta(days=4, hours=12):
        desk.at(moment)
        moment += timedelta(hours=1)
    assert desk.deliveries() == [("dead", 11)]
    assert desk.attempts()[-1].at - began > timedelta(days=3)
    receiver.answers = [200]
    with desk.platform.unit_of_work(SYSTEM) as session:
        assert replay_dead(session, SYSTEM, service.subscriber_of(desk.id)) == 1
    desk.at(moment + timedelta(hours=1))
    assert desk.deliveries()[0][0] == "done"


def test_gone_turns_it_off_and_what_waits_can_be_sent_when_it_is_on_again(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [410]
    desk.bake(1, 2)
    desk.send()
    assert desk.row.state == "gone"
    assert len(receiver.came) == 1
    assert {state for state, _tries in desk.deliveries()} == {"dead"}
    desk.bake(3)
    assert len(desk.deliveries()) == 2
    receiver.answers = [200]
    with desk.platform.unit_of_work(SYSTEM) as session:
        with pytest.raises(WebhookSilent):
            service.ping(session, SYSTEM, desk.id)
        service.set_on(session, SYSTEM, desk.id, True)
        assert replay_dead(session, SYSTEM, service.subscriber_of(desk.id)) == 2
    desk.send()
    assert [json.loads(body)["data"]["loaves"] for _headers, body in receiver.came] == [1, 1, 2]
    said = ("core.webhook.stopped", "core.webhook.enabled")
    with desk.platform.unit_of_work() as session:
        assert session.scalars(select(AuditRow.action).where(AuditRow.action.in_(said))).all() == list(said)


def test_a_webhook_that_fails_in_a_row_rests_and_costs_the_others_nothing(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [503]
    desk.bake(*range(20))
    desk.send()
    assert len(receiver.came) == delivery.BREAKER
    assert [state for state, _tries in desk.deliveries()] == ["pending"] * 20
    until = desk.row.rests_until
    assert until is not None
    receiver.answers = [200]
    desk.at(until + timedelta(minutes=10))
    assert {state for state, _tries in desk.deliveries()} == {"done"}
    assert (desk.row.failures, desk.row.rests_until) == (0, None)


def test_too_many_requests_is_taken_at_its_word(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "120"}, "", 0), 200]
    began = now()
    desk.bake(1)
    desk.send()
    desk.at(began + timedelta(seconds=100))
    assert len(receiver.came) == 1
    desk.at(began + timedelta(seconds=130))
    assert len(receiver.came) == 2


def test_no_redirect_is_followed(desk: Desk, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.answers = [(307, {"Location": elsewhere.url}, "", 0)]
        desk.bake(1)
        desk.send()
        assert elsewhere.came == []
    assert desk.attempts()[0].status == 307
    assert desk.deliveries() == [("pending", 1)]


def test_an_answer_is_read_so_far_and_kept_as_text(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [(200, {}, "\x00<script>" + "x" * 100_000, 0)]
    desk.bake(1)
    desk.send()
    [attempt] = desk.attempts()
    assert attempt.answer.startswith("<script>x")
    assert len(attempt.answer) < 5000


def test_for_a_day_both_secrets_hold(desk: Desk, receiver: Receiver) -> None:
    with desk.platform.unit_of_work(SYSTEM) as session:
        fresh = service.rotate(session, SYSTEM, desk.id)
    desk.bake(1)
    desk.send()
    assert receiver.verified(desk.secret) == receiver.verified(fresh)
    with frozen(now() + timedelta(hours=25)):
        desk.bake(2)
        desk.send()
        headers, _body = receiver.came[-1]
    assert " " not in headers["webhook-signature"]


def test_a_test_goes_to_one_webhook_alone(desk: Desk, receiver: Receiver) -> None:
    with receiving() as other, desk.platform.unit_of_work(SYSTEM) as session:
        service.create(session, SYSTEM, {"url": other.url, "events": ["*"]})
        service.ping(session, SYSTEM, desk.id)
        session.commit()
        desk.send()
        assert other.came == []
    assert receiver.verified(desk.secret)["type"] == "core.webhook.pinged"


def test_a_webhook_that_is_deleted_leaves_nothing_behind(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [500]
    desk.bake(1)
    desk.send()
    with desk.platform.unit_of_work(SYSTEM) as session:
        service.delete(session, SYSTEM, session.get_one(Webhook, desk.id))
    assert (desk.deliveries(), desk.attempts()) == ([], [])
    desk.bake(2)
    assert desk.send() == 0


def test_an_unknown_event_is_named(desk: Desk) -> None:
    for wrong in (["bakery.bread.burnt"], [], "bakery.*", [7], ["core.webhook.pinged"]):
        with desk.platform.unit_of_work(SYSTEM) as session, pytest.raises(UnknownEvents):
            service.create(session, SYSTEM, {"url": "https://example.org/", "events": wrong})


def test_old_attempts_are_swept(desk: Desk, receiver: Receiver) -> None:
    desk.bake(1)
    desk.send()
    with frozen(now() + timedelta(days=400)):
        assert delivery.sweep(_context(desk.platform)) == {"attempts": 1}
    assert desk.attempts() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "https://", "https://user:pw@example.org/", "https://example.org/#part", "ftp://example.org",
        "https://exa mple.org/", "https://example.org:0/", "https://example.org:99999/", "javascript:alert(1)", "",
        "https://example.org/\r\nHost: inside", "https://" + "a" * 600 + ".org/",
    ],
)  # fmt: skip
def test_an_address_that_is_no_public_https_one_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        address.parsed(url, ())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.8", "172.16.3.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.64.0.1",
        "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]",
        "192.0.0.192", "[fec0::1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b:1::7f00:1]", "[5f00::1]",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(AddressRefused):
        address.parsed(f"https://{host}/", ())


def test_a_name_that_leads_inside_is_refused_when_it_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*addresses: str) -> Any:
        return lambda *_a, **_k: [(2, 1, 6, "", (one, 443)) for one in addresses]

    target = address.parsed("https://rebound.example/", ())
    for inside in (["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:10.0.0.1"]):
        monkeypatch.setattr(address.socket, "getaddrinfo", answers(*inside))
        with pytest.raises(AddressRefused):
            address.looked_up(target, ())
    monkeypatch.setattr(address.socket, "getaddrinfo", answers("93.184.215.14"))
    assert address.looked_up(target, ()) == "93.184.215.14"


def test_plain_http_goes_to_allowed_networks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    target = address.parsed("http://somewhere.example/", LOCAL)
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", ("93.184.215.14", 80))])
    with pytest.raises(AddressRefused):
        address.looked_up(target, LOCAL)


def _context(platform: Platform) -> Any:
    class Context:
        unit_of_work = staticmethod(lambda: platform.unit_of_work(SYSTEM))

        @staticmethod
        def progress(*_: Any) -> None:
            pass

    return Context()
