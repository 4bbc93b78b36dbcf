"""What a page costs who opens it: bytes over the wire, and nothing that jumps while it loads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_pages import Visitor, details, links
from tests.e2e.test_story import settled

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
MOST_BYTES = 300_000  # compressed, without pictures
# Of Cumulative Layout Shift, where 0.1 is good (web.dev/cls). A time that becomes "now" after the paint moves a column.
MOST_SHIFT = 0.1
WEIGHT = """() => {
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return all.filter((one) => one.initiatorType !== "img").reduce((sum, one) => sum + one.encodedBodySize, 0);
}"""
SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 50);
})"""


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_page_is_heavy_and_none_jumps(chromium: Any, guildhall: Running, size: str) -> None:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, size, "light")
    visitor.sign_in()
    heavy, jumping = {}, {}
    for path in [*links(visitor), *details(guildhall).values()]:
        visitor.open(path)
        # The browser's cache tells what a thing weighed when it was fetched, so each page counts as the first.
        if (weight := visitor.page.evaluate(WEIGHT)) > MOST_BYTES:
            heavy[path] = weight
        if (shift := visitor.page.evaluate(SHIFT)) > MOST_SHIFT:
            jumping[path] = round(shift, 3)
    visitor.context.close()
    assert (heavy, jumping) == ({}, {})
