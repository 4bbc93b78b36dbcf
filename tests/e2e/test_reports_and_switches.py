"""An admin reads a report and schedules it, arranges the dashboard, pulls a switch and restores it: in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Running

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]


@pytest.fixture
def page(chromium: Any, guildhall: Running) -> Iterator[Any]:
    context = chromium.new_context(base_url=guildhall.url)
    page = context.new_page()
    page.goto("/login")
    page.fill("#f-email", guildhall.email)
    page.fill("#f-password", guildhall.password)
    page.click("form[method=post] button.btn-primary")
    page.wait_for_url(re.compile(r"\d/$"))
    yield page
    context.close()


def test_a_report_is_read_compared_pinned_and_scheduled(page: Any) -> None:
    page.goto("/admin/reports")
    page.click("text=Active members")
    assert page.is_hidden("input[name=first]")
    page.select_option("select[name=period]", "12_months")
    page.check("input[name=compare]")
    page.click("button:has-text('Show')")
    page.wait_for_selector("canvas[data-chart]")
    assert "The period before" in page.content() and page.locator(".gh-report-table tbody tr").count() == 12
    with page.expect_download() as file:
        page.click("button:has-text('Download')")
        page.click("a.gh-pop-item:has-text('PDF')")
    assert file.value.suggested_filename.endswith(".pdf")
    page.click("button[aria-label='Pin to the dashboard']")
    page.wait_for_selector("text=It is on your dashboard now")
    page.click("button:has-text('Schedule…')")
    page.select_option("#schedule-every", "monthly")
    page.click("#schedule button.btn-primary")
    page.wait_for_url("**/admin/reports/schedules")
    row = page.locator("tr", has_text="Active members")
    assert "Every month on day 1 at 08:00" in row.inner_text()
    page.click("button[aria-label='Pause Active members']")
    page.wait_for_selector("button[aria-label='Resume Active members']")
    page.click("button[aria-label='Remove Active members']")
    page.click("[data-confirm-yes]")
    page.wait_for_selector("text=Nothing is scheduled.")


def test_the_dashboard_is_arranged_by_keys_and_by_pointer(page: Any) -> None:
    page.goto("/admin/dashboard")
    names = page.locator("[data-arrange] .gh-arrange-name")
    before = names.all_inner_texts()
    page.focus(f"button[aria-label='Move {before[0]} down']")
    page.keyboard.press("Enter")
    assert names.all_inner_texts()[:2] == [before[1], before[0]]
    assert page.inner_text("[data-arrange-said]") == f"{before[0]} is now number 2."
    rows = page.locator("[data-arrange] li")
    rows.nth(3).locator(".gh-grip").drag_to(rows.nth(0), target_position={"x": 40, "y": 2})
    assert names.all_inner_texts()[0] == before[3]
    page.click(f"button[aria-label='Remove {before[1]}']")
    page.click(".gh-bar button.btn-primary")
    page.wait_for_url(re.compile(r"\d/$"))
    page.wait_for_selector(".gh-dash-item")
    assert page.locator(".gh-dash-item").count() == len(before) - 1
    page.wait_for_selector(".gh-dash [aria-busy]", state="detached")
    page.goto("/admin/dashboard")
    page.click("button:has-text('Reset')")
    page.click("[data-confirm-yes]")
    page.wait_for_selector("text=as it was at the beginning")


def test_the_dashboard_is_arranged_with_a_finger(chromium: Any, guildhall: Running) -> None:
    context = chromium.new_context(
        base_url=guildhall.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto("/login?next=/admin/dashboard")
    page.fill("#f-email", guildhall.email)
    page.fill("#f-password", guildhall.password)
    page.tap("form[method=post] button.btn-primary")
    page.wait_for_selector("[data-arrange] li")
    names = page.locator("[data-arrange] .gh-arrange-name")
    before = names.all_inner_texts()
    rows = page.locator("[data-arrange] li")
    rows.nth(0).scroll_into_view_if_needed()
    start, end = rows.nth(0).locator(".gh-grip").bounding_box(), rows.nth(2).bounding_box()
    assert min(start["width"], start["height"]) >= 24
    finger = context.new_cdp_session(page)  # a tap is all that Playwright's own touch screen knows
    at = {"x": start["x"] + start["width"] / 2, "y": start["y"] + start["height"] / 2}
    below = end["y"] + end["height"] - 4
    scrolled = page.evaluate("scrollY")
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    for step in range(1, 6):
        point = {"x": at["x"], "y": at["y"] + (below - at["y"]) * step / 5}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        page.wait_for_timeout(30)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    said = page.locator("[data-arrange-said]")
    said.filter(has_text="number 3").wait_for(state="attached")
    assert names.all_inner_texts()[:3] == [before[1], before[2], before[0]]
    assert page.evaluate("scrollY") == scrolled  # the page stayed where it was
    page.click(f"button[aria-label='Move {before[0]} up']")
    said.filter(has_text="number 2").wait_for(state="attached")
    page.click(".gh-bar button.btn-primary")  # Chromium takes no tap so soon after a drag that was sent at one go
    page.wait_for_url(re.compile(r"\d/$"))
    page.goto("/admin/dashboard")
    assert names.all_inner_texts()[:3] == [before[1], before[0], before[2]]
    page.tap("button:has-text('Reset')")
    page.tap("[data-confirm-yes]")
    page.wait_for_selector("text=as it was at the beginning")
    context.close()


def test_a_switch_is_pulled_and_restored(page: Any, guildhall: Running) -> None:
    page.goto("/admin/switches")
    page.click("button[aria-label='Switch off: Changes through the API']")
    page.fill("#off-core-rest_writes-reason", "A wave of spam")
    page.click("#off-core-rest_writes button.btn-danger")
    page.wait_for_selector("text=It is off, everywhere within a second.")
    page.goto("/admin/reviews")
    assert "Changes through the API: switched off. A wave of spam" in page.inner_text(".gh-notice")
    answer = guildhall.call("PATCH", "/api/v1/core/me", json={"display_name": "Admin"})
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "SWITCHED_OFF"
    assert int(answer.headers["Retry-After"]) > 0
    page.goto("/admin/switches")
    page.click("button[aria-label='Switch on: Changes through the API']")
    page.wait_for_selector("text=It is on again.")
    assert page.locator(".gh-notice").count() == 0
