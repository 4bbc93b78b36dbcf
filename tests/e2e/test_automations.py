"""An admin automates something without code: writes it, is told of a mistake, tries it on the demo, turns it on; then a
member does what starts it, and the admin reads what it did."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import SIZES, THEMES, Visitor
from tests.e2e.test_story import settled

SERIOUS = ("serious", "critical")
SUGGESTED = "suggestions.suggestion.created"
pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]


@pytest.fixture(scope="module")
def desk(chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, "desktop", "light")
    visitor.sign_in()
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def suggester(guildhall: Running) -> httpx.Client:
    """A member who uses REST."""
    printed = guildhall.command("demo", "load", "--accounts")
    found = re.search(r"member@example\.org\s+password:\s+(\S+)", printed)
    assert found, printed
    client = httpx.Client(base_url=guildhall.url, timeout=30)
    answer = client.post("/api/v1/core/auth/login", json={"email": "member@example.org", "password": found[1]})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"
    return client


def choose_event(page: Any, name: str) -> None:
    """Find an event by typing, as the picker wants it."""
    page.locator("#au-event + .ts-wrapper .ts-control").click()
    page.keyboard.type(name)
    wait_for("the one that fits", lambda: page.locator(".ts-dropdown .option").count() == 1)
    page.keyboard.press("Enter")
    page.get_by_text("event.id", exact=True).wait_for()


def test_an_automation_from_the_first_word_to_its_effect(
    desk: Visitor, guildhall: Running, suggester: httpx.Client
) -> None:
    page, name, tag = desk.page, f"Thank suggesters {uuid4().hex[:6]}", f"suggester-{uuid4().hex[:6]}"
    desk.open("/admin/automations")
    page.get_by_role("link", name="New automation").click()
    page.get_by_label("Name").fill(name)
    choose_event(page, SUGGESTED)
    # A mistake in an expression is told at its field, while it is written.
    page.get_by_role("radio", name="By an expression").check()
    page.get_by_label("Expression (CEL)").fill('record.status == "new" &&')
    page.locator("#au-cel[aria-invalid=true]").wait_for()
    wrong = page.locator(f"#{page.locator('#au-cel').get_attribute('aria-describedby')}").inner_text()
    assert "it ends too early" in wrong
    desk.picture("automation-mistake")
    page.get_by_label("Expression (CEL)").fill('record.status == "new"')
    page.locator("#au-cel:not([aria-invalid])").wait_for()
    # Lines do the same.
    page.get_by_role("radio", name="By lines").check()
    row = page.locator("[data-row-of]").first
    row.get_by_label("Field").select_option("record.status")
    row.get_by_label("Comparison").select_option("is")
    row.get_by_label("Value").select_option("new")
    page.get_by_role("button", name="Add an action").click()
    page.get_by_role("dialog").get_by_role("button", name="Give a tag").click()
    page.locator(".au-action").get_by_label("Tag", exact=False).first.fill(tag)
    page.get_by_role("button", name="Add an action").click()
    page.get_by_role("dialog").get_by_role("button", name="Notify the member").click()
    told = page.locator(".au-action").nth(1)
    told.locator("[data-param=subject] [data-at=literal]").fill(f"Thanks for {tag}")
    told.locator("[data-param=text]").get_by_role("button", name="as an expression").click()
    told.locator("[data-param=text] [data-at=expression]").fill('"It is " + record.status')
    page.locator("[data-at=words]", has_text=tag).wait_for()
    page.locator("[data-at=cel]", has_text='"new"').wait_for()
    # A dry run on what happened in the demo.
    page.get_by_role("button", name="Try it out").click()
    page.locator("#trial .au-tried li").first.wait_for()
    assert "would have started it" in page.locator("#trial").inner_text()
    desk.picture("automation-editor")
    page.get_by_role("button", name="Save as a draft").click()
    page.wait_for_url(re.compile(r"/admin/automations/[0-9a-f-]{36}$"))
    here = page.url
    page.get_by_role("button", name="Turn on").click()
    page.get_by_text("The automation is on.").wait_for()

    made = suggester.post("/api/v1/suggestions/suggestions", json={"title": "Warmer tea", "body": "Please"})
    assert made.status_code == 201, made.text

    def ran() -> bool:
        page.goto(here)
        return bool(page.locator("section[aria-labelledby=runs] tbody tr").count())

    wait_for("the run", ran)
    desk.picture("automation")
    [line] = page.locator("section[aria-labelledby=runs] tbody tr").all()
    assert "Done" in line.inner_text() and "Give a tag" in line.inner_text()
    notices = suggester.get("/api/v1/notifications/notifications?limit=50").json()["data"]
    assert f"Thanks for {tag}" in str(notices)
    line.get_by_role("link").first.click()
    page.get_by_role("heading", name="What started it").wait_for()
    desk.picture("automation-run")
    page.get_by_role("link", name="Causes and effects").click()
    page.wait_for_url("**/admin/events/*")
    assert SUGGESTED in page.content()
    desk.open(f"/admin/members/{made.json()['data']['author_id']}")
    assert page.get_by_text(tag, exact=True).is_visible()


def test_actions_are_ordered_and_taken_out_by_keys_alone(desk: Visitor) -> None:
    page = desk.page
    desk.open("/admin/automations/new")
    page.get_by_role("radio", name="Something happens").focus()
    page.keyboard.press("ArrowLeft")  # round to the last: by hand
    assert page.get_by_role("radio", name="By hand").is_checked()
    for label in ("Give a tag", "Give a signal"):
        page.get_by_role("button", name="Add an action").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name=label).focus()
        page.keyboard.press("Enter")
    titles = page.locator(".au-action h3")
    assert titles.all_inner_texts() == ["Give a tag", "Give a signal"]
    page.locator(".au-action").nth(1).get_by_role("button", name="Move up").focus()
    page.keyboard.press("Enter")
    assert titles.all_inner_texts() == ["Give a signal", "Give a tag"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move down"
    assert "Give a signal is now number 1." in page.locator("[data-at=said]").inner_text()
    page.locator(".au-action").first.get_by_role("button", name="Take out").focus()
    page.keyboard.press("Enter")
    assert titles.all_inner_texts() == ["Give a tag"]
    page.locator(".au-action").get_by_role("button", name="as an expression").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("event.nothing")
    page.locator("[data-at=expression][aria-invalid=true]").wait_for()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_pages_are_accessible_and_fit_the_screen(chromium: Any, guildhall: Running, size: str, theme: str) -> None:
    told = {"kind": "event", "event": SUGGESTED}, [{"action": "core.set_tag", "values": {"tag": "heard"}}]
    said = {"name": f"Hear {uuid4().hex[:6]}", "definition": {"trigger": told[0], "actions": told[1]}}
    made = guildhall.call("POST", "/api/v1/core/automations", json=said)
    assert made.status_code == 201, made.text
    first = f"/admin/automations/{made.json()['data']['id']}"
    visitor = Visitor(chromium, guildhall, size, theme)
    visitor.sign_in()
    wrong = {}
    pages = {"list": "/admin/automations", "one": first, "edit": f"{first}/edit", "import": "/admin/automations/import"}
    for name, path in pages.items():
        visitor.open(path)
        visitor.picture(f"automations-{name}")
        found = [one for one in Axe().run(visitor.page).response["violations"] if one["impact"] in SERIOUS]
        if found:
            wrong[name] = [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
        if (over := visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            wrong[f"{name} width"] = over
    visitor.context.close()
    assert (wrong, visitor.said) == ({}, [])
