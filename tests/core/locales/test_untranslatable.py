"""Every visible text of every page can be translated.

The pages are read in a made-up language whose catalogue puts each message in brackets. What stands outside of
brackets then must be data (it is in the database), an identifier, a number or one of a few names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
import sqlalchemy as sa
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask

from app import create_app
from core.actor import Actor
from core.admin.locale import own_name
from core.catalogues import Found, Owner
from core.db.base import metadata
from core.events.deliver import Deliverer
from core.members import service, sessions
from core.platform import Platform
from guildhall import Member
from plugins.contributions import Contribution
from plugins.contributions import service as contributions
from plugins.notifications import notify
from tests.conftest import Cluster, test_config

Collected = tuple[list[Owner], dict[str, Found]]
PSEUDO = "en_ZW"  # a real locale, so that dates and numbers can be written, and nobody's catalogue
SILENT = {"script", "style", "code", "pre", "kbd", "time", "svg", "textarea"}
SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-label", "data-confirm")
BRACKETS = re.compile(r"⟦[^⟦⟧]*⟧")
# Names of things that are called so in every language, and two kinds of conditions as criteria write them.
NAMES = {
    "manual",
    "level",
    "Guildhall",
    "UTC",
    "JSON",
    "REST",
    "API",
    "GraphQL",
    "XP",
    "POINTS",
    "USD",
    "USDT",
    "Admin",
    "User",
    "Moderator",
    "Service",
}
IDENTIFIER = re.compile(
    r"([A-Z2-7]{4} ){3,}[A-Z2-7]{4}|[\w.-]*[_./:@][\w./:@*-]*|[0-9a-f-]{8,}|[0-9a-f]{6}|[a-z]+(-[a-z]+)*-\d+"
    r"|v?\d[\w.,%+-]*"
)
DATE = re.compile(r"(\d{1,2} )?[A-Z][a-z]+ \d{4}(, \d{1,2}:\d{2}:\d{2}(.[ap]m)?)?( UTC)?")


class Reader(HTMLParser):
    """The texts of a page that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in SILENT or (given.get("lang") == "en" and tag != "html"):  # documentation of the code is English
            self._silent.append(tag)
        self.texts += [str(given[name]) for name in given if name in SPOKEN or name.startswith("data-say")]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.texts.append(" ".join(data.split()))


def bare(text: str, data: set[str]) -> str:
    """What of ``text`` is neither translated nor data."""
    text = " · ".join(part for part in text.split(" · ") if part not in data)
    while BRACKETS.search(text):
        text = BRACKETS.sub(" ", text)
    text = IDENTIFIER.sub(" ", DATE.sub(" ", " ".join(text.split())))
    for part in re.split(r"\s*[·,:…–|/()?→]\s*", text):
        words = [word for word in re.findall(r"[^\W\d_]+", part) if word not in NAMES]
        if words and " ".join(part.split()) not in data and len(max(words, key=len)) > 2:
            return text
    return ""


