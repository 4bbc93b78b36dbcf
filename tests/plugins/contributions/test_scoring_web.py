"""REST and pages of scoring by hand, boards and figures: who may, what is answered, what stays."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.platform import Platform
from core.settings import write
from guildhall import Actor, now
from plugins.contributions import service
from plugins.contributions.models import Contribution, WebhookSource
from plugins.contributions.settings import ContributionSettings

from .conftest import add_people

URL = "/api/v1/contributions"


class Browser:
    """The admin of ``clients("Admin")`` at the pages."""

    def __init__(self, app: Any) -> None:
        self.http = app.test_client()
        self.send("/login", email="admin0@example.org", password="correct horse battery")

    def get(self, url: str) -> Any:
        return self.http.get(url)

    def send(self, url: str, **values: Any) -> Any:
        page = self.http.get("/login" if url == "/login" else "/profile").text
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
        assert token, page[:500]
        return self.http.post(url, data={"csrf_token": token[1], **values})


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.get_data(as_text=True)[:600]
    return answer.json["data"]


def test_an_admin_simulates_corrects_and_rescores(client: Any, clients: Any) -> None:
    admin, user = clients("Admin"), clients("User")
    told = ok(admin.post(f"{URL}/contributions/simulate", {"type": "git.merge"}))
    assert (told["outcome"], told["points"], told["tier"]) == ("recorded", 10, "free")
    made = ok(admin.post(f"{URL}/contributions", {"type": "git.merge"}), 201)
    path = f"{URL}/contributions/{made['id']}"
    worth = {"points": 3, "reason": "Small"}
    key = {"headers": {"Idempotency-Key": "once"}}
    for _ in range(2):
        corrected = ok(admin.post(f"{path}/override", worth, **key))
        assert (corrected["points"], corrected["correction"], corrected["total"]) == (10, -7, 3)
    assert user.post(f"{path}/override", worth).status_code == 403
    assert admin.post(f"{path}/override", {"points": "3", "reason": "x"}).status_code == 422
    assert ok(admin.post(f"{path}/reverse", {"reason": "Spam"}))["state"] == "reversed"
    again = admin.post(f"{path}/reverse", {"reason": "Spam"})
    assert (again.status_code, again.json["error"]["code"]) == (409, "NOT_COUNTED")
    stages = [one["title"] for one in ok(admin.get(path))["stages"]]
    assert stages.count("Corrected") == 2
    span = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z", "reason": "New rules"}
    row = ok(admin.post(f"{URL}/rescores", span), 202)
    assert ok(admin.get(f"{URL}/rescores/{row['id']}"))["state"] == "trying"
    early = admin.post(f"{URL}/rescores/{row['id']}/apply")
    assert (early.status_code, early.json["error"]["code"]) == (409, "RESCORE_NOT_READY")
    assert ok(admin.get(f"{URL}/reviews")) == []


def test_boards_over_the_wire(client: Any, clients: Any, platform: Platform, system: Actor) -> None:
    admin, user = clients("Admin"), clients("User")
    ok(admin.post(f"{URL}/contributions", {"type": "git.merge"}), 201)
    assert client.get(f"{URL}/leaderboard").status_code == 401
    with platform.unit_of_work(system) as session:
        write(session, system, ContributionSettings, {"public_leaderboard": True})
    platform.registry.cache.looked_at = float("-inf")
    first = client.get(f"{URL}/leaderboard?type=git.merge")
    assert [one["rank"] for one in ok(first)["ranks"]] == [1]
    tag = {"headers": {"If-None-Match": first.headers["ETag"]}}
    assert client.get(f"{URL}/leaderboard?type=git.merge", **tag).status_code == 304
    assert client.get(f"{URL}/leaderboard?live=true").status_code == 401
    assert ok(admin.post(f"{URL}/leaderboard/freeze", {"type": "git.merge"}))["frozen_at"]
    ok(admin.http.put(f"{URL}/me/leaderboard", json={"shown": False}, headers=admin.headers))
    assert ok(admin.get(f"{URL}/me/leaderboard")) == {"shown": False}
    assert client.get(f"{URL}/leaderboard?type=git.merge", **tag).status_code == 200
    assert ok(client.get(f"{URL}/leaderboard?type=git.merge"))["ranks"] == []
    assert ok(admin.get(f"{URL}/leaderboard?type=git.merge"))["me"]["rank"] == 1
    assert ok(admin.post(f"{URL}/leaderboard/thaw", {"type": "git.merge"}))["frozen_at"] is None
    assert user.post(f"{URL}/leaderboard/freeze", {}).status_code == 403
    at = now()
    span = {"starts_at": (at - timedelta(days=1)).isoformat(), "ends_at": at.isoformat()}
    season = ok(admin.post(f"{URL}/seasons", {"name": "Spring", **span}), 201)
    assert user.post(f"{URL}/seasons/{season['id']}/close").status_code == 403
    assert ok(admin.post(f"{URL}/seasons/{season['id']}/close"))["state"] == "closed"


def test_figures_and_the_export_hold_no_names(clients: Any) -> None:
    admin = clients("Admin")
    made = [ok(admin.post(f"{URL}/contributions", {"type": "git.merge"}), 201) for _ in range(3)]
    [day] = ok(admin.get(f"{URL}/analytics/days"))
    assert (day["type"], day["count"], day["points"], day["members"]) == ("git.merge", 3, 30, 1)
    [cohort] = ok(admin.get(f"{URL}/analytics/cohorts"))
    assert cohort["active"] == [1]
    lines = [json.loads(line) for line in admin.get(f"{URL}/analytics/events").text.splitlines()]
    assert [line["id"] for line in lines] == [one["id"] for one in made]
    rest = admin.get(f"{URL}/analytics/events", query_string={"after": lines[0]["next"]}).text.splitlines()
    assert [json.loads(line)["id"] for line in rest] == [one["id"] for one in made[1:]]
    assert "admin" not in str(lines).replace("'source': 'admin'", "")
    assert admin.get(f"{URL}/analytics/events?after=x").status_code == 404


def test_the_pages_do_what_they_say(app: Any, clients: Any, platform: Platform, system: Actor) -> None:
    clients("Admin")
    admin = Browser(app)
    home = "/admin/contributions"
    page = admin.get(f"{home}/simulator?type=git.merge&details=%7B%22a%22%3A1%7D").text
    assert "recorded" in page and "Total" in page
    assert "JSON" in admin.get(f"{home}/simulator?type=git.merge&details=%7B").text
    with platform.unit_of_work(system) as session:
        [member] = add_people(session)
        made = service.record(session, system, member_id=member, type="git.merge").id
    path = f"{home}/contribution/{made}"
    assert admin.send(f"{path}/override", points="4", reason="Small").status_code == 303
    assert "Small" in admin.get(path).text
    assert admin.send(f"{path}/override", points="x", reason="Small").status_code == 303
    assert "Give 0 to" in admin.get(path).text
    admin.send(f"{path}/reverse", reason="Spam")
    with platform.unit_of_work(system) as session:
        assert session.scalar(select(Contribution.state).where(Contribution.id == made)) == "reversed"
    values = {"starts_at": "2026-01-01", "ends_at": "2026-02-01", "reason": "New rules", "type": ""}
    admin.send(f"{home}/rescores", **values)
    assert "New rules" in admin.get(f"{home}/rescores").text
    assert admin.get(f"{home}/analytics").status_code == 200
    form = {"slug": "shop", "label": "Shop", "kind": "github", "mapping": "{}", "enabled": "y"}
    admin.send(f"{home}/webhook/add", **form)
    listed = admin.get(f"{home}/webhook/list/").text
    found = re.search(r"/webhook/show/([0-9a-f-]{36})", listed)
    assert found, listed[:2000]
    assert "/api/v1/contributions/webhooks/shop" in admin.get(f"{home}/webhook/show/{found[1]}").text
    shown = admin.send(f"{home}/webhooks/{found[1]}/secret").text
    with platform.unit_of_work(system) as session:
        assert session.scalars(select(WebhookSource.secret)).one() in shown


def test_a_label_that_an_admin_wrote_is_text_on_every_page(
    app: Any, clients: Any, platform: Platform, system: Actor
) -> None:
    clients("Admin")
    browser = Browser(app)
    form = {"code": "party.host", "label": "100% <b>host</b>", "base_points": "5", "cooldown": "0", "enabled": "y"}
    made = browser.send("/admin/contributions/type/add", **form)
    assert made.status_code == 302, made.text
    with platform.unit_of_work(system) as session:
        member = add_people(session, 1)[0]
        record = service.record(session, system, member_id=member, type="party.host")
        pages = [f"/admin/contributions/contribution/{record.id}", f"/admin/members/{member}/contributions"]
    pages += [made.headers["Location"], *(f"/admin/contributions/{one}" for one in ("simulator", "analytics"))]
    for address in (*pages, "/admin/contributions/leaderboard?period=all", "/admin/contributions/contribution/list/"):
        page = browser.get(address).text
        assert "<b>host</b>" not in page, address
        assert "100% &lt;b&gt;host&lt;/b&gt;" in page, address
