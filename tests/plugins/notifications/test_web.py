"""REST and pages: each member has an inbox of their own, admins see all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from core.platform import Platform
from guildhall import Actor, new_id
from plugins.notifications import notify

API = "/api/v1/notifications"
PAGE = "/admin/notifications/mine"
SYSTEM = Actor.system("test")


@pytest.fixture
def me(client: Any) -> Any:
    client.member = client.sign_in("User")
    return client


def tell(platform: Platform, member: UUID, reference: str, **more: Any) -> str:
    values: dict[str, Any] = {"kind": "suggestion_thanks", "reference": reference, "member_id": member, **more}
    with platform.unit_of_work(SYSTEM) as session:
        return str(notify(session, SYSTEM, **values))


def test_i_read_my_notices(me: Any, platform: Platform) -> None:
    keys = [tell(platform, me.member.id, f"r{number}", url="/admin/") for number in range(3)]
    first = me.get(API, query_string={"limit": 2}).json
    rest = me.get(API, query_string={"limit": 2, "cursor": first["meta"]["page"]["next_cursor"]}).json
    assert [one["id"] for one in first["data"] + rest["data"]] == keys[::-1]
    assert first["data"][0]["subject"] == "Thank you for your suggestion"
    assert (first["data"][0]["kind"], first["data"][0]["url"]) == ("suggestion_thanks", "/admin/")
    assert first["data"][0]["read_at"] is None
    assert me.get(f"{API}/unread").json["data"] == {"unread": 3}


def test_i_mark_them_read(me: Any, platform: Platform) -> None:
    key, other = tell(platform, me.member.id, "a"), tell(platform, me.member.id, "b")
    assert me.post(f"{API}/{key}/read").json["data"]["read_at"].endswith("Z")
    assert [one["id"] for one in me.get(API, query_string={"unread": "true"}).json["data"]] == [other]
    assert me.post(f"{API}/read-all").json["data"] == {"read": 1}
    assert me.get(f"{API}/unread").json["data"] == {"unread": 0}


def test_what_is_not_mine_is_not_there(me: Any, clients: Any, platform: Platform) -> None:
    key = tell(platform, me.member.id, "a")
    other = clients("User")
    for path in (f"{API}/{key}/read", f"{API}/{new_id()}/read"):
        answer = other.post(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "NOT_FOUND")
    assert other.get(API).json["data"] == []
    assert me.get(f"{API}/unread").json["data"] == {"unread": 1}


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"unread": "maybe"}])
def test_a_query_that_makes_no_sense_is_refused(me: Any, query: dict[str, Any]) -> None:
    answer = me.get(API, query_string=query)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "INVALID")


def test_nobody_signed_in_is_asked_to(client: Any) -> None:
    assert client.get(API).status_code == 401
    assert client.get(PAGE).status_code == 303 or client.get(PAGE).status_code == 302


def test_my_page_shows_them_escaped_and_opens_them(me: Any, platform: Platform) -> None:
    assert "No notices yet." in me.get(PAGE).text
    key = tell(platform, me.member.id, "a", kind="badge_awarded", params={"badge": "<b>Gold</b>"}, url="/admin/x")
    page = me.get(PAGE).text
    assert "You earned the badge &lt;b&gt;Gold&lt;/b&gt;" in page
    assert "Mark all as read" in page
    opened = me.post(f"{PAGE}/{key}/open")
    assert (opened.status_code, opened.headers["Location"]) == (303, "/admin/x")
    assert "Nothing unread." in me.get(f"{PAGE}?show=unread").text
    tell(platform, me.member.id, "b")
    assert me.post(f"{PAGE}/read-all").headers["Location"] == PAGE
    assert "Nothing unread." in me.get(f"{PAGE}?show=unread").text


def test_my_page_goes_on(me: Any, platform: Platform) -> None:
    for number in range(26):
        tell(platform, me.member.id, f"r{number}")
    assert "?cursor=" in me.get(PAGE).text


def test_admins_see_all_notices(me: Any, clients: Any, platform: Platform) -> None:
    key = tell(platform, me.member.id, "a")
    admin = clients("Admin")
    assert key in admin.get("/admin/notifications/notification/list/").text
    record = admin.get(f"/admin/notifications/notification/show/{key}")
    assert "Thank you for your suggestion" in record.text
    assert admin.get(f"{API}/notifications/{key}").json["data"]["kind"] == "suggestion_thanks"


def test_members_see_their_own_notices_alone(me: Any, clients: Any, platform: Platform) -> None:
    mine = tell(platform, me.member.id, "a")
    theirs = tell(platform, UUID(clients("User").get("/api/v1/core/me").json["data"]["id"]), "b")
    listed = me.get("/admin/notifications/notification/list/").text
    assert mine in listed
    assert theirs not in listed
    assert me.get(f"/admin/notifications/notification/show/{theirs}").status_code == 404


def test_the_member_page_shows_the_last_notices(me: Any, clients: Any, platform: Platform) -> None:
    tell(platform, me.member.id, "a")
    page = clients("Admin").get(f"/admin/members/{me.member.id}/notifications")
    assert page.status_code == 200
    assert "Thank you for your suggestion" in page.text