@pytest.fixture(scope="module")
def hall(cluster: Cluster, collected: Collected, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that knows one more language, with a little of everything to show."""
    platform = Platform(test_config(), cluster.fresh("pseudo"), None)
    folder = tmp_path_factory.mktemp("pseudo")
    _write_catalogue(folder, collected[1])
    platform.catalogues.folders.append(folder)
    platform.upgrade()
    _fill(platform)
    yield platform
    platform.database.dispose()


def _write_catalogue(folder: Path, found: dict[str, Found]) -> None:
    made = Catalog(locale=PSEUDO)
    for one in found.values():
        for message in one.messages:
            text = tuple(f"⟦{part}⟧" for part in message) if isinstance(message, tuple) else f"⟦{message}⟧"
            made.add(message, text)
    path = folder / PSEUDO / "LC_MESSAGES"
    path.mkdir(parents=True)
    with (path / "messages.mo").open("wb") as out:
        write_mo(out, made)


def _fill(platform: Platform) -> None:
    actor = Actor.system("test")
    with platform.unit_of_work(actor) as session:
        member = service.register(
            session, actor, email="zuzanna@example.org", password=None, display_name="Zuzanna", roles=("Admin", "User")
        )
        for number in range(2):
            contributions.record(session, actor, member_id=member.id, type="git.commit", event_key=f"k{number}")
        notify(session, actor, member_id=member.id, kind="suggestion_thanks", reference="r")
    Deliverer(platform.database).drain()


@pytest.fixture(scope="module")
def browser(hall: Platform) -> Any:
    web: Flask = create_app(hall)
    client = web.test_client()
    with hall.unit_of_work(Actor.system("test")) as session:
        member = session.scalars(sa.select(Member).where(Member.email == "zuzanna@example.org")).one()
        member.locale = PSEUDO
        session.flush()
        _row, token = sessions.start(session, member, kind="cookie", ip=None, device=None)
    with client.session_transaction() as cookie:
        cookie["sid"] = token
    return web, client


def _addresses(hall: Platform, web: Flask) -> Iterator[str]:
    """Every page that is opened with GET, records by an example of each."""
    with hall.unit_of_work() as session:
        member = session.scalars(sa.select(Member.id).where(Member.email == "zuzanna@example.org")).one()
        given = {"member_id": member, "contribution_id": session.scalar(sa.select(Contribution.id)), "plugin": "wallet"}
        for rule in web.url_map.iter_rules():
            path = rule.rule
            if "GET" not in (rule.methods or ()) or path.startswith(
                ("/api", "/static", "/health", "/metrics", "/.well")
            ):
                continue
            if rule.arguments == {"pk"}:
                bound = getattr(web.view_functions[rule.endpoint], "__self__", None)
                bound = getattr(bound, "bound", None) or _bound_of(hall, rule.endpoint)
                record = bound and session.scalar(sa.select(getattr(bound.resource.model, bound.resource.key)).limit(1))
                if record is not None:
                    yield path.replace("<pk>", str(record))
            elif rule.arguments <= given.keys():
                with web.test_request_context():
                    yield web.url_map.bind("").build(rule.endpoint, {name: given[name] for name in rule.arguments})


def _bound_of(hall: Platform, endpoint: str) -> Any:
    from core.fab.views import class_name

    view = endpoint.split(".")[0]
    return next((bound for bound in hall.registry.resources.values() if class_name(bound) == view), None)


def _data(hall: Platform) -> set[str]:
    """Every text that any row holds."""
    found: set[str] = set()

    def take(value: Any) -> None:
        if isinstance(value, str):
            found.add(" ".join(value.split()))
        elif isinstance(value, dict):
            for item in value.values():
                take(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                take(item)

    with hall.unit_of_work() as session:
        for table in metadata.sorted_tables:
            if sa.inspect(session.connection()).has_table(table.name):
                for row in session.execute(sa.select(table).limit(500)):
                    for value in row:
                        take(value)
    return found


def test_every_visible_text_can_be_translated(hall: Platform, browser: Any) -> None:
    web, client = browser
    addresses = sorted(set(_addresses(hall, web)))
    assert len(addresses) > 30
    pages = {address: client.get(address) for address in addresses}
    data = _data(hall) | {own_name(code) for code in hall.catalogues.languages} | available_timezones()
    left: dict[str, str] = {}
    for address, page in pages.items():
        if page.mimetype != "text/html" or page.status_code >= 300:
            continue
        reader = Reader()
        reader.feed(page.text)
        for text in reader.texts:
            if bare(text, data):
                left.setdefault(text, address)
    assert not left, "\n".join(f"{address}: {text}" for text, address in left.items())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("⟦Save⟧", False),
        ("⟦Members⟧ · Guildhall", False),
        ("⟦Audit of ⟦Wallet⟧⟧", False),
        ("1,250 / 2,000", False),
        ("core.member.registered", False),
        ("Zuzanna", False),
        ("Save", True),
        ("⟦Save⟧ the changes", True),
        ("Zuzanna saved it", True),
    ],
)
def test_the_reader_tells_words_from_data(text: str, found: bool) -> None:
    assert bool(bare(text, {"Zuzanna"})) is found
