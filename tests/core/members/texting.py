"""A site with two plugins that send text messages, and what its members do there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text

from core.actor import Actor
from core.events.deliver import Deliverer
from core.ids import new_id
from core.members import service
from core.members.models import Member
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.conftest import Cluster, test_config
from tests.core.doors import Person
from tests.doubles import sms

SYSTEM = Actor.system("test")
PASSWORD = "correct horse battery"
AUTH, ME = "/api/v1/core/auth", "/api/v1/core/me"
NUMBER, OTHER = "+33612345678", "+33698765432"


class Town:
    """One installation whose plugins ``first`` and ``second`` send text messages; ``first`` is asked first."""

    def __init__(self, platform: Platform, web: Flask, first: sms.Provider, second: sms.Provider) -> None:
        self.platform, self.web, self.first, self.backup = platform, web, first, second

    def deliver(self) -> None:
        Deliverer(self.platform.database).drain()

    def forgive(self) -> None:
        """Forget who tried too often."""
        with self.platform.unit_of_work() as session:
            session.execute(text("TRUNCATE core_failed_attempt"))

    def set(self, **values: Any) -> None:
        with self.platform.unit_of_work(SYSTEM) as session:
            write(session, SYSTEM, PlatformSettings, values)
        self.platform.registry.cache.looked_at = float("-inf")

    def member(self, *roles: str) -> Member:
        with self.platform.unit_of_work(SYSTEM) as session:
            email = f"{new_id()}@example.org"
            made = service.register(
                session, SYSTEM, email=email, password=PASSWORD, display_name="Ben", roles=roles or ("User",)
            )
            service.mark_verified(session, SYSTEM, made)
            return made

    def person(self, *roles: str) -> Person:
        """Somebody who has just signed in as a client."""
        member = self.member(*roles)
        pair = self.log_in(member).json["data"]
        return Person(self.web, member, pair["access_token"])

    def browser(self, member: Member) -> Person:
        browser = Person(self.web, member)
        browser.member = None
        browser.send("/login", email=member.email, password=PASSWORD)
        browser.member, browser._csrf = member, ""
        return browser

    def log_in(self, member: Member) -> Any:
        return Person(self.web).post(f"{AUTH}/login", {"email": member.email, "password": PASSWORD})

    def text(self) -> str:
        """The digits of the text message that has just come."""
        before = len(self.first.sent)
        self.deliver()
        assert len(self.first.sent) == before + 1
        return self.first.code

    def mailed(self, code_id: Any) -> str:
        """The digits of the mail; none is sent here."""
        from core.members.one_time import one_time_code

        with self.platform.unit_of_work() as session:
            return one_time_code(session, UUID(str(code_id)))

    def confirm(self, person: Person, number: str = NUMBER) -> None:
        code_id = said(person.post(f"{ME}/phone", {"number": number}))["code_id"]
        said(person.post(f"{ME}/phone/verify", {"code_id": code_id, "code": self.text()}))

    def turn_on(self, person: Person, method: str) -> list[str]:
        """Make codes that are sent a second factor; returns the recovery codes."""
        code_id = said(person.post(f"{ME}/two-factor/{method}/code"))["code_id"]
        code = self.text() if method == "sms" else self.mailed(code_id)
        body = {"code_id": code_id, "code": code}
        return list(said(person.post(f"{ME}/two-factor/{method}/enable", body))["recovery_codes"])

    def challenge(self, member: Member) -> dict[str, Any]:
        return dict(said(self.log_in(member)))

    def second(self, token: str, code: str, code_id: Any = None) -> Any:
        body = {"challenge_token": token, "code": code, **({"code_id": str(code_id)} if code_id else {})}
        return Person(self.web).post(f"{AUTH}/login/second-factor", body)

    def send_second(self, token: str, method: str) -> Any:
        return Person(self.web).post(f"{AUTH}/login/second-factor/code", {"challenge_token": token, "method": method})


def said(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json["data"])


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


@pytest.fixture(scope="module")
def built(cluster: Cluster) -> Iterator[Town]:
    from app import create_app

    with sms.provider() as first, sms.provider() as second:
        plugins = [sms.texts("texts_first", lambda: first.url), sms.texts("texts_second", lambda: second.url)]
        config = test_config(smtp_url="smtp://127.0.0.1:9")
        platform = Platform(config, cluster.fresh("texting"), cluster.redis_url, plugins)
        yield Town(platform, create_app(platform), first, second)
        platform.database.dispose()


@pytest.fixture
def town(built: Town) -> Iterator[Town]:
    for provider in (built.first, built.backup):
        provider.__init__(url=provider.url)  # type: ignore[misc]
    yield built
    with built.platform.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt, core_one_time_code, core_phone CASCADE"))
        session.execute(text("TRUNCATE core_event, core_delivery"))
        session.execute(text("DELETE FROM core_setting WHERE plugin = 'core' OR plugin LIKE 'texts%'"))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    built.platform.registry.cache.looked_at = float("-inf")
