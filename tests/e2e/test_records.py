"""What an admin does under time pressure: find why a badge is missing, correct a score, repair a wrong edit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import Visitor
from tests.e2e.test_story import settled

SERIOUS = ("serious", "critical")
pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]


@pytest.fixture(scope="module")
def desk(chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, "desktop", "light")
    visitor.sign_in()
    yield visitor
    visitor.context.close()


@pytest.fixture
def member(guildhall: Running) -> str:
    return str(guildhall.data("/api/v1/contributions/contributions?limit=1")[0]["member_id"])


def test_an_admin_finds_why_a_member_lacks_a_badge(desk: Visitor, member: str) -> None:
    page = desk.page
    desk.open(f"/admin/members/{member}")
    page.get_by_role("navigation", name="Parts of the member page").get_by_role("link", name="Badges").click()
    page.locator("select[name=badge]").select_option(index=0)
    page.get_by_role("button", name="Explain").click()
    page.wait_for_url(f"**/admin/badges/gallery/*?member={member}")
    assert page.get_by_role("main").get_by_text("%").count()
    desk.picture("why-not-yet")


def test_an_admin_corrects_a_score_and_sees_it_in_the_timeline(desk: Visitor, guildhall: Running) -> None:
    page = desk.page
    found = guildhall.data("/api/v1/contributions/contributions?limit=1&state=counted")[0]
    desk.open(f"/admin/members/{found['member_id']}/contributions")
    page.locator(f"a.gh-row-link[href$='{found['id']}']").click()
    page.wait_for_url("**/admin/contributions/contribution/*")
    page.get_by_label("Points from now on").fill("7")
    page.locator("#override-reason").fill("Counted too low")
    page.get_by_role("button", name="Override").click()
    page.get_by_text("Counted too low").first.wait_for()
    desk.open(f"/admin/members/{found['member_id']}/timeline")
    page.get_by_role("main").get_by_text("Contribution corrected").first.wait_for()
    desk.picture("member-timeline")
    page.get_by_role("link", name="Causes and effects").first.click()
    page.wait_for_url("**/admin/events/*")


def test_an_admin_repairs_a_wrong_edit_from_history(desk: Visitor, guildhall: Running) -> None:
    page = desk.page
    first = guildhall.data("/api/v1/contributions/milestones?limit=1")[0]
    base = "/admin/contributions/milestone"
    desk.open(f"{base}/list/")
    page.locator(f'tr[data-href="{base}/show/{first["id"]}"]').click()
    page.wait_for_url(f"**{base}/show/*")
    assert page.locator("[data-siblings] a").count() == 2
    page.get_by_role("main").get_by_role("link", name="Edit").click()
    page.get_by_label("Label").fill("A wrong name")
    assert page.get_by_text("Not saved yet").is_visible()
    page.keyboard.press("Control+s")
    page.wait_for_url(f"**{base}/show/*")
    page.get_by_role("link", name="History").click()
    page.get_by_text("A wrong name").first.wait_for()
    desk.picture("record-history")
    page.get_by_role("link", name="Bring back what was").first.click()
    page.get_by_label("Reason").fill("Typed into the wrong one")
    desk.picture("record-undo")
    page.get_by_role("button", name="Bring it back").click()
    page.wait_for_url(f"**{base}/history/*")
    assert page.get_by_text("Typed into the wrong one").count()
    assert guildhall.data(f"/api/v1/contributions/milestones/{first['id']}")["label"] == first["label"]
    assert desk.said == []


def test_every_page_of_a_record_and_a_member_is_whole(chromium: Any, guildhall: Running, member: str) -> None:
    """On a phone and a desktop, light and dark: no error, no sideways scrolling, no serious finding of axe."""
    milestone = guildhall.data("/api/v1/contributions/milestones?limit=1")[0]["id"]
    base = "/admin/contributions/milestone"
    parts = ("", "/contributions", "/badges", "/wallet", "/timeline", "/access", "/reviews", "/data")
    pages = [f"/admin/members/{member}{part}" for part in parts]
    pages += [f"/admin/core/member/{part}/{member}" for part in ("comments", "history")]
    pages += [f"{base}/{part}/{milestone}" for part in ("show", "edit", "history", "comments", "deletion")]
    findings: dict[str, Any] = {}
    for size, theme in (("desktop", "light"), ("phone", "dark")):
        visitor = Visitor(chromium, guildhall, size, theme)
        visitor.sign_in()
        for path in [*pages, f"{base}/deleted/"]:
            visitor.said.clear()
            answer = visitor.open(path)
            page = visitor.page
            wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            axe = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
            serious = [f"{one['id']}: {one['nodes'][0]['target']}" for one in axe if one["impact"] in SERIOUS]
            if wide or visitor.said or serious or answer.status != 200:
                found = {"status": answer.status, "wide": wide, "console": list(visitor.said), "axe": serious}
                findings[f"{path} {visitor.name}"] = found
        visitor.context.close()
    assert findings == {}


def test_a_colleague_is_mentioned_by_typing_a_name(desk: Visitor, guildhall: Running) -> None:
    page = desk.page
    milestone = guildhall.data("/api/v1/contributions/milestones?limit=1")[0]
    desk.open(f"/admin/contributions/milestone/comments/{milestone['id']}")
    box = page.get_by_label("Write a comment…")
    box.press_sequentially("Look, @Ad")
    page.get_by_role("option").first.click()
    assert box.input_value().startswith("Look, @")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.locator(".gh-comment .gh-mention").wait_for()
    desk.picture("record-comments")
    page.locator(".gh-comment").get_by_role("button", name="Delete").click()
    page.locator("dialog[open] [data-confirm-yes]").click()
    page.get_by_text("Deleted by").wait_for()


def test_a_wrong_form_leads_to_its_first_wrong_field(desk: Visitor, guildhall: Running) -> None:
    page = desk.page
    desk.open("/admin/contributions/milestone/add")
    page.get_by_label("Label").fill("")
    page.get_by_role("button", name="Save").click()
    page.locator('[aria-invalid="true"]').first.wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert page.locator(".gh-summary a").first.get_attribute("href") == f"#{page.evaluate('document.activeElement.id')}"
    desk.picture("form-errors")
