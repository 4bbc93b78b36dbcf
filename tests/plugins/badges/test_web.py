"""REST and pages: who sees what, and every refusal with its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from core.platform import Platform
from guildhall import Actor, new_id
from plugins.badges import service

from .conftest import count, points

API = "/api/v1/badges"
People = Callable[..., list[UUID]]
Make = Callable[..., UUID]


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def test_the_list_is_public_with_shares_and_hides_what_is_hidden(client: Any, badge: Make, people: People) -> None:
    badge("hush", points(1), visibility="secret")
    badge("veiled", points(7), visibility="hidden")
    people(2)
    found = {one["slug"]: one for one in client.get(f"{API}/badges").json["data"]}
    assert "hush" not in found
    assert found["veiled"]["criteria"] is None
    assert found["points-100"]["criteria"] == points(100)
    assert (found["points-100"]["holders"], found["points-100"]["share_basis_points"]) == (0, 0)
    assert code(client.get(f"{API}/badges/hush")) == (404, "BADGE_NOT_FOUND")
    assert client.get(f"{API}/badges/veiled").json["data"]["criteria"] is None


def test_a_member_sees_how_far_the_own_badge_is(
    platform: Platform, client: Any, contribute: Make, drain: Callable[[], int]
) -> None:
    member = client.sign_in("User")
    contribute(member.id, "challenge.win")
    drain()
    told = client.get(f"{API}/badges/elite-creator/explain").json["data"]
    assert told["state"] == "open"
    submissions, total = told["criteria"]["parts"]
    assert (submissions["actual"], submissions["target"], submissions["remaining"]) == (0, 10, 10)
    assert total["actual"] == 100
    assert total["remaining"] == 4900
    won = client.get(f"{API}/badges/winner/explain?member=me").json["data"]
    assert (won["state"], won["progress_basis_points"]) == ("held", 10_000)
    assert won["award"]["contribution_id"]
    held = {one["badge"] for one in client.get(f"{API}/members/{member.id}/badges").json["data"]}
    assert "winner" in held


def test_another_members_standing_needs_a_permission(client: Any, admin: Any, people: People) -> None:
    [other] = people()
    client.sign_in("User")
    assert code(client.get(f"{API}/badges/winner/explain?member={other}")) == (403, "PERMISSION_MISSING")
    assert admin.get(f"{API}/badges/winner/explain?member={other}").json["data"]["state"] == "open"
    assert code(admin.get(f"{API}/badges/winner/explain?member={new_id()}"))[0] == 404
    assert code(admin.get(f"{API}/badges/winner/explain?member=x"))[0] == 404


def test_badges_are_given_and_removed_by_hand(admin: Any, client: Any, people: People) -> None:
    [member_id] = people()
    give = {"member_id": str(member_id), "reason": "for the talk"}
    made = admin.post(f"{API}/badges/winner/awards", give)
    assert made.status_code == 201
    assert made.json["data"]["reason"] == "for the talk"
    assert code(admin.post(f"{API}/badges/winner/awards", give)) == (409, "BADGE_ALREADY_HELD")
    assert code(admin.post(f"{API}/badges/nothing/awards", give)) == (404, "BADGE_NOT_FOUND")
    remove = f"{API}/badges/winner/awards/{member_id}/revoke"
    client.sign_in("Moderator")
    assert code(client.post(remove, {"reason": "no"})) == (403, "PERMISSION_MISSING")
    assert admin.post(remove, {"reason": "wrong person"}).json["data"]["revoke_reason"] == "wrong person"
    assert code(admin.post(remove, {"reason": "again"})) == (409, "BADGE_NOT_HELD")


def test_awards_are_removed_from_their_list_each_once(admin: Any, people: People, platform: Any) -> None:
    members = people(2)
    given = [
        admin.post(f"{API}/badges/winner/awards", {"member_id": str(one), "reason": "x"}).json["data"]["id"]
        for one in members
    ]
    for award in (given[0], given[0], given[1]):
        sent = admin.post(f"/admin/acts/badges.award/remove/{award}", data={"reason": "shared account"})
        assert sent.status_code == 303
    assert (
        "does not hold"
        in admin.post(
            f"/admin/acts/badges.award/remove/{given[0]}", data={"reason": "again"}, follow_redirects=True
        ).text
    )
    for one in members:
        assert admin.get(f"{API}/members/{one}/badges").json["data"] == []


def test_a_badge_is_written_and_changed_and_bad_criteria_are_placed(admin: Any) -> None:
    body = {"slug": "helper", "name": "Helper", "criteria": {"all": [count("git.merge"), {"type": "nothing"}]}}
    refused = admin.post(f"{API}/badges", body)
    assert code(refused) == (422, "INVALID_CRITERIA")
    assert refused.json["error"]["details"]["criteria"][0].startswith("$.all[1].type")
    made = admin.post(f"{API}/badges", {**body, "criteria": count("git.merge")})
    assert made.status_code == 201
    assert code(admin.post(f"{API}/badges", {**body, "criteria": count("git.merge")}))[0] == 409
    changed = admin.patch(f"{API}/badges/helper", {"criteria": count("git.merge", 2), "level": 2}).json["data"]
    assert (changed["version"], changed["level"]) == (2, 2)
    assert code(admin.patch(f"{API}/badges/helper", {"level": 9})) == (422, "INVALID")
    assert code(admin.post(f"{API}/badges/preview", {"criteria": {"all": []}})) == (422, "INVALID_CRITERIA")
    assert admin.post(f"{API}/badges/preview", {"criteria": points(1)}).json["data"]["count"] == 0
    assert admin.post(f"{API}/badges/recalculate", {}).status_code == 202
    assert code(admin.post(f"{API}/badges/recalculate", {"badge": "nope"})) == (404, "BADGE_NOT_FOUND")


def test_every_page_shows(
    admin: Any, platform: Platform, people: People, contribute: Make, drain: Any, system: Actor
) -> None:
    [member_id, other] = people(2)
    contribute(member_id, "challenge.win")
    drain()
    with platform.unit_of_work(system) as session:
        service.revoke(session, system, slug="winner", member_id=member_id, reason="shared account")
        badge_id = service.find(session, "points-100").id
    pages = {
        "/admin/badges/gallery": "Elite Creator",
        "/admin/badges/gallery/elite-creator": "at least 5000 points",
        f"/admin/badges/gallery/elite-creator?member={member_id}": "4,900 to go",
        f"/admin/badges/gallery/winner?member={member_id}": "shared account",
        f"/admin/badges/gallery/points-100?member={member_id}": "The contribution that tipped it",
        f"/admin/badges/gallery/points-100?member={other}": "Give the badge",
        "/admin/badges/preview?badge=pillar": "points.threshold",
        "/admin/badges/badge/list/": "Pillar",
        "/admin/badges/badge/add": "criteria-editor",
        f"/admin/badges/badge/edit/{badge_id}": 'data-leaf="event.count"',
        "/admin/badges/award/list/": "Member 0",
        f"/admin/members/{member_id}/badges": "Nearest",
        "/admin/widgets/badges/rarity": "Hundred",
    }
    for url, text in pages.items():
        answer = admin.get(url)
        assert answer.status_code == 200, url
        assert text in answer.text, url
    assert admin.get(f"/admin/badges/gallery/{badge_id}").headers["Location"] == "/admin/badges/gallery/points-100"
    assert admin.get("/admin/badges/gallery/nothing").status_code == 404
    found = admin.get("/admin/badges/members?q=member 1").json
    assert found == [{"value": str(other), "text": "Member 1"}]


def test_forms_give_remove_and_preview(admin: Any, people: People) -> None:
    [member_id] = people()
    form = {"member": str(member_id), "reason": "for the talk"}

    def post(path: str, data: dict[str, str]) -> Any:
        return admin.http.post(f"/admin/badges/{path}", data=data, headers=admin.headers)

    assert post("gallery/winner/award", form).status_code == 303
    assert "for the talk" in admin.get(f"/admin/badges/gallery/winner?member={member_id}").text
    assert post("gallery/winner/award", form).status_code == 303  # refused with a sentence, on the page
    assert post("gallery/winner/revoke", {"member": str(member_id), "reason": ""}).status_code == 303
    assert post("gallery/winner/revoke", {"member": str(member_id), "reason": "mistake"}).status_code == 303
    assert "mistake" in admin.get(f"/admin/badges/gallery/winner?member={member_id}").text
    assert "$.all[0].type" in post("preview", {"criteria": '{"all": [{"type": "x"}]}', "badge": ""}).text
    assert "JSON" in post("preview", {"criteria": "{", "badge": ""}).text
    everybody = post("preview", {"criteria": '{"not": {"type": "manual"}}', "badge": "winner"}).text
    assert "members meet them" in everybody
    assert post("recalculate", {"badge": "winner"}).status_code == 303
