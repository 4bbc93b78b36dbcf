"""An admin designs a plugin, sees its pages and its SQL, writes it, starts Guildhall again and fills it in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import Running, sign_in, start, stop, wait_for
from tests.e2e.test_pages import Visitor

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
SERIOUS = ("serious", "critical")
KEPT = "Every change is kept at once."


class House:
    """A Guildhall of its own, which a test stops and starts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = {
            "DEMO": "false",
            "GUILDHALL_STUDIO": "1",
            "GUILDHALL_PLUGIN_PATH": str(home / "plugins"),
            "GUILDHALL_SETTING_CORE__REQUIRE_ADMIN_TWO_FACTOR": "no",
        }
        self.running = start(home, **self.settings)
        self.password = self.running.password

    def again(self) -> Running:
        stop(self.running)
        self.running = start(self.home, **self.settings)
        self.running.password = self.password
        return self.running


@pytest.fixture
def house() -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="guildhall-studio-"))
    made = House(home)
    yield made
    stop(made.running)
    shutil.rmtree(home, ignore_errors=True)


def until(page: Any, condition: str) -> None:
    """Wait for what a script of the page says; the policy forbids Playwright's own waiting to evaluate."""
    wait_for(condition, lambda: page.evaluate(condition), 60)


def findings(visitor: Visitor, path: str) -> list[str]:
    """What is wrong with a page: its status, sideways scrolling, the console, axe."""
    visitor.said.clear()
    answer = visitor.open(path)
    wide = visitor.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    axe = Axe().run(visitor.page, options={"resultTypes": ["violations"]}).response["violations"]
    found = [f"{one['id']}: {one['nodes'][0]['target']}" for one in axe if one["impact"] in SERIOUS]
    return [*found, *visitor.said, *(["wide"] if wide else []), *([str(answer.status)] if answer.status != 200 else [])]


def test_a_design_becomes_a_plugin_that_members_use(chromium: Any, house: House) -> None:
    desk = Visitor(chromium, house.running, "desktop", "light")
    desk.sign_in()
    page = desk.page
    desk.open("/admin/studio")
    page.get_by_label("Label").fill("Reading room")
    page.get_by_label("Name", exact=False).last.fill("reading_room")
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/admin/studio/*-*")
    address = page.url.removeprefix(house.running.url)

    # By keys alone: a field is added, named, typed and required.
    page.get_by_role("button", name="Add a field").focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.value === 'field_1'")
    page.keyboard.press("Control+A")
    page.keyboard.type("seats")
    page.keyboard.press("Tab")
    until(page, "document.activeElement.id === 'resources-0-fields-1-type'")
    page.keyboard.type("Whole")
    page.keyboard.press("Tab")
    until(page, "document.querySelector('#resources-0-fields-1 .gh-st-kind').textContent.includes('Whole')")
    page.locator("#resources-0-fields-1-required").check()
    page.locator("#grant-User-item-create").check()
    page.get_by_text(KEPT).wait_for()
    page.get_by_role("tab", name="plugin.yaml").click()
    until(page, "document.getElementById('studio-text').value.includes('reading_room:item:create')")
    text = page.get_by_role("textbox", name="plugin.yaml").input_value()
    assert "seats: {type: integer, required: true}" in text

    # A mistake in the text is told at once, and where it is.
    page.get_by_role("textbox", name="plugin.yaml").fill(text.replace("integer", "number"))
    page.get_by_text("the type 'number' is not known").first.wait_for()
    page.get_by_role("textbox", name="plugin.yaml").fill(text.replace("label: Reading room", "label: Reading hall"))
    until(page, "document.getElementById('p-label').value === 'Reading hall'")

    page.get_by_role("tab", name="Preview").click()
    frame = page.frame_locator("#preview-frame")
    frame.get_by_text("Title 5").wait_for()
    page.get_by_role("button", name="Form", exact=True).click()
    frame.get_by_label("Seats").wait_for()
    desk.picture("studio-design")
    assert desk.said == []

    phone = Visitor(chromium, house.running, "phone", "dark")
    phone.sign_in()
    for visitor in (desk, phone):
        for path in ("/admin/studio", address, f"{address}/changes"):
            assert findings(visitor, path) == [], (path, visitor.name)
            visitor.picture(f"studio-{path.count('/')}")
    phone.context.close()

    desk.open(f"{address}/changes")
    assert "CREATE TABLE reading_room_item" in page.get_by_role("region", name="reading_room_0001").inner_text()
    page.get_by_role("button", name="Write and migrate").click()
    page.locator("[data-confirm-yes]").click()
    page.get_by_role("heading", name="Start Guildhall again").wait_for()
    assert page.goto(f"{house.running.url}/admin/reading-room/item/list/").status == 404
    desk.context.close()

    running = house.again()
    desk = Visitor(chromium, running, "desktop", "light")
    desk.sign_in()
    page = desk.page
    desk.open("/admin/reading-room/item/list/")
    page.get_by_role("main").get_by_role("link", name="Add").first.click()
    page.get_by_label("Title").fill("By the window")
    page.get_by_label("Seats").fill("6")
    page.get_by_role("button", name="Save").first.click()
    page.wait_for_url("**/admin/reading-room/item/show/*")
    desk.context.close()
    sign_in(running)
    assert [(one["title"], one["seats"]) for one in running.data("/api/v1/reading-room/items")] == [
        ("By the window", 6)
    ]
