"""Every page of the admin, opened in a real browser as a person would: by its links.

Screenshots are kept in ``var/screenshots`` to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import ROOT, Running, wait_for
from tests.e2e.test_story import settled

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
SHOTS = ROOT / "var" / "screenshots"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
THEMES = ("light", "dark")


class Visitor:
    """A browser that is signed in, and remembers what its console said."""

    def __init__(self, browser: Any, running: Running, size: str, theme: str) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        self.context.add_cookies([{"name": "theme", "value": theme, "url": running.url}])
        self.page = self.context.new_page()
        self.name = f"{size}-{theme}"
        self.running = running
        self.said: list[str] = []
        self.page.on("console", lambda line: self.said.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def sign_in(self) -> None:
        self.page.goto(self.running.url + "/login")
        self.page.get_by_label("E-mail").fill(self.running.email)
        self.page.get_by_label("Password").fill(self.running.password)
        self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.running.url + "/")

    def open(self, path: str) -> Any:
        answer = self.page.goto(self.running.url + path)
        self.page.wait_for_load_state("networkidle")
        return answer

    def picture(self, name: str) -> Path:
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}-{self.name}.png"
        self.page.screenshot(path=str(path))
        return path


@pytest.fixture(scope="module", params=[(size, theme) for size in SIZES for theme in THEMES], ids="-".join)
def visitor(request: pytest.FixtureRequest, chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, *request.param)
    visitor.sign_in()
    yield visitor
    visitor.context.close()


def links(visitor: Visitor) -> list[str]:
    """Addresses in the sidebar."""
    found: list[str] = visitor.page.eval_on_selector_all(".gh-nav a", "all => all.map(a => a.getAttribute('href'))")
    return found


def details(running: Running) -> dict[str, str]:
    """Pages of single records."""
    contribution = running.data("/api/v1/contributions/contributions?limit=1")[0]
    return {
        "contribution": f"/admin/contributions/contribution/{contribution['id']}",
        "member": f"/admin/members/{contribution['member_id']}",
        "profile": "/profile",
        "plugin": "/admin/plugins/wallet",
        "dead-letters": "/admin/events/dead",
        "report": "/admin/reports/contributions/active_members?period=12_months&compare=1",
        "report-schedules": "/admin/reports/schedules",
        "dashboard-arrange": "/admin/dashboard",
        "suggestion-new": "/admin/suggestions/suggestion/add",
        "not-found": "/admin/nothing-here",
    }


def test_every_page_is_whole(visitor: Visitor, guildhall: Running) -> None:
    """No error in the console, no sideways scrolling, no serious finding of axe, on any page."""
    pages = {path.strip("/").replace("/", "-") or "dashboard": path for path in links(visitor)} | details(guildhall)
    findings: dict[str, Any] = {}
    waiting = list(pages.items())
    while waiting:
        name, path = waiting.pop(0)
        visitor.said.clear()
        answer = visitor.open(path)
        visitor.picture(name)
        row = visitor.page.locator("a.gh-row-link").first
        if path.endswith("/list/") and row.count():
            waiting.append((name.removesuffix("-list") + "-record", row.get_attribute("href")))
        wide = visitor.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        said = [line for line in visitor.said if "404" not in line or name != "not-found"]
        axe = Axe().run(visitor.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [
            f"{one['id']}: {one['nodes'][0]['target']}" for one in axe if one["impact"] in ("serious", "critical")
        ]
        expected = 404 if name == "not-found" else 200
        if wide or said or serious or answer.status != expected:
            findings[name] = {"status": answer.status, "wide": wide, "console": said, "axe": serious}
    assert findings == {}


def test_the_api_description_is_whole_with_an_operation_open(visitor: Visitor) -> None:
    visitor.said.clear()
    visitor.open("/api/docs")
    page = visitor.page
    page.locator(".opblock-tag[data-tag='core']").click()
    operation = page.locator("#operations-core-core_erase_member")
    operation.locator(".opblock-summary-control").click()
    operation.locator(".try-out__btn").click()
    operation.scroll_into_view_if_needed()
    page.get_by_label("Request body").wait_for()
    visitor.picture("api-docs")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    axe = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [one["id"] for one in axe if one["impact"] in ("serious", "critical")] == []
    assert visitor.said == []


def test_the_sign_in_page_is_whole(chromium: Any, guildhall: Running) -> None:
    for size in SIZES:
        for theme in THEMES:
            stranger = Visitor(chromium, guildhall, size, theme)
            stranger.open("/login")
            stranger.picture("login")
            assert stranger.said == []
            stranger.context.close()
