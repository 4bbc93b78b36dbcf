"""Ten cases wait for a moderator, who clears them without touching the mouse."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import Visitor

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
CASES = 10
TEXT = "I wrote the chapter on gardens in dry places, with a plan of the beds and a list of what grows where, and why. "


@pytest.fixture
def held(guildhall: Running) -> str:
    """A member whose ten last texts are the same as the first but for a word; each waits for a review."""
    made = guildhall.call("POST", "/api/v1/core/members", json={"display_name": f"Copyist {uuid4().hex[:6]}"})
    assert made.status_code == 201, made.text
    member: str = made.json()["data"]["id"]
    for number in range(CASES + 1):
        body = {
            "member_id": member,
            "type": "learning.completed",
            "event_key": str(uuid4()),
            "details": {"text": f"{TEXT}{number}"},
        }
        answer = guildhall.call("POST", "/api/v1/contributions/contributions", json=body)
        assert answer.status_code in (201, 202), answer.text
    wait_for("the cases", lambda: len(cases(guildhall, member)) == CASES)
    return member


def cases(guildhall: Running, member: str) -> list[dict[str, Any]]:
    found = guildhall.data("/api/v1/core/reviews?kind=contributions.held&limit=200")
    return [one for one in found if one["member_id"] == member]


def test_ten_cases_are_cleared_by_keyboard(chromium: Any, guildhall: Running, held: str) -> None:
    visitor = Visitor(chromium, guildhall, "desktop", "light")
    visitor.sign_in()
    page = visitor.page
    visitor.open("/admin/reviews?kind=contributions.held")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/admin/reviews/[0-9a-f-]{36}"))
    visitor.picture("review-case")
    for number in range(3 * CASES):  # others' cases may stand between
        if not cases(guildhall, held):
            break
        here = page.url
        if number % 2:
            page.keyboard.press("r")
            page.keyboard.type("The same text again")
            page.keyboard.press("Control+Enter")
        else:
            page.keyboard.press("a")
        page.wait_for_url(lambda url, was=here: url != was)
        page.wait_for_load_state("networkidle")
    assert cases(guildhall, held) == []
    visitor.context.close()
