"""A member never got a mail: an admin reads why it failed, follows it to its cause and sends it again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import Visitor
from tests.post_office import PostOffice

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]


def test_a_failed_mail_is_followed_to_its_cause_and_sent_again(
    chromium: Any, guildhall: Running, mail: PostOffice
) -> None:
    name = f"Unreachable {uuid4().hex[:6]}"
    address = f"{uuid4().hex[:10]}@example.org"
    mail.answers["RCPT"] = "550 5.1.1 no such box"
    try:
        made = guildhall.call("POST", "/api/v1/core/members", json={"display_name": name, "email": address})
        assert made.status_code == 201, made.text
        member = made.json()["data"]["id"]
        body = {"member_id": member, "type": "challenge.win", "event_key": str(uuid4())}
        assert guildhall.call("POST", "/api/v1/contributions/contributions", json=body).status_code == 201
        visitor = Visitor(chromium, guildhall, "desktop", "light")
        visitor.sign_in()
        page = visitor.page

        def shown() -> bool:
            visitor.open("/admin/notifications/failed")
            return page.get_by_text(name).count() > 0

        wait_for("the failed mail", shown)
        visitor.picture("failed-mail")
        row = page.get_by_role("row").filter(has_text=name).first
        assert "no such box" in row.inner_text()
        row.get_by_role("link").first.click()
        page.wait_for_load_state("networkidle")
        visitor.picture("failed-mail-notice")
        page.locator("a[href^='/admin/events/']").first.click()
        page.wait_for_load_state("networkidle")
        visitor.picture("failed-mail-cause")
        assert "contributions.contribution.recorded" in page.content()
        mail.answers.clear()
        shown()
        page.get_by_role("row").filter(has_text=name).first.get_by_role("button", name="Send again").click()
        wait_for("the letter", lambda: [address] in mail.recipients)
        visitor.context.close()
    finally:
        mail.answers.clear()
