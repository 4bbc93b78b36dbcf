"""What no form may be sent: every form of every page takes it without a mistake of ours.

The forms are read from the pages, so a new one is tried without being named. They switch plugins off and change
settings, so the site is this module's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask

from core.platform import Platform
from tests.conftest import Cluster, test_config
from tests.core.doors import Person

DEEP = 10_000


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Platform]:
    platform = Platform(test_config(), cluster.fresh("forms"), cluster.redis_url)
    yield platform
    platform.database.dispose()


@pytest.fixture(scope="module")
def web(site: Platform) -> Flask:
    from app import create_app

    return create_app(site)


class Forms(HTMLParser):
    """The forms of a page: where each is sent, and the names of its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        if tag == "form":
            self.inside = (about.get("method") or "").lower() == "post"
            if self.inside:
                self.found.append((about.get("action") or "", []))
        elif self.inside and tag in ("input", "select", "textarea") and about.get("name") not in (None, "csrf_token"):
            self.found[-1][1].append(str(about["name"]))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


HOSTILE_FIELDS = [
    "a\x00b",
    "x" * 200_000,
    "9" * 5000,
    "../../etc/passwd",
    "[" * DEEP,
    '{"a": 1, "a": 2}',
    "NaN",
    "\r\nX: y",
    "\U0010ffff",
]
LEAVING = ("/logout", "sign-out", "/profile/password", "/login")


def test_no_form_breaks_on_what_it_is_sent(web: Flask, people: Callable[..., Person]) -> None:
    browser, wrong, tried = people("Admin", browser=True), [], 0
    doors: dict[str, list[str]] = {}
    for rule in web.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.rule.startswith(("/api/", "/static")):
            continue
        if "broken" in rule.endpoint or rule.rule == "/logout":
            continue
        for action, names in Forms(browser.get(rule.rule).get_data(as_text=True)).found:
            target = action or rule.rule
            if names and not any(one in target for one in LEAVING):
                doors.setdefault(target, names)
    for target, names in doors.items():
        for value in HOSTILE_FIELDS:
            answer = browser.post(target, data={"csrf_token": browser.csrf, **dict.fromkeys(names, value)})
            tried += 1
            if answer.status_code >= 500:
                wrong.append(f"{target} {names} {value[:20]!r}: {answer.status}")
    assert not wrong, "\n".join(map(str, wrong[:40]))
    assert tried > 40
