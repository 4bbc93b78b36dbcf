"""An admin schedules a report from its page, looks after it, and a reader leaves by the link."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from core.platform import Platform
from core.reports import schedules
from core.reports.models import ReportCopy, ReportSchedule
from tests.core.doors import Person

FORM = {"period": "last_month", "every": "monthly", "hour": "8", "month_day": "3", "format": "pdf"}
URL = "/admin/reports/wallet/reward_fund"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


def newest(site: Platform, person: Person) -> ReportSchedule:
    with site.unit_of_work() as session:
        mine = select(ReportSchedule).where(ReportSchedule.member_id == person.member.id)  # type: ignore[union-attr]
        return session.scalars(mine.order_by(ReportSchedule.id.desc())).first()  # type: ignore[return-value]


def test_it_is_scheduled_tried_paused_and_removed(site: Platform, admin: Person) -> None:
    assert admin.send(f"{URL}/schedule", **FORM, asset="USD").headers["Location"] == "/admin/reports/schedules"
    made = newest(site, admin)
    assert (made.report, made.parameters, made.month_day) == ("wallet.reward_fund", {"asset": "USD"}, 3)
    page = admin.get("/admin/reports/schedules").text
    assert "Every month on day 3 at 08:00 (UTC)" in page and "Last month" in page
    home = f"/admin/reports/schedules/{made.id}"
    assert admin.send(f"{home}/test").status_code == 303
    with site.unit_of_work() as session:
        assert session.scalar(select(ReportCopy.state).where(ReportCopy.schedule_id == made.id)) == "due"
    admin.send(f"{home}/pause", paused="yes")
    assert "Paused" in admin.get("/admin/reports/schedules").text and newest(site, admin).paused
    admin.send(f"{home}/remove")
    assert newest(site, admin) is None


def test_what_cannot_be_is_said_on_the_page(site: Platform, admin: Person) -> None:
    answer = admin.send(f"{URL}/schedule", **{**FORM, "hour": "25"})
    assert answer.headers["Location"] == URL
    assert "Choose one of the values that are offered." in admin.get(URL).text
    assert newest(site, admin) is None


def test_only_who_may_schedule_sees_how(people: Callable[..., Person]) -> None:
    moderator = people("Moderator", browser=True)
    assert "Schedule…" not in moderator.get(URL).text
    assert moderator.get("/admin/reports/schedules").status_code == 403
    assert moderator.send(f"{URL}/schedule", **FORM).status_code == 403


def test_a_reader_leaves_without_signing_in_but_not_by_a_glance(
    site: Platform, admin: Person, people: Callable[..., Person]
) -> None:
    admin.send(f"{URL}/schedule", **FORM)
    made = newest(site, admin)
    with site.unit_of_work() as session:
        url = f"/reports/leave/{schedules.leaving_token(session, made.id, made.member_id)}"
    visitor = people()
    page = visitor.get(url).text
    assert "Reward fund" in page and newest(site, admin) is not None
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    assert "You will not get this report any more." in visitor.post(url, data={"csrf_token": token[1]}).text
    assert newest(site, admin) is None
    assert visitor.get("/reports/leave/forged").status_code == 404


def test_a_copy_that_is_not_ones_own_is_not_there(admin: Person) -> None:
    assert admin.get("/admin/reports/copies/01a1f9e1-7ec0-7b4c-9704-ef313d5f7093").status_code == 404


def test_readers_beyond_the_first_fifty_are_found_by_name(people: Callable[..., Person], admin: Person) -> None:
    for number in range(51):
        people("Admin", name=f"A reader {number:02d}")
    zelda, nobody = people("Admin", name="Żelda Quint"), people("User", name="Żelda without a role")
    offered = admin.get(f"{URL}/readers").json
    assert len(offered) == 50 and zelda.id not in {one["value"] for one in offered}
    assert admin.get(f"{URL}/readers?q=żel").json == [{"value": zelda.id, "text": "Żelda Quint"}]
    assert nobody.id not in admin.get(URL).text and f'data-lookup="{URL}/readers"' in admin.get(URL).text
    assert admin.get(f"{URL}/readers?q=%00%25").json == []
    assert people("Moderator", browser=True).get(f"{URL}/readers").status_code == 403
