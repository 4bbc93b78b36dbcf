"""A file with mistakes in a real browser: tried, imported in part, mended, imported again, undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_lists import checked
from tests.e2e.test_pages import Visitor
from tests.e2e.test_story import settled

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
LIST = "/admin/suggestions/suggestion/list/?view=all"
BAD = "Title;Body;Status\nLonger days {0};More light;planned\nQuiet rooms {0};;new\nTea {0};Any;eaten\n"


@pytest.fixture(scope="module", params=["desktop", "phone"])
def visitor(request: pytest.FixtureRequest, chromium: Any, guildhall: Running) -> Iterator[Visitor]:
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    visitor = Visitor(chromium, guildhall, request.param, "light" if request.param == "desktop" else "dark")
    visitor.sign_in()
    yield visitor
    assert visitor.said == []
    visitor.context.close()


def send(visitor: Visitor, path: Path) -> None:
    """From the list to the report of the dry run."""
    page = visitor.page
    visitor.open(LIST)
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("CSV or XLSX file").set_input_files(path)
    checked(visitor, "imports")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_label("Column for Title").wait_for()


def test_a_file_with_mistakes_is_mended_and_undone(visitor: Visitor, tmp_path: Path) -> None:
    page, path = visitor.page, tmp_path / "box.csv"
    path.write_text(BAD.format(visitor.name))
    send(visitor, path)
    assert page.get_by_label("Column for Body").input_value() == "Body"
    checked(visitor, "import-columns")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("Nothing has been changed yet.").wait_for()
    assert page.get_by_text("This is none of the values that can be chosen.").first.is_visible()
    checked(visitor, "import-tried")
    page.get_by_role("button", name="Import 1 row").click()
    page.get_by_role("button", name="Undo this import").first.wait_for()
    checked(visitor, "import-done")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them to mend").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    rows = text.splitlines()
    assert rows[0] == "Title;Body;Status;Problem" and len(rows) == 3
    path.write_text(text.replace("eaten", "new").replace(f"{visitor.name};;", f"{visitor.name};Hush;"))
    send(visitor, path)
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("button", name="Import 2 rows").click()
    page.get_by_role("button", name="Undo this import").first.click()
    checked(visitor, "import-undo")
    page.get_by_label("Reason").fill("The wrong file.")
    page.get_by_role("dialog").get_by_role("button", name="Undo this import").click()
    page.get_by_text("The import had made 2 and updated 0.").wait_for()
    checked(visitor, "import-undone")
    visitor.open(f"/admin/suggestions/suggestion/list/?q=Longer days {visitor.name}")
    assert page.get_by_text(f"Longer days {visitor.name}").first.is_visible()
    visitor.open(f"/admin/suggestions/suggestion/list/?q=Tea {visitor.name}")
    assert page.get_by_text("Nothing matches these filters.").is_visible()
