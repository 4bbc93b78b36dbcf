"""At the lists in a real browser: a view is built and shared, a mistake made for many is taken back, rows leave."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import Visitor
from tests.e2e.test_story import settled

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
MEMBERS = "/admin/core/member/list/"


@pytest.fixture(scope="module", params=["desktop", "phone"])
def visitor(request: pytest.FixtureRequest, chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, request.param, "light")
    visitor.sign_in()
    yield visitor
    assert visitor.said == []
    visitor.context.close()


def checked(visitor: Visitor, name: str) -> None:
    """Look at the page with axe, and keep a picture."""
    visitor.picture(name)
    found = Axe().run(visitor.page).response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    assert grave == [], [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave]
    wide = visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the window"


def test_a_view_is_built_and_shared(visitor: Visitor) -> None:
    page, name = visitor.page, f"Enterprise {visitor.name}"
    visitor.open(f"{MEMBERS}?view=all")
    page.get_by_role("button", name="Filter by Tier").click()
    page.get_by_label("Enterprise", exact=True).check()
    checked(visitor, "list-filter")
    page.locator("#filter-tier").get_by_role("button", name="Apply").click()
    page.wait_for_url("**_flt_0_tier=enterprise**")
    assert page.get_by_role("link", name="Remove the filter Tier").is_visible()
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="Source").uncheck()
    tier = page.get_by_role("button", name="Move Tier up")
    tier.focus()
    page.keyboard.press("Alt+ArrowUp")
    checked(visitor, "list-columns")
    page.locator(".gh-chooser").get_by_role("button", name="Apply").click()
    page.wait_for_load_state("networkidle")
    heads = [one.strip() for one in page.locator("thead th[scope=col]").all_text_contents()]
    assert heads == ["Display name", "Email", "Tier", "Status", "Joined at"]
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Name", exact=False).last.fill(name)
    page.get_by_label("Share with everybody who sees this list").check()
    checked(visitor, "list-save-view")
    page.get_by_role("dialog").get_by_role("button", name="Save view").click()
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("navigation", name="Saved views").locator("[aria-current]").inner_text().startswith(name)
    checked(visitor, "list-view")
    page.keyboard.press("Control+k")
    page.get_by_label("Search pages and records").fill(name.lower())
    page.get_by_role("option", name=name).click()
    page.wait_for_url("**_flt_0_tier=enterprise**")
    page.get_by_role("button", name="Columns").click()
    page.locator(".gh-chooser").get_by_role("button", name="Reset").click()
    page.wait_for_load_state("networkidle")
    visitor.open(f"{MEMBERS}?view=all")
    assert "Source" in page.locator("thead").inner_text() or visitor.name.startswith("phone")


def test_a_mistake_made_for_many_is_taken_back(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open(f"{MEMBERS}?_flt_0_tier=pro&view=all")
    before = page.locator(".gh-row-link").all_inner_texts()
    assert len(before) > 1
    if visitor.name.startswith("desktop"):
        page.keyboard.press("j")
        page.keyboard.press("x")
        assert page.locator(".gh-pick:checked").count() == 1
        page.get_by_label("Select all rows").check()
    else:
        for box in page.locator(".gh-pick").all():
            box.check()
    checked(visitor, "list-chosen")
    page.get_by_role("button", name="Edit…").click()
    page.wait_for_load_state("networkidle")
    page.get_by_role("checkbox", name="Tier").check()
    page.locator("select[name=tier]").select_option("free")
    checked(visitor, "bulk-confirm")
    page.get_by_role("button", name=f"Change {len(before)} members").click()
    page.wait_for_url("**/admin/lists/runs/**")
    checked(visitor, "bulk-report")
    visitor.open(f"{MEMBERS}?_flt_0_tier=pro&view=all")
    assert page.get_by_text("Nothing matches these filters.").is_visible()
    page.go_back()
    page.get_by_role("button", name="Revert this change").click()
    page.get_by_role("dialog").get_by_role("button", name="Revert this change").click()
    page.wait_for_load_state("networkidle")
    checked(visitor, "bulk-reverted")
    visitor.open(f"{MEMBERS}?_flt_0_tier=pro&view=all")
    assert page.locator(".gh-row-link").all_inner_texts() == before


def test_what_is_shown_leaves_as_a_file(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    visitor.open(f"{MEMBERS}?_flt_0_tier=pro&cols=display_name,tier&view=all")
    shown = page.locator(".gh-row-link").all_inner_texts()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    waiting.value.save_as(tmp_path / "members.csv")
    head, *rows = csv.reader((tmp_path / "members.csv").open())
    assert head == ["Id", "Display name", "Tier"]
    assert [row[1] for row in rows] == [name.strip() for name in shown] and {row[2] for row in rows} == {"pro"}
