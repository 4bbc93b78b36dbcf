"""An admin makes a webhook, sees its secret once, and everything that is done to it stands in the trail."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import now
from core.events.models import Delivery
from core.ids import new_id
from core.platform import Platform
from core.webhooks import service
from core.webhooks.models import Webhook, WebhookAttempt
from tests.core.doors import Person

NEW = "/admin/webhooks/new"
GIVEN = {"url": "https://hooks.example.org/guildhall", "description": "Shop", "events": ["core.member.registered"]}


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


@pytest.fixture
def made(site: Platform) -> UUID:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        return service.create(session, actor, GIVEN).id


def row(site: Platform, key: UUID) -> Webhook | None:
    with site.unit_of_work() as session:
        return session.get(Webhook, key)


def acts(site: Platform, key: UUID) -> list[str]:
    with site.unit_of_work() as session:
        return list(
            session.scalars(select(AuditRow.action).where(AuditRow.subject_id == str(key)).order_by(AuditRow.id))
        )


def test_its_secret_is_shown_once_and_stands_nowhere_else(site: Platform, admin: Person) -> None:
    page = admin.send(NEW, **GIVEN)
    assert page.status_code == 200
    [secret] = set(re.findall(r"whsec_[A-Za-z0-9+/=]{40,}", page.text))
    [key] = set(re.findall(r"/admin/webhooks/([0-9a-f-]{36})", page.text))
    kept = row(site, UUID(key))
    assert kept and kept.secret == secret
    assert "whsec_" not in admin.get(f"/admin/webhooks/{key}").text
    assert acts(site, UUID(key)) == ["core.webhook.created"]
    with site.unit_of_work() as session:
        told = session.scalars(select(AuditRow.changes).where(AuditRow.subject_id == key)).one()
    assert secret not in str(told)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://example.org/"}, "complete https:// address"),
        ({"url": "https://127.0.0.1/"}, "not an address on the public internet"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["no.such.event"]}, "no event is called no.such.event"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_keeps_the_rest(
    admin: Person, wrong: dict[str, object], said: str
) -> None:
    page = admin.send(NEW, **{**GIVEN, **wrong})
    assert page.status_code == 422
    assert said in page.text
    assert 'value="Shop"' in page.text


def test_it_is_changed_tested_turned_off_and_on_and_deleted(site: Platform, admin: Person, made: UUID) -> None:
    here = f"/admin/webhooks/{made}"
    assert admin.get(f"{here}/edit").status_code == 200
    assert admin.send(f"{here}/edit", **{**GIVEN, "description": "Till", "events": ["core.*"]}).status_code == 303
    assert admin.send(f"{here}/ping").status_code == 303
    assert re.search(r"whsec_[A-Za-z0-9+/=]{40,}", admin.send(f"{here}/rotate").text)
    assert admin.send(f"{here}/switch", on="no").status_code == 303
    off = admin.get(here).text
    assert "Turn on" in off and "Send a test" not in off  # where it is off, a test cannot be sent
    assert admin.send(f"{here}/switch", on="yes").status_code == 303
    assert admin.send(f"{here}/delete").status_code == 303
    assert row(site, made) is None
    assert admin.get(here).status_code == 404
    done = ["created", "updated", "rotated", "disabled", "enabled", "deleted"]
    assert [one for one in done if f"core.webhook.{one}" in acts(site, made)] == done


def test_attempts_are_shown_as_text_and_can_be_sent_again(site: Platform, admin: Person, made: UUID) -> None:
    with site.unit_of_work() as session:
        event_id = service.ping(session, Actor.system("test"), made)
        delivery = session.scalars(select(Delivery).where(Delivery.event_id == event_id)).one()
        delivery.state, delivery.failed_at = "dead", now()
        for status, answer in ((None, ""), (500, "<script>alert(1)</script>"), (204, "")):
            told = {"event_name": "core.webhook.pinged", "at": now(), "took_ms": 7, "status": status, "answer": answer}
            session.add(WebhookAttempt(id=new_id(), webhook_id=made, event_id=event_id, **told))
    here = f"/admin/webhooks/{made}"
    page = admin.get(here).text
    assert "<script>alert(1)" not in page and "No answer" in page and "204" in page
    failed = admin.get(f"{here}?show=failed").text
    assert "500" in failed and "204" not in re.findall(r"gh-state[^>]*>.*?</span>", failed)
    assert admin.send(f"{here}/replay", event_id=str(event_id)).status_code == 303
    with site.unit_of_work() as session:
        assert session.scalars(select(Delivery.state).where(Delivery.event_id == event_id)).one() == "pending"
    assert admin.send(f"{here}/replay").headers["Location"].endswith("/admin/jobs")


def test_no_way_around_the_pages_makes_changes_or_ends_one(
    people: Callable[..., Person], admin: Person, made: UUID
) -> None:
    client = people("Admin")
    listed = client.get("/api/v1/core/webhooks").json["data"]
    assert [set(one) & {"secret", "former_secret"} for one in listed if one["id"] == str(made)] == [set()]
    assert client.post("/api/v1/core/webhooks", GIVEN).status_code == 405
    assert client.delete(f"/api/v1/core/webhooks/{made}").status_code == 405
    assert admin.get("/admin/core/webhook/add").status_code == 404
    assert admin.get(f"/admin/core/webhook/edit/{made}").status_code == 404
    moderator = people("Moderator", browser=True)
    for path in (NEW, f"/admin/webhooks/{made}"):
        assert moderator.get(path).status_code == 403
    assert moderator.send(f"/admin/webhooks/{made}/delete").status_code == 403
