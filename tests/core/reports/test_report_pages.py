"""Reports at the door: who sees which, what the page says, what is taken away as a file, what clients get."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.reports.period import Period
from core.settings import write
from tests.core.doors import Person


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


def test_every_report_opens_with_its_numbers_and_nothing_breaks(site: Platform, admin: Person) -> None:
    index = admin.get("/admin/reports").text
    for key in site.registry.reports:
        url = f"/admin/reports/{key.replace('.', '/')}"
        assert url in index
        for query in ("", "?period=12_months&compare=1", "?first=2026-01-01&last=2026-01-03"):
            assert admin.get(url + query).status_code == 200, url + query
        for format in ("csv", "xlsx", "pdf"):
            assert admin.get(f"{url}/file?format={format}").status_code == 200, (url, format)


def test_the_page_and_its_files_tell_the_same(admin: Person, people: Callable[..., Person]) -> None:
    people("User")
    url = "/admin/reports/core/new_members"
    page = admin.get(f"{url}?period=7_days&compare=1").text
    shown = re.search(r'gh-kpi-value">([\d,]+)', page)
    assert shown and "data-chart" in page and "The period before" in page
    joined = int(shown[1].replace(",", ""))
    file = admin.get(f"{url}/file?period=7_days&format=csv")
    assert file.headers["Content-Disposition"].startswith("attachment; filename=core-new_members-")
    rows = list(csv.reader(io.StringIO(file.text)))
    assert rows[0] == ["From", "Joined", "Active now"] and len(rows) == 8
    assert sum(int(row[1]) for row in rows[1:]) == joined
    sheet = openpyxl.load_workbook(io.BytesIO(admin.get(f"{url}/file?period=7_days&format=xlsx").data)).active
    assert [row[1] for row in sheet.iter_rows(min_row=2, values_only=True)][-1] == joined
    pdf = PdfReader(io.BytesIO(admin.get(f"{url}/file?period=7_days&format=pdf").data))
    assert "New members" in pdf.pages[0].extract_text()


def test_a_number_leads_to_the_list_that_explains_it(admin: Person, people: Callable[..., Person]) -> None:
    people("User")
    page = admin.get("/admin/reports/core/new_members?period=7_days").text
    links = re.findall(r'<td data-label="Joined"[^>]*><a href="([^"]+)">([\d,]+)</a>', page)
    assert links
    for link, number in links:
        found = admin.get(link.replace("&amp;", "&"))
        assert found.status_code == 200
        assert re.search(rf"of {number}\b", found.text), "the list counts differently"


def test_an_empty_period_says_so_and_what_to_do(admin: Person) -> None:
    page = admin.get("/admin/reports/core/new_members?first=1990-01-01&last=1990-01-02").text
    assert "Nothing in this period." in page and "period=12_months" in page


def test_days_that_are_no_period_are_explained_on_the_page(admin: Person) -> None:
    page = admin.get("/admin/reports/core/new_members?first=2026-02-02&last=2026-01-01")
    assert page.status_code == 200 and "Give a first and a last day" in page.text


def test_each_report_asks_for_its_permission(people: Callable[..., Person]) -> None:
    moderator, member = people("Moderator", browser=True), people("User", browser=True)
    assert "/admin/reports/core/new_members" in moderator.get("/admin/reports").text
    assert moderator.get("/admin/reports/core/new_members").status_code == 200
    assert member.get("/admin/reports").status_code == 403
    assert member.get("/admin/reports/core/new_members").status_code == 403


def test_a_report_of_a_plugin_that_is_off_is_not_there(admin: Person, switch: Callable[[str, bool], None]) -> None:
    assert admin.get("/admin/reports/library/shelves").status_code == 200
    switch("library", False)
    assert admin.get("/admin/reports/library/shelves").status_code == 404
    assert "/admin/reports/library" not in admin.get("/admin/reports").text


def test_the_palette_finds_reports(admin: Person) -> None:
    hits = admin.get("/admin/search?q=new mem").json
    assert {"label": "New members", "hint": "Report", "url": "/admin/reports/core/new_members"} in hits


def test_clients_list_and_run_reports(people: Callable[..., Person]) -> None:
    client = people("Admin")
    names = [one["name"] for one in client.get("/api/v1/core/reports").json["data"]]
    assert {"core.new_members", "wallet.reward_fund", "contributions.by_type"} <= set(names)
    told = client.get("/api/v1/core/reports/core.new_members?period=7_days&compare=true").json["data"]
    assert len(told["rows"]) == 7 and told["totals"]["joined"] == sum(row[1] for row in told["rows"])
    assert set(told["before"]) == {"joined", "active"}
    fund = client.get("/api/v1/core/reports/wallet.reward_fund?asset=POINTS").json["data"]
    assert fund["parameters"] == {"asset": "POINTS"} and all(isinstance(row[1], str) for row in fund["rows"])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core.nothing", "NOT_FOUND"),
        ("core.new_members?first=x&last=y", "PERIOD_INVALID"),
        ("core.new_members?period=eternity", "INVALID"),
        ("core.new_members?colour=red", "PARAMETER_INVALID"),
        ("wallet.reward_fund?asset=GOLD", "PARAMETER_INVALID"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_code(people: Callable[..., Person], path: str, code: str) -> None:
    assert people("Admin").get(f"/api/v1/core/reports/{path}").json["error"]["code"] == code


def test_clients_need_the_permission_of_the_report_too(people: Callable[..., Person]) -> None:
    assert people("User").get("/api/v1/core/reports/core.new_members").status_code == 403
    assert people().get("/api/v1/core/reports").status_code == 401


def test_clients_of_one_that_is_too_slow_hear_when_to_come_back(
    site: Platform, people: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nap(session: Session, _period: Period, _parameters: Mapping[str, str]) -> list[tuple[Any, ...]]:
        session.execute(text("SELECT pg_sleep(9)"))
        return []

    def allow(seconds: int) -> None:
        system = Actor.system("test")
        with site.unit_of_work(system) as session:
            write(session, system, PlatformSettings, {"report_seconds": seconds})
        site.registry.cache.looked_at = float("-inf")

    known = site.registry.reports
    monkeypatch.setitem(known, "library.shelves", replace(known["library.shelves"], load=nap))
    allow(1)
    try:
        answer = people("Admin").get("/api/v1/core/reports/library.shelves")
        page = people("Admin", browser=True).get("/admin/reports/library/shelves")
    finally:
        allow(PlatformSettings().report_seconds)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "REPORT_TOO_SLOW")
    assert int(answer.headers["Retry-After"]) == 60
    assert page.status_code == 200 and "took longer than 1 seconds" in page.text
