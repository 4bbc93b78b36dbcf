"""A plugin whose handlers keep failing is taken out of service, with its reason, until an admin lets it back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import lifecycle, settings
from core.actor import Actor
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.loader import state_of
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.plugin import Plugin

SYSTEM = Actor.system("test")
SECRET = "what somebody wrote"


class Told(Event):
    event_name = "alpha.story.told"
    number: int


trouble: list[Exception] = []


def fail(session: Session, actor: Actor, event: StoredEvent) -> None:
    if trouble:
        raise trouble[0]


def call(unit_of_work: Any, actor: Actor, event: StoredEvent) -> None:
    raise ConnectionError("the mail server is away")


ALPHA = Plugin(
    "alpha",
    version="1",
    label="",
    events=[Told],
    subscribers=[Subscriber(event=Told, handler=fail), Subscriber(event=Told, handler=call, kind="external")],
)


@pytest.fixture
def alpha(shop: Any) -> Platform:
    platform: Platform = shop.open(ALPHA)
    platform.upgrade()
    shop.clear(platform)
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE core_plugin SET quarantined = '', traceback = ''"))
        settings.write(session, SYSTEM, PlatformSettings, {"quarantine_after": 3, "quarantine_minutes": 10})
    trouble[:] = [RuntimeError(SECRET)]
    return platform


def tell(platform: Platform, count: int) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, *(Told(number=number) for number in range(count)))
    Deliverer(platform.database).drain()


def state(platform: Platform) -> tuple[str, str]:
    [one] = [one for one in platform.found if one.name == "alpha"]
    with platform.unit_of_work() as session:
        found, reason = state_of(session, one)
        return str(found), str(reason)


def rows(platform: Platform, query: str) -> list[tuple[Any, ...]]:
    with platform.unit_of_work() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_a_plugin_that_keeps_failing_is_quarantined_and_its_deliveries_wait(alpha: Platform) -> None:
    tell(alpha, 2)
    assert state(alpha)[0] == "enabled"
    tell(alpha, 3)
    found, reason = state(alpha)
    assert found == "quarantined" and "3 deliveries failed within 10 minutes, the last in alpha.fail" in reason
    [(traceback,)] = rows(alpha, "SELECT traceback FROM core_plugin WHERE name = 'alpha'")
    assert "in fail" in traceback and SECRET not in traceback + reason
    published = "SELECT payload->>'subscriber' FROM core_event WHERE name = 'core.plugin.quarantined'"
    assert rows(alpha, published) == [("alpha.fail",)], "once"
    untouched = "SELECT count(*) FROM core_delivery WHERE subscriber = 'alpha.fail' AND attempts = 0"
    assert rows(alpha, untouched) == [(2,)]


def test_an_admin_lets_it_back_and_what_waited_is_delivered(alpha: Platform) -> None:
    tell(alpha, 5)
    assert state(alpha)[0] == "quarantined"
    trouble.clear()
    with alpha.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, "alpha", True)
        session.execute(text("UPDATE core_delivery SET due_at = now()"))
    assert state(alpha) == ("enabled", "")
    Deliverer(alpha.database).drain()
    assert rows(alpha, "SELECT count(*) FROM core_delivery WHERE subscriber = 'alpha.fail' AND state = 'done'") == [
        (5,)
    ]


def test_a_start_does_not_end_it(alpha: Platform, shop: Any) -> None:
    tell(alpha, 5)
    again = shop.open(ALPHA)
    again.upgrade()
    assert state(again)[0] == "quarantined"


def test_what_is_outside_and_the_database_itself_are_no_cause(alpha: Platform) -> None:
    trouble[:] = [OperationalError("SELECT 1", {}, Exception("the server is gone"))]
    tell(alpha, 6)
    assert rows(alpha, "SELECT count(*) FROM core_delivery WHERE attempts = 1") == [(12,)]
    assert state(alpha)[0] == "enabled"


def test_zero_never_quarantines(alpha: Platform) -> None:
    with alpha.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, PlatformSettings, {"quarantine_after": 0})
    tell(alpha, 6)
    assert state(alpha)[0] == "enabled"
