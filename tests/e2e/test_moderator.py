"""A moderator's day: what is there and what is not follows from the declared roles, and is checked by clicking and by
typing addresses; then the day's work is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe

from core.fab.guard import METHODS
from core.ids import new_id
from core.platform import Platform
from core.resources.resource import READ
from tests.e2e.conftest import Running, wait_for
from tests.e2e.test_inbox import cases
from tests.e2e.test_pages import Visitor, links
from tests.e2e.test_story import settled
from tests.post_office import PostOffice

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.browser]
SAME = "How the paths between the greenhouses were laid, what each of them cost, and who came to carry the stones. "
PASSWORD = "a long walk by the river"
May = Callable[[str], bool]


@pytest.fixture(scope="module")
def may(clean_platform: Platform) -> May:
    """Whether who is User and Moderator may, by the manifests alone."""
    roles = clean_platform.registry.roles
    held = roles["User"] | roles["Moderator"]
    return lambda name: name in held


@pytest.fixture(scope="module")
def moderator(chromium: Any, guildhall: Running, mail: PostOffice) -> Iterator[Visitor]:
    """Somebody whom the admin makes a moderator, and who comes in by the link of the mail."""
    address = f"{uuid4().hex[:10]}@example.org"
    admin = Visitor(chromium, guildhall, "desktop", "light")
    admin.sign_in()
    admin.open("/admin/members/new")
    page = admin.page
    page.get_by_label("Name").first.fill("Miriam Moderator")
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Moderator").check()
    page.get_by_role("main").locator("form button.btn-primary").click()
    page.wait_for_url(re.compile(r"/admin/members/[0-9a-f-]{36}$"))
    admin.context.close()
    wait_for("the invitation", lambda: [address] in mail.recipients)
    body = mail.letters[mail.recipients.index([address])].get_body(("plain",))
    assert body is not None
    found = re.search(r"/(?:verify|reset)\?token=\S+", body.get_content())
    assert found, body.get_content()
    visitor = Visitor(chromium, replace(guildhall, email=address, password=PASSWORD), "desktop", "light")
    visitor.open(found[0])
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("main").locator("form button.btn-primary").click()
    visitor.page.wait_for_url("**/login")
    visitor.sign_in()
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def member(guildhall: Running) -> str:
    """Somebody with contributions."""
    wait_for("the deliveries of the demo", lambda: settled(guildhall))
    return str(guildhall.data("/api/v1/contributions/contributions?limit=1")[0]["member_id"])


def typed(visitor: Visitor, path: str) -> int:
    """What the address answers, typed by hand."""
    answer = visitor.page.request.get(visitor.running.url + path, headers={"Accept": "text/html"}, max_redirects=0)
    status: int = answer.status
    return status


def menu(platform: Platform) -> dict[str, str]:
    """The permission behind each entry that a sidebar can have."""
    found = {item.url: item.permission for plugin in platform.registry.plugins.values() for item in plugin.menu}
    for bound in platform.registry.resources.values():
        if bound.resource.menu and "list" in bound.resource.actions:
            found[f"{bound.page_path}/list/"] = bound.permission("list")
    return found


def test_the_sidebar_has_what_is_allowed_and_every_entry_opens(
    moderator: Visitor, clean_platform: Platform, may: May
) -> None:
    entries = menu(clean_platform)
    moderator.open("/")
    shown = set(links(moderator))
    assert shown == {url for url, permission in entries.items() if may(permission)}
    never = {"/admin/settings", "/admin/plugins", "/admin/jobs", "/admin/access", "/admin/audit"}
    assert never <= entries.keys() and not never & shown
    for url in sorted(shown):
        with moderator.page.expect_navigation() as going:
            moderator.page.locator(f".gh-nav a[href='{url}']").click()
        assert going.value.status == 200, url
    assert {url: typed(moderator, url) for url in entries.keys() - shown} == dict.fromkeys(entries.keys() - shown, 403)


def test_what_is_refused_is_a_page_that_leads_back(moderator: Visitor) -> None:
    moderator.said.clear()
    assert moderator.open("/admin/settings").status == 403
    page = moderator.page
    assert page.locator(".gh-error-code").inner_text() == "403"
    assert "core:settings:show" in page.locator(".gh-error").inner_text()
    assert all("403" in line for line in moderator.said)
    serious = [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == []
    moderator.picture("moderator-refused")
    page.get_by_role("main").get_by_role("link", name="Back to the start").click()
    page.wait_for_url(moderator.running.url + "/")


def test_addresses_typed_by_hand_answer_as_the_roles_say(
    moderator: Visitor, clean_platform: Platform, may: May
) -> None:
    """Every generated page, and every page of the platform and its plugins that names a permission."""
    from app import create_app

    wrong: dict[str, Any] = {}

    def ask(path: str, permission: str) -> None:
        status = typed(moderator, path)
        if (status == 403) == may(permission) or status >= 500:
            wrong[path] = (status, permission)

    for bound in clean_platform.registry.resources.values():
        for action in bound.resource.actions:
            if action == "delete" or (bound.resource.owner and action in READ):
                continue  # deleting asks by POST; their own records are everybody's
            path = f"{bound.page_path}/{METHODS[action]}"
            ask(path + {"list": "/", "create": ""}.get(action, f"/{new_id()}"), bound.permission(action))
    app = create_app(clean_platform)
    for rule in app.url_map.iter_rules():
        permission = getattr(app.view_functions[rule.endpoint], "permission", None)
        if permission and "GET" in (rule.methods or ()) and rule.rule.startswith("/admin/") and not rule.arguments:
            ask(rule.rule, permission)
    assert wrong == {}


def test_lists_and_records_offer_only_what_may_be_done(moderator: Visitor, clean_platform: Platform, may: May) -> None:
    page, wrong = moderator.page, {}
    for bound in clean_platform.registry.resources.values():
        if "list" not in bound.resource.actions or not may(bound.permission("list")):
            continue
        moderator.page.goto(f"{moderator.running.url}{bound.page_path}/list/")
        main = page.get_by_role("main")
        adds = main.locator(f"a[href$='{bound.resource.new_page or bound.page_path + '/add'}']").count() > 0
        offered = {"create": adds, "export": main.locator("[popovertarget=export]").count() > 0}
        row = page.locator("a.gh-row-link").first
        if row.count() and not bound.resource.page:
            page.goto(moderator.running.url + str(row.get_attribute("href")))
            offered["update"] = main.locator(f"a[href*='{bound.page_path}/edit/']").count() > 0
            offered["delete"] = main.locator(f"a[href*='{bound.page_path}/deletion/']").count() > 0
        for action, there in offered.items():
            name = "core:list:export" if action == "export" else bound.permission(action)
            declared = action == "export" or action in bound.resource.actions
            declared = declared or (action == "create" and bool(bound.resource.new_page))
            if there != (declared and may(name)):
                wrong[f"{bound.key}: {action}"] = there
    assert wrong == {}


def test_the_member_page_has_the_tabs_of_a_moderator(moderator: Visitor, may: May, member: str) -> None:
    page = moderator.page
    tabs = {
        "Overview": "core:member:show",
        "Progress": "contributions:contribution:list",
        "Badges": "badges:award:list",
        "Wallet": "wallet:account:list",
        "Timeline": "core:event:list",
        "Sign-in and access": "core:member:show",
        "Reviews": "core:review:list",
        "Comments": "core:comment:list",
        "History": "core:history:show",
        "Personal data": "core:member:export",
    }
    moderator.open(f"/admin/members/{member}")
    bar = page.get_by_role("navigation", name="Parts of the member page")
    shown = [re.sub(r"\d+$", "", one).strip() for one in bar.get_by_role("link").all_inner_texts()]
    assert {name for name in shown if name in tabs} == {name for name, permission in tabs.items() if may(permission)}
    for name in shown:
        with page.expect_navigation() as going:
            page.get_by_role("link", name=name, exact=False).and_(page.locator(".gh-tabs a")).first.click()
        assert going.value.status == 200, name
        for deed in ("Suspend", "Close account", "Act as", "Save roles", "Erase", "Send a link to a password"):
            assert page.get_by_role("main").get_by_role("button", name=deed).count() == 0, (name, deed)
    for part in ("data", "access/roles"):
        assert typed(moderator, f"/admin/members/{member}/{part}") in (403, 404)


def test_reports_are_those_of_a_moderator(moderator: Visitor, clean_platform: Platform, may: May) -> None:
    page, known = moderator.page, clean_platform.registry.reports
    address = {key: f"/admin/reports/{key.replace('.', '/')}" for key in known}
    moderator.open("/admin/reports")
    shown = set(page.eval_on_selector_all(".gh-report-card", "all => all.map(a => a.getAttribute('href'))"))
    assert shown == {address[key] for key, report in known.items() if may(report.permission)}
    assert {typed(moderator, url) for url in shown} == {200}
    assert {typed(moderator, url) for url in set(address.values()) - shown} <= {403}
    moderator.open(sorted(shown)[0])
    scheduling = page.get_by_role("button", name="Schedule…").count() > 0
    assert scheduling == may("core:report:schedule")
    assert (typed(moderator, "/admin/reports/schedules") == 200) == may("core:report:schedule")


def test_the_palette_leads_nowhere_that_is_refused(moderator: Visitor) -> None:
    page, reached = moderator.page, set()
    moderator.open("/")
    page.keyboard.press("Control+k")
    for text in ("", "settings", "plugin", "job", "new", "sugg", "badge", "am"):
        page.locator("#palette input").fill(text)
        if len(text) > 1:
            with page.expect_response("**/admin/search?*"):
                page.locator("#palette input").fill(text + " ")
        page.wait_for_timeout(50)
        reached |= set(page.eval_on_selector_all("#palette-list li", "all => all.map(li => li.dataset.url)"))
    paths = {re.sub(r"^https?://[^/]+", "", url) for url in reached}
    assert any(path.startswith("/admin/suggestions/") for path in paths)
    assert {path: status for path in sorted(paths) if (status := typed(moderator, path)) not in (200, 302)} == {}


def test_the_days_work_is_done(moderator: Visitor, guildhall: Running, member: str) -> None:
    made = guildhall.call("POST", "/api/v1/core/members", json={"display_name": f"Echo {uuid4().hex[:6]}"})
    copyist = made.json()["data"]["id"]
    for number in range(3):
        body = {
            "member_id": copyist,
            "type": "learning.completed",
            "event_key": str(uuid4()),
            "details": {"text": f"{SAME}{number}"},
        }
        assert guildhall.call("POST", "/api/v1/contributions/contributions", json=body).status_code in (201, 202)
    wait_for("the cases", lambda: len(cases(guildhall, copyist)) == 2)
    page = moderator.page
    for case, (key, reason) in zip(cases(guildhall, copyist), (("a", ""), ("r", "The same text again")), strict=True):
        moderator.open(f"/admin/reviews/{case['id']}")
        page.keyboard.press(key)
        if reason:
            page.keyboard.type(reason)
            page.keyboard.press("Control+Enter")
        page.wait_for_url(lambda url, was=case["id"]: was not in url)
    assert cases(guildhall, copyist) == []

    moderator.open("/admin/suggestions/suggestion/list/?_flt_0_status=new")
    page.locator("a.gh-row-link").first.click()
    page.wait_for_url("**/admin/suggestions/suggestion/show/*")
    shown = page.url
    page.get_by_role("main").get_by_role("link", name="Edit").click()
    page.locator("select[name=status]").select_option("planned")
    page.keyboard.press("Control+s")
    page.wait_for_url(shown)
    answered = guildhall.data(f"/api/v1/suggestions/suggestions/{shown.rsplit('/', 1)[1]}")
    assert answered["status"] == "planned"

    moderator.open(f"/admin/core/member/comments/{member}")
    page.locator("#comment-new").fill("Thanked for the suggestion, answered within the day.")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.locator(".gh-comment").filter(has_text="answered within the day").first.wait_for()
    moderator.picture("moderator-comment")
