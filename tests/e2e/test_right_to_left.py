"""The admin in Arabic: mirrored, whole, and usable without a mouse for the eyes of axe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Running
from tests.e2e.test_pages import Axe, Visitor, details, links

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]


@pytest.fixture(scope="module", params=["desktop", "phone"])
def reader(request: pytest.FixtureRequest, chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    """Somebody whose browser asks for Arabic."""
    visitor = Visitor(chromium, guildhall, request.param, "light")
    visitor.sign_in()
    visitor.context.set_extra_http_headers({"Accept-Language": "ar"})
    visitor.name += "-ar"
    visitor.open("/profile")
    yield visitor
    visitor.context.close()


def test_every_page_is_whole_in_arabic(reader: Visitor, guildhall: Running) -> None:
    pages = {path.strip("/").replace("/", "-") or "dashboard": path for path in links(reader)} | details(guildhall)
    findings: dict[str, Any] = {}
    for name, path in pages.items():
        reader.open(path)
        reader.picture(name)
        wide = reader.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        axe = Axe().run(reader.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [one["id"] for one in axe if one["impact"] in ("serious", "critical")]
        direction = reader.page.evaluate("getComputedStyle(document.body).direction")
        if wide or serious or direction != "rtl":
            findings[name] = {"wide": wide, "axe": serious, "direction": direction}
    assert findings == {}


def test_the_navigation_stands_at_the_right(reader: Visitor) -> None:
    reader.open("/")
    opener = reader.page.locator("[data-drawer=open]")
    if opener.is_visible():
        opener.click()
        reader.page.wait_for_function("document.querySelector('.gh-side').getBoundingClientRect().right <= innerWidth")
    box = reader.page.locator(".gh-side").bounding_box()
    assert box and round(box["x"] + box["width"]) == reader.page.evaluate("innerWidth")


def test_an_amount_below_zero_keeps_its_sign_in_front(reader: Visitor) -> None:
    """Without isolation the sign of -50,000 would stand at the other end of it."""
    reader.open("/admin/wallet/ledger")
    cell = reader.page.locator("td.num", has_text="-").first
    assert cell.evaluate("one => getComputedStyle(one.querySelector('.gh-points') ?? one).unicodeBidi") == "plaintext"
